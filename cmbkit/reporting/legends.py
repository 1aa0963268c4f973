"""Legends: what stands after the title of each figure and table, with numbers of its data."""

import re
import tomllib
from importlib.resources import files

import pandas as pd

ROWS_OF = {"uid": "scans", "dataset": "datasets", "model": "models", "patient": "patients"}
"""Columns whose different values are counted, and the field of a legend that holds the count."""


class LegendError(ValueError):
    """A legend names a number that its data do not give."""


def read_legends() -> dict[tuple[str, str], str]:
    """Legend templates by kind ("figure", "table", "data") and number."""
    text = files("cmbkit.reporting").joinpath("legends.toml").read_text(encoding="utf-8")
    return {
        (kind, number): legend
        for kind, legends in tomllib.loads(text).items()
        for number, legend in legends.items()
    }


def filled(template: str, data: pd.DataFrame | None) -> str:
    """A legend with its numbers; ``data`` are those of the table or behind the figure.

    Of one thing its name loses the plural's s ("1 model", "1 missed CMB").

    Raises
    ------
    LegendError
        If the template names a number that data with rows do not give.
    """
    numbers = _Numbers(pd.DataFrame() if data is None else data)

    def singular(found: re.Match) -> str:
        return found[0][:-1] if str(numbers.get(found[1])) == "1" else found[0]

    return _COUNTED.sub(singular, template).format_map(numbers)


_COUNTED = re.compile(r"\{(\w+)\} (?:(?:annotated|computed|false|missed|published) )?[A-Za-z]+?s\b")
"""A field and the plural of what it counts."""


class _Numbers(dict):
    """What fields of a legend stand for.

    ``rows``, the counts of `ROWS_OF` and ``total_<column>``, 0 where there are no data;
    ``names``: of the datasets, "this run" where there are none.
    """

    def __init__(self, data: pd.DataFrame):
        totals = data.select_dtypes("number").sum()
        super().__init__({f"total_{name}": f"{value:,.0f}" for name, value in totals.items()})
        self.update({ROWS_OF[name]: data[name].nunique() for name in ROWS_OF if name in data})
        self["rows"] = len(data)
        named = data["dataset"].dropna().unique().tolist() if "dataset" in data else []
        *others, last = named or ["this run"]
        self["names"] = " and ".join(filter(None, [", ".join(others), last]))

    def __missing__(self, key: str) -> int:
        if self["rows"]:
            raise LegendError(f"expected {{{key}}} in the data of a legend, found {sorted(self)}")
        return 0
