"""Committed tables: no interval without width, and one interval of one number."""

import re
from pathlib import Path

import pandas as pd
import pytest

DEMO = Path(__file__).parents[1] / "figures" / "demo"
ACQUIRED = ("field_strength", "tr_ms", "te_ms", "flip_deg", "slice_thickness_mm", "in_plane_mm")
SPANS = {"tp", "fp", "fn", *ACQUIRED, *(f"{name}_thesis" for name in ACQUIRED)}
"""Columns whose ends are the least and the most of several values, and may agree."""
PRINTED = re.compile(r"\[(-?\d+\.\d+), (-?\d+\.\d+)\]")


@pytest.mark.parametrize("path", sorted(DEMO.glob("*.csv")), ids=lambda path: path.stem)
def test_no_interval_of_a_table_has_zero_width(path):
    table = pd.read_csv(path)
    names = [n.removesuffix("_low") for n in table if n.endswith("_low")]
    for name in names:
        known = table.dropna(subset=[f"{name}_low", f"{name}_high"])
        if name not in SPANS:
            assert (known[f"{name}_low"] < known[f"{name}_high"]).all(), name


@pytest.mark.parametrize("path", sorted(DEMO.glob("table_*.html")), ids=lambda path: path.stem)
def test_no_interval_is_printed_without_width(path):
    ends = PRINTED.findall(path.read_text(encoding="utf-8"))
    assert [pair for pair in ends if float(pair[0]) >= float(pair[1])] == []


@pytest.mark.parametrize("other", ["S9", "S30", "8_4"])
def test_a_number_that_is_printed_twice_has_one_interval(other):
    """Of 7.3 in S9 and S30; rows of this run in 8.4 by their counts."""
    first, table = (pd.read_csv(DEMO / f"table_{name}.csv") for name in ("7_3", other))
    table = table[table.get("grid", "standard") == "standard"] if "grid" in table else table
    first = first.rename(columns=lambda name: name.removeprefix("pooled_"))
    table = table.rename(columns=lambda name: name.removeprefix("pooled_"))
    if "own" in table:
        table, keys = table[table["own"].astype(bool)], ["tp", "fp", "fn"]
    else:
        keys = ["dataset", "model"]
    both = first.merge(table, on=keys, suffixes=("", "_again"))
    assert len(both) >= 4
    for name in ("precision", "recall", "f1"):
        for end in ("", "_low", "_high"):
            assert both[f"{name}{end}"].tolist() == both[f"{name}{end}_again"].tolist()


def test_what_the_readme_says_stands_in_the_tables():
    """Recall by thickness and way of averaging, radii of missed CMBs, F1: each as it is printed."""
    tables = {
        name: pd.read_csv(DEMO.parent / "larger" / f"{name}.csv")
        for name in ("figure_S62", "table_S32", "table_8_3b", "table_7_3", "table_S9")
    }
    recall = tables["figure_S62"].query("factor == 'averaging'")
    recall = recall.set_index(["level", "thickness_mm"])["recall"]
    apart = tables["table_S32"].query(
        "level == 'magnitude' and thinner_mm == 1 and thicker_mm == 6"
    )
    radius = tables["table_8_3b"].query("dataset == 'All'").set_index("size")
    f1 = tables["table_7_3"].query("model == 'scratch'").set_index("dataset")
    blobs = tables["table_S9"].query("model == 'dark blobs'").set_index("dataset")["pooled_f1"]
    less = -apart.iloc[0][["apart", "apart_high", "apart_low"]]
    visible = -radius.loc["visible", ["difference", "difference_high", "difference_low"]]
    grown = radius.loc["published", ["difference", "difference_low", "difference_high"]]
    pooled = ["pooled_f1", "pooled_f1_low", "pooled_f1_high"]
    number = "{:.2f}".format
    said = [
        f"{number(recall['complex', 1])} in slices of 1 mm",
        f"{number(recall['complex', 6])} in slices of 6 mm",
        f"it is {number(recall['magnitude', 6])}: that",
        "by {:.2f} [{:.2f}, {:.2f}].".format(*less),
        "radius {:.2f} mm [{:.2f}, {:.2f}] less".format(*visible),
        "({:.2f} mm [{:.2f}, {:.2f}] more)".format(*grown),
        "F1 is {:.2f} [{:.2f}, {:.2f}] on DOU-like".format(*f1.loc["DOU", pooled]),
        "{:.2f} [{:.2f}, {:.2f}] on CRB-like".format(*f1.loc["CRB", pooled]),
        f"is {number(blobs['DOU'])} and {number(blobs['CRB'])}.",
        f"the same {apart['n'].item()} CMBs in {apart['brains'].item()} brains",
    ]
    text = (DEMO.parents[1] / "README.md").read_text(encoding="utf-8")
    told = text.partition("## What it says")[2].partition("\n## ")[0]
    assert [phrase for phrase in said if phrase not in " ".join(told.split())] == []
