"""Tables compared cell by cell, pictures by their ink: what counts as the same and what not."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cmbkit.reporting.comparison import (
    NETWORK_PICTURE,
    PICTURE,
    Difference,
    compare_pictures,
    compare_tables,
    judge,
)
from cmbkit.reporting.tolerance import (
    EXACT,
    NETWORK,
    NETWORK_ROWS,
    Bound,
    Tolerance,
    through_network,
)


@pytest.fixture
def table():
    """Two models on two datasets, with a text that is the same in all rows."""
    return pd.DataFrame(
        {
            "model": ["scratch", "scratch", "tl", "tl"],
            "dataset": ["CRB", "DOU", "CRB", "DOU"],
            "tp": [12, 40, 0, 38],
            "precision": [0.6, 0.8, np.nan, 0.75],
            "recall": [0.5, 0.7, 0.0, 0.725],
            "cohort": "synthetic cohort",
        }
    )


def verdict(before, after, tolerance):
    return judge(compare_tables(before, after, tolerance), before, tolerance)


def test_equal_tables_with_missing_numbers_are_identical(table):
    assert compare_tables(table, table.copy()) == []
    assert verdict(table, table.set_axis([5, 6, 7, 8]), EXACT) == "identical"


def test_a_difference_stands_number_beside_number(table):
    changed = table.copy()
    changed.loc[1, "tp"] = 41
    assert compare_tables(table, changed) == [Difference("scratch, DOU", "tp", 40.0, 41.0, True)]
    assert verdict(table, changed, EXACT) == "different"


@pytest.mark.parametrize(
    ("change", "exact", "network"),
    [
        (1e-6, "within tolerance", "within tolerance"),  # the sixth digit of 0.8
        (0.019, "different", "within tolerance"),
        (0.09, "different", "different"),  # a tenth of 0.8 is 0.08
    ],
)
def test_numbers_may_differ_by_as_much_as_the_tolerance(table, change, exact, network):
    changed = table.copy()
    changed.loc[1, "precision"] += change
    assert verdict(table, changed, EXACT) == exact
    assert verdict(table, changed, NETWORK) == network


def test_a_share_of_the_numbers_may_lie_beyond_but_none_far_and_none_of_few(table):
    """Of 12 numbers 0.1 * 12 = 1.2, so one; a rate by 0.3 or its half, and no more."""
    tolerance, changed = replace(NETWORK, share=0.1, few=12), table.copy()
    changed.loc[1, "precision"] += 0.1
    assert verdict(table, changed, tolerance) == "within tolerance"
    assert verdict(table, changed, replace(tolerance, few=13)) == "different"
    changed.loc[3, "recall"] += 0.1
    assert verdict(table, changed, tolerance) == "different"
    far = table.copy()
    far.loc[0, "recall"] += 0.31
    assert verdict(table, far, tolerance) == "different"


def test_a_count_may_be_off_by_two_and_a_share_of_zeros_and_ones_is_no_count(table):
    for off, expected in ((2, "within tolerance"), (-2, "within tolerance"), (3, "different")):
        changed = table.copy()
        changed.loc[0, "tp"] += off
        assert verdict(table, changed, NETWORK) == expected
    shares = pd.DataFrame({"recall": [0, 1, 1]})
    assert verdict(shares, shares[::-1], NETWORK) == "different"


def test_what_is_published_is_exact(table):
    """A column of the thesis's and a row of the literature, in a table of a network's numbers."""
    shown = pd.concat([table.assign(f1_thesis=[0.42, 0.76, 0.41, 0.7], own=[False, *3 * [True]])])
    shown["own_f1"] = shown["recall"]
    for row, name in ((1, "f1_thesis"), (0, "recall"), (0, "tp")):
        changed = shown.copy()
        changed[name] = changed[name].astype(float)
        changed.loc[row, name] += 0.01
        assert verdict(shown, changed, NETWORK) == "different"
    for row, name in ((1, "recall"), (0, "own_f1")):
        changed = shown.copy()
        changed.loc[row, name] += 0.01
        assert verdict(shown, changed, NETWORK) == "within tolerance"
    assert verdict(shown, shown[1:], replace(NETWORK_ROWS, row_share=1.0)) == "different"
    assert verdict(shown, shown[:-1], replace(NETWORK_ROWS, row_share=1.0)) == "within tolerance"


def test_a_rank_test_may_move_only_with_other_numbers():
    table = pd.DataFrame({"metric": list("abc"), "first": [0.5, 0.6, 0.7], "p_value": 0.2})
    changed = table.assign(p_value=[0.2, 0.9, 0.2])
    tolerance = replace(NETWORK, share=0.2, few=6)  # 1.2 of 6 numbers
    assert verdict(table, changed, tolerance) == "different"
    changed.loc[1, "first"] += 0.02
    assert verdict(table, changed, tolerance) == "within tolerance"


def test_a_number_may_be_missing_where_a_text_of_its_row_says_so():
    table = pd.DataFrame(
        {"scan": list("abcdefghij"), "n": range(3, 13), "low": 0.1, "f1": 0.3, "interval": "t"}
    )
    changed = table.copy()
    changed.loc[4, "low"] = np.nan
    assert verdict(table, changed, NETWORK) == "different"
    changed.loc[4, "interval"] = "too few"
    assert verdict(table, changed, NETWORK) == "within tolerance"
    told = table.copy()
    told.loc[4, "interval"] = "too few"  # yet no number is missing
    assert verdict(table, told, NETWORK) == "different"


def test_a_table_with_a_row_per_candidate_is_known_by_its_columns():
    columns = {"7.2": ["dataset", "tp"], "7.4": ["uid", "tp"], "S35": ["uid", "match", "score"]}
    found = {name: through_network(pd.DataFrame(columns=c)) for name, c in columns.items()}
    assert found == {"7.2": NETWORK, "7.4": NETWORK, "S35": NETWORK_ROWS}


def test_a_number_that_becomes_missing_is_beyond_any_tolerance(table):
    changed = table.assign(precision=table["precision"].where(table["tp"] > 20))
    (difference,) = compare_tables(table, changed, Tolerance(numbers=Bound(absolute=9.0)))
    assert (
        difference.beyond
        and difference.never
        and difference.before == 0.6
        and np.isnan(difference.after)
    )


def test_swapped_columns_and_a_lost_row_are_different(table):
    swapped = table.rename(columns={"precision": "recall", "recall": "precision"})
    assert verdict(table, swapped, NETWORK) == "different"
    short = table.drop(index=2)
    assert compare_tables(table, short) == [Difference("tl, CRB", "", "there", "missing")]
    assert verdict(table, short, NETWORK) == "different"
    assert verdict(table, short, replace(NETWORK_ROWS, row_share=0.25)) == "within tolerance"
    assert compare_tables(short, table) == [Difference("tl, CRB", "", "missing", "there")]


def test_a_lost_column_and_a_changed_text_are_different(table):
    assert compare_tables(table, table.drop(columns="tp"), NETWORK) == [
        Difference("", "tp", "there", "missing", never=True)
    ]
    assert verdict(table, table.drop(columns="tp"), NETWORK_ROWS) == "different"
    other = table.replace({"dataset": {"CRB": "VALDO"}})
    found = compare_tables(table, other)
    assert found[0] == Difference("scratch, CRB", "dataset", "CRB", "VALDO", never=True)
    assert len(found) == 2


def test_rows_without_texts_are_paired_by_position():
    before = pd.DataFrame({"epoch": [1, 2, 3], "loss": [0.5, 0.4, 0.3]})
    shifted = before.assign(loss=np.roll(before["loss"], 1))
    assert [d.row for d in compare_tables(before, shifted)] == ["0", "1", "2"]
    longer = pd.concat([before, before.tail(1)])
    assert compare_tables(before, longer) == [Difference("3", "", "missing", "there")]


def png(draw) -> bytes:
    figure = Figure((4, 3), dpi=100)
    axes = figure.add_subplot(xlim=(-3, 3), ylim=(-3, 3), xlabel="Radius [mm]", ylabel="Recall")
    draw(axes)
    made = io.BytesIO()
    figure.savefig(made, format="png")
    return made.getvalue()


X, Y = np.random.default_rng(0).normal(size=(2, 12))


def points(x, y):
    return png(lambda axes: axes.plot(x, y, "o", markersize=4))


def test_pictures_without_points_or_with_points_elsewhere_are_apart():
    before = points(X, Y)
    assert compare_pictures(before, points(X, Y)) == 0
    assert compare_pictures(before, points([], [])) > NETWORK_PICTURE
    assert compare_pictures(before, points(X, np.roll(Y, 1))) > NETWORK_PICTURE
    assert compare_pictures(before, points(X, np.append(Y[:-1], Y[-1] + 1))) < NETWORK_PICTURE


def test_fewer_colours_and_the_last_digit_do_not_count():
    before = points(X, Y)
    packed = io.BytesIO()
    Image.open(io.BytesIO(before)).convert("RGB").quantize(64).save(packed, format="PNG")
    assert 0 < compare_pictures(before, packed.getvalue()) < PICTURE
    assert compare_pictures(before, points(X * (1 + 1e-5), Y)) < PICTURE


def plain(colour, size=(40, 40)) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, colour).save(made, format="PNG")
    return made.getvalue()


def test_a_picture_of_half_its_ink_is_half_apart():
    """Black on the left half of white paper; then on the left quarter alone."""
    halves = []
    for columns in (20, 12):
        pixels = np.full((40, 48, 3), 255, np.uint8)
        pixels[:, :columns] = 0
        made = io.BytesIO()
        Image.fromarray(pixels).save(made, format="PNG")
        halves.append(made.getvalue())
    assert compare_pictures(*halves) == pytest.approx(8 / 20)
    assert compare_pictures(plain("white"), plain("black")) == 1
    assert compare_pictures(plain("white"), plain("white", (40, 44))) == 1
