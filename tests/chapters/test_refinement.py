"""Refined beside true sizes: four regions of one scan, two settings, with and without the guard."""

import pandas as pd
import pytest

from cmbkit.chapters import preprocessing as chapter

RADII = {  # (connectivity, guard): refined radii; visible ones are 1 and 2 mm
    (6, False): [1.0, 4.0],
    (6, True): [1.0, 2.0],
    (26, False): [3.0, 4.0],  # biggest: chosen
    (26, True): [0.4, 2.0],
}


@pytest.fixture
def trials():
    rows = [
        (number, guard, connectivity, radius)
        for (connectivity, guard), radii in RADII.items()
        for number, radius in enumerate(radii, 1)
    ]
    table = pd.DataFrame(rows, columns=["id", "guard", "connectivity", "radius_mm"])
    truth = {"radius_visible_mm": table["id"] * 1.0, "radius_true_mm": table["id"] * 0.5}
    return table.assign(
        uid="CRB-1", dataset="CRB", thickness_mm=5.0, reference="parent", difference="absolute",
        **truth,
    )  # fmt: skip


def test_errors_of_each_setting_and_of_the_chosen_one(trials):
    table = chapter.table_s2c(trials).set_index("setting")
    six = table.loc["parent, absolute, 6"]  # ratios 1 and 2, guarded 1 and 1
    assert (six["off"], six["off_guarded"]) == pytest.approx((2**0.5, 1.0))
    assert (six["n_twice"], six["n_twice_guarded"]) == (0, 0)  # just twice is not over twice
    chosen = table.loc["chosen per scan (biggest)"]  # published: 26; guarded: 6
    assert chosen["off"] == pytest.approx(6**0.5) and chosen["n_twice"] == 1
    assert chosen["off_guarded"] == 1.0
    assert table.loc["parent, absolute, 26", "n_half_guarded"] == 1
    words = chapter.refinement_in_words(table.reset_index())
    assert "CRB, slices >=3 mm (2 CMBs)" in words
    assert "with the guard, off by a factor of 1.00 on average" in words
    assert "published choice is off by 2.45; regions more than twice too large: 1." in words


def test_sizes_by_dataset(trials):
    row = chapter.table_s2b(trials).iloc[0]
    assert (row["n"], row["radius_visible_mm"], row["radius_true_mm"]) == (2, 1.5, 0.75)
    assert (row["published"], row["guarded"]) == (3.5, 1.5)
    assert (row["twice_published"], row["twice_guarded"]) == (1, 0)
    points = sum(len(c.get_offsets()) for c in chapter.figure_s52(trials).axes[0].collections)
    assert points == 4


def test_without_truth_one_line(trials):
    unknown = trials.assign(radius_visible_mm=float("nan"))
    assert "truth" in chapter.refinement_in_words(chapter.table_s2c(unknown))
    assert chapter.table_s2b(unknown).empty and chapter.table_s2c(trials.iloc[:0]).empty
    assert chapter.figure_s52(unknown) is not None
