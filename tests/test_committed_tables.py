"""Committed tables: no interval without width, and one interval of one number."""

import re
from pathlib import Path

import pandas as pd
import pytest

DEMO = Path(__file__).parents[1] / "figures" / "demo"
SPANS = {"tp", "fp", "fn", "tr_ms", "te_ms", "flip_deg", "slice_thickness_mm"}
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
