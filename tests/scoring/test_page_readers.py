"""Eight scans of one lesion at 10 that all readers mark; what else each says stands below.

Scan 0: 20 of all but theirs. 1: 20 or 21 of first, second, mine. 2: 30 or 31 of first, third,
mine. 4, 5, 6: 25 of theirs. 5: 35 of second.
"""

import numpy as np
import pandas as pd
import pytest

from cmbkit.evaluation.intervals import TOO_FEW
from cmbkit.params import Evaluation
from cmbkit.scoring import page_readers
from cmbkit.scoring.pairing import PairingError
from cmbkit.scoring.readers import findings_of_files, reader_names
from cmbkit.volume import Volume

MORE = {
    "first": {0: [20], 1: [20], 2: [30]},
    "second": {0: [20], 1: [21], 5: [35]},
    "third": {0: [20], 2: [30]},
    "mine": {0: [20], 1: [20], 2: [31]},
    "theirs": {4: [25], 5: [25], 6: [25]},
}
RATERS, DETECTORS = ("first", "second", "third"), ("mine", "theirs")
SCANS = pd.DataFrame({"uid": [f"s{n}" for n in range(8)], "dataset": "x"}).assign(
    patient=[f"p{n}" for n in range(8)]
)


def mask(places):
    data = np.zeros((40, 4, 4), np.uint8)
    data[places, 2, 2] = 1
    return Volume(data, np.eye(4))


def files(name):
    return pd.Series([mask([10, *MORE[name].get(n, [])]) for n in range(8)])


@pytest.fixture(scope="module")
def found():
    sides = [{name: files(name) for name in group} for group in (RATERS, DETECTORS)]
    return findings_of_files(*sides, SCANS, params=Evaluation())


def test_findings_and_consensus(found):
    assert len(found) == 8 + 1 + 1 + 1 + 1 + 3
    table = page_readers.with_consensus(found, RATERS)
    assert table["majority"].sum() == 11 and table["probability"].between(0, 1).all()
    assert "probability" not in page_readers.with_consensus(found, RATERS[:2])


def test_each_against_the_others(found):
    of = page_readers.against_consensus(found, SCANS, RATERS, DETECTORS, Evaluation())
    of = of.set_index(["reader", "reference"])
    others = of.xs(page_readers.OTHERS, level="reference")[["tp", "fp", "fn"]].T
    # of first: both others mark 8 and one of scan 0; it says two more
    assert others["first"].tolist() == [9, 2, 0] and others["second"].tolist() == [9, 2, 1]
    assert others["mine"].tolist() == [11, 0, 0] and others["theirs"].tolist() == [8, 3, 3]
    weighed = of.xs(page_readers.WEIGHTED, level="reference")
    assert weighed.index.tolist() == list(DETECTORS)
    assert of.loc[("second", page_readers.OTHERS), "weight_sensitivity"] < 1


def test_agreement_of_pairs_and_of_all(found):
    pairs = page_readers.pair_agreement(found, SCANS, [*RATERS, *DETECTORS], Evaluation())
    pairs = pairs.set_index(["measure", "pair"])
    dice = pairs.xs("lesion_dice")["value"]
    assert dice["first, second"] == pytest.approx(2 * 10 / (11 + 11))
    assert dice["third, mine"] == pytest.approx(2 * 10 / (10 + 11))
    assert len(pairs) == 10 * 10 and pairs.xs("icc_2_1")["formula_low"].notna().any()
    counts = page_readers.together(found, SCANS, RATERS, DETECTORS).set_index("readers")
    assert counts.loc["first, second, third", ["n_findings", "n_all"]].tolist() == [12, 9]


def test_detectors_over_raters(found):
    table = page_readers.detectors_compared(found, SCANS, DETECTORS, RATERS).set_index("analysis")
    first = np.mean([2 * 11 / 22, 2 * 10 / 22, 2 * 10 / 21])
    second = np.mean([16 / 22, 16 / 22, 16 / 21])  # 11 said, 8 of 11, 11 and 10
    assert table["first"].iloc[0] == pytest.approx(first)
    assert table["difference"].iloc[0] == pytest.approx(first - second)
    assert table.loc["random readers, fixed patients", "df_2"] == 2
    assert (table["difference_low"] < table["difference"]).all()


def test_what_readers_need():
    with pytest.raises(PairingError, match="expected matching by distance, found 'overlap'"):
        findings_of_files({}, {}, SCANS, params=Evaluation(matching="overlap"))
    assert reader_names("a/truth", ["b/rater"], ("mine",)) == ["truth", "rater"]
    with pytest.raises(PairingError, match="folders of different names, found 'mine' twice"):
        reader_names("a/truth", ["b/mine"], ("mine",))
    for folder in ("b/uid", "b/x_mm", "b/majority"):
        with pytest.raises(PairingError, match="another name than that of a column"):
            reader_names("a/truth", [folder], ("mine",))


def test_five_scans_are_too_few_for_any_interval(found):
    few = found[found["uid"] < "s5"]
    counted = [*RATERS, *DETECTORS]
    for scans, there in ((SCANS[:5], False), (SCANS[:6], True)):
        pairs = page_readers.pair_agreement(few, scans, counted, Evaluation())
        assert pairs["formula_low"].notna().any() == there
        all_of = page_readers.together(few, scans, RATERS, DETECTORS)
        assert all_of["icc_2_1_low"].notna().all() == there
        assert set(all_of["icc_2_1_interval"]) == ({""} if there else {TOO_FEW})
