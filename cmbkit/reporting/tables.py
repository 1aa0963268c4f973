"""DataFrames as HTML and LaTeX tables, the best values in bold.

Which columns have a best value can travel with the table: ``df.attrs["best"]`` maps column
names to ``"max"`` or ``"min"`` and ``df.attrs["within"]`` names the columns whose values
separate the groups that are compared (for instance ``["Dataset"]``: the best model of each).
"""

from __future__ import annotations

import math
import re
from html import escape

import pandas as pd

NOTHING = "–"
WIDE = 7
_LEADING_NUMBER = re.compile(r"\s*([-+]?\d+(?:\.\d+)?)")
_LATEX = {
    "\\": r"\textbackslash{}",
    **{character: "\\" + character for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "Δ": r"$\Delta$",
    "³": r"$^3$",
    "²": r"$^2$",
    "–": "--",
}


def render_html(
    df: pd.DataFrame,
    caption: str,
    note: str = "",
    *,
    best: dict[str, str] | None = None,
    within: list[str] | None = None,
) -> str:
    """Return an HTML fragment: the table with its caption and a note at its foot.

    Parameters
    ----------
    df : DataFrame
        Text is shown as it is, numbers with up to three decimals, NaN as a dash. A named
        index becomes columns.
    caption, note : str
        Plain text.
    best : dict of column to {"max", "min"}, optional
        Columns whose best value is bold; ``df.attrs["best"]`` by default.
    within : list of str, optional
        Columns that separate the compared groups; ``df.attrs["within"]`` by default.
    """
    table, bold = _prepare(df, best, within)
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in table.columns)
    body = []
    for row, marks in zip(table.to_numpy().tolist(), bold, strict=True):
        cells = (
            f"<td><b>{escape(text)}</b></td>" if mark else f"<td>{escape(text)}</td>"
            for text, mark in zip(row, marks, strict=True)
        )
        body.append(f"<tr>{''.join(cells)}</tr>")
    parts = [
        '<table class="cmbkit">',
        f"<caption>{escape(caption)}</caption>",
        f"<thead><tr>{head}</tr></thead>",
        "<tbody>",
        *body,
        "</tbody>",
    ]
    if note:
        span = f'colspan="{table.shape[1]}"'
        parts.append(f'<tfoot><tr><td {span} class="note">{escape(note)}</td></tr></tfoot>')
    return "\n".join([*parts, "</table>"]) + "\n"


def render_latex(
    df: pd.DataFrame,
    caption: str,
    note: str = "",
    *,
    best: dict[str, str] | None = None,
    within: list[str] | None = None,
) -> str:
    """Return a LaTeX table (packages booktabs and, for wide tables, graphicx).

    Parameters are those of `render_html`.
    """
    table, bold = _prepare(df, best, within)
    head = " & ".join(_latex(str(name)) for name in table.columns)
    body = []
    for row, marks in zip(table.to_numpy().tolist(), bold, strict=True):
        cells = (
            rf"\textbf{{{_latex(text)}}}" if mark else _latex(text)
            for text, mark in zip(row, marks, strict=True)
        )
        body.append(" & ".join(cells) + r" \\")
    tabular = [
        rf"\begin{{tabular}}{{{'l' * table.shape[1]}}}",
        r"\toprule",
        head + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if table.shape[1] > WIDE:
        tabular = [r"\resizebox{\textwidth}{!}{%", *tabular, "}"]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(caption)}}}",
        *tabular,
        *([rf"\par\footnotesize {_latex(note)}"] if note else []),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def best_cells(
    df: pd.DataFrame, best: dict[str, str], within: list[str] | None = None
) -> pd.DataFrame:
    """Which cells hold the best value of their column and group; shape of ``df``, bool.

    Text counts by the number it starts with. A group with fewer than two values has no best;
    equal values are all best.
    """
    marks = pd.DataFrame(False, index=df.index, columns=df.columns)
    groups = df.groupby(within, sort=False, dropna=False).indices if within else None
    members = list(groups.values()) if groups is not None else [range(len(df))]
    for column, direction in best.items():
        if direction not in ("max", "min"):
            raise ValueError(f"best[{column!r}]: expected 'max' or 'min', found {direction!r}")
        values = df[column].map(_number)
        for positions in members:
            group = values.iloc[list(positions)].dropna()
            if len(group) > 1:
                target = group.max() if direction == "max" else group.min()
                marks.loc[group.index[group == target], column] = True
    return marks


def _prepare(df: pd.DataFrame, best, within) -> tuple[pd.DataFrame, list[list[bool]]]:
    best = df.attrs.get("best", {}) if best is None else best
    within = df.attrs.get("within") if within is None else within
    named = [name for name in df.index.names if name is not None]
    table = (df.reset_index() if named else df).reset_index(drop=True)
    bold = best_cells(table, best, within).to_numpy().tolist()
    return table.map(_text).astype(object), bold


def _number(value) -> float:
    if isinstance(value, str):
        found = _LEADING_NUMBER.match(value)
        return float(found[1]) if found else math.nan
    return math.nan if value is None or pd.isna(value) else float(value)


def _text(value) -> str:
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return NOTHING
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else f"{value:.3f}"
    return str(value)


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
