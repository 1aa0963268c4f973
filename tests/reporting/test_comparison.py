"""Tables compared cell by cell, pictures by their ink: what counts as the same and what not."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cmbkit.reporting.comparison import (
    EXACT,
    NETWORK,
    NETWORK_PICTURE,
    NETWORK_ROWS,
    PICTURE,
    Difference,
    Tolerance,
    compare_pictures,
    compare_tables,
    judge,
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
        (0.05, "different", "different"),
    ],
)
def test_numbers_may_differ_by_as_much_as_the_tolerance(table, change, exact, network):
    changed = table.copy()
    changed.loc[1, "precision"] += change
    assert verdict(table, changed, EXACT) == exact
    assert verdict(table, changed, NETWORK) == network


def test_a_share_of_the_numbers_may_lie_beyond(table):
    """Of 12 numbers 0.1 * 12 = 1.2, so one."""
    tolerance, changed = replace(NETWORK, share=0.1), table.copy()
    changed.loc[1, "precision"] += 0.1
    assert verdict(table, changed, tolerance) == "within tolerance"
    changed.loc[3, "recall"] += 0.1
    assert verdict(table, changed, tolerance) == "different"


def test_a_number_that_becomes_missing_is_beyond_any_tolerance(table):
    changed = table.assign(precision=table["precision"].where(table["tp"] > 20))
    (difference,) = compare_tables(table, changed, Tolerance(absolute=9.0))
    assert difference.beyond and difference.before == 0.6 and np.isnan(difference.after)


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
        Difference("", "tp", "there", "missing")
    ]
    assert verdict(table, table.drop(columns="tp"), NETWORK_ROWS) == "different"
    other = table.replace({"dataset": {"CRB": "VALDO"}})
    found = compare_tables(table, other)
    assert found[0] == Difference("scratch, CRB", "dataset", "CRB", "VALDO")
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
