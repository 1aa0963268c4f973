"""Found and missed microbleeds by refined, visible and true size."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.chapters.subgroup_analysis import leak_in_words, table_8_3b


def made(patients=6):
    """Patients, each with a found CMB of 2 mm and a missed one of 1 mm that leaked to 3.9 or 4.1.

    The missed one's true size varies with it by -+0.1 mm.
    """
    rows, trials = [], []
    for patient in range(patients):
        more = 0.1 * (-1) ** patient
        for gt_id, match, true, grown in ((1, "TP", 2.0, 2.0), (2, "FN", 1 + more, 4 + more)):
            uid = f"CRB-{patient}"
            rows.append((uid, str(patient), gt_id, match, 1.5, true + 0.1, true, False))
            trials += [(uid, gt_id, guard, grown if not guard else 1.5) for guard in (False, True)]
    columns = ["uid", "patient", "gt_id", "match", "gt_radius_mm", "gt_radius_visible_mm"]
    matches = pd.DataFrame(rows, columns=[*columns, "gt_radius_true_mm", "gt_leaked"])
    matches = matches.assign(dataset="CRB", source="CRB", model="scratch")
    trials = pd.DataFrame(trials, columns=["uid", "id", "guard", "radius_mm"])
    return matches, trials.assign(reference="parent", difference="absolute", connectivity=6)


def test_the_same_microbleeds_by_four_sizes():
    table = table_8_3b(*made(), model="scratch").set_index(["dataset", "size"]).loc["CRB"]
    assert table["n_found"].tolist() == table["n_missed"].tolist() == [6] * 4
    assert table["difference"].tolist() == pytest.approx([2.0, 0.0, -1.0, -1.0])
    # as a paired t interval: SD of six times 0.1 is sqrt(0.06 / 5), t(5) is 2.5706
    half = 2.5706 * np.sqrt(0.06 / 5 / 6)
    true = table.loc["true", ["difference_low", "difference_high"]].tolist()
    assert true == pytest.approx([-1 - half, -1 + half], abs=1e-4)
    methods = ["jackknife, t", "no spread", "jackknife, t", "jackknife, t"]
    assert table["difference_interval"].tolist() == methods
    words = leak_in_words(table.reset_index().assign(dataset="CRB"))
    assert "missed CMBs are larger, in truth they are smaller: the leak made the finding" in words
    assert "by this run's refinement: not known" in words and "+0.00 mm [no spread]" in words


def test_few_patients_get_no_interval():
    table = table_8_3b(*made(patients=5), model="scratch")
    assert set(table["difference_interval"]) == {"too few"}
    assert "[too few]. An interval is missing" in leak_in_words(table)


@pytest.mark.parametrize(
    ("published", "true", "told"),
    [
        ((0.1, 0.9), (-0.9, -0.1), "in truth they are smaller: the leak made"),
        ((0.1, 0.9), (-0.1, 0.1), "in truth no difference is shown: the leak made"),
        ((0.1, 0.9), (0.1, 0.9), "alike missed CMBs are larger: here the leak does not"),
        ((-0.9, -0.1), (-0.9, -0.1), "alike missed CMBs are smaller: here the leak does not"),
        (
            (-0.1, 0.1),
            (-0.9, -0.1),
            "no difference is shown, in truth missed CMBs are smaller: the leak",
        ),
        ((-0.9, -0.1), (-0.1, 0.1), "smaller, in truth no difference is shown: the leak does not"),
        ((-0.1, 0.1), (-0.1, 0.1), "By what can be seen of them missed CMBs are smaller"),
        ((np.nan, np.nan), (np.nan, np.nan), "larger is unknown"),
    ],
)
def test_what_is_said_follows_from_the_intervals(published, true, told):
    table = table_8_3b(*made(), model="scratch").query("dataset == 'CRB'").set_index("size")
    for size, ends in (("published", published), ("true", true)):
        table.loc[size, ["difference_low", "difference_high"]] = ends
    assert told in leak_in_words(table.reset_index())


def test_no_difference_shown_is_not_called_no_difference():
    """Nothing by any size: too few patients to tell, not "no different"."""
    table = table_8_3b(*made(), model="scratch").query("dataset == 'CRB'").set_index("size")
    for size in table.index:
        table.loc[size, ["difference_low", "difference_high"]] = (-0.1, 0.1)
    assert "cannot be told from so few patients" in leak_in_words(table.reset_index())


def test_without_truth_one_line():
    matches, trials = made()
    table = table_8_3b(matches.assign(gt_radius_visible_mm=np.nan), trials, model="scratch")
    assert table.empty and "No truth is known" in leak_in_words(table)
