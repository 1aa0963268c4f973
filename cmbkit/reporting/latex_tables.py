"""Tables in LaTeX: 8 points, as wide as an A4 page, on its side where that is too narrow.

A cell stacks its parts, value above interval above the thesis's in italics; long words wrap.
"""

import re
import textwrap
from dataclasses import replace

import pandas as pd

from cmbkit.reporting.tables import Shown, columns_of, reading_aids, titled

CHARACTER_MM, GAP_MM = 1.45, 1.8
"""Mean width of a character of 8 points, and of the gap between two columns."""
PORTRAIT_MM, LANDSCAPE_MM = 160, 240
LONGEST, SHORTEST = 24, 8
"""Characters of a line: words longer than that wrap; a head is never narrower."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
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


def render_latex(table: pd.DataFrame, caption: str, note: str = "", legend: str = "") -> str:
    """Return a LaTeX table (packages booktabs, makecell, array and, for wide ones, rotating).

    Parameters are those of `cmbkit.reporting.tables.render_html`.
    """
    columns = columns_of(table)
    note = " ".join(filter(None, [note, reading_aids(table, columns)]))
    widths = widths_mm(columns)
    cells = pd.DataFrame({_head(c): _cells(c) for c in columns}, dtype=object)
    style = cells.style.hide(axis="index")
    form = "".join(_form(column, width) for column, width in zip(columns, widths, strict=True))
    tabular = style.to_latex(hrules=True, column_format=form).rstrip("\n")
    wide = sum(widths) + GAP_MM * len(widths) > PORTRAIT_MM
    environment = "sidewaystable" if wide else "table"
    short = f"[{latex(caption)}]" if legend else ""
    head = [rf"\begin{{{environment}}}", r"\centering"]
    head += [rf"\caption{short}{{{latex(titled(caption, legend))}}}"]
    head += [r"\fontsize{8}{9.5}\selectfont\setlength{\tabcolsep}{2.5pt}"]
    foot = [rf"\par\footnotesize {latex(note)}"] if note else []
    return "\n".join([*head, tabular, *foot, rf"\end{{{environment}}}"]) + "\n"


def latex(text: str) -> str:
    """Plain text for LaTeX; line breaks and control characters become blanks."""
    printable = _CONTROL.sub(" ", str(text))
    return "".join(_LATEX.get(character, character) for character in printable)


def widths_mm(columns: list[Shown]) -> list[float]:
    """Width of each column; those of long words share what the page on its side has left."""
    lines = [[*_head_lines(c), *(line for text in _texts(c) for line in text)] for c in columns]
    widths = [CHARACTER_MM * max(map(len, each)) for each in lines]
    long = [i for i, c in enumerate(columns) if _wraps(c)]
    rest = LANDSCAPE_MM - GAP_MM * len(columns) - sum(widths) + sum(widths[i] for i in long)
    for i in long:
        widths[i] = min(widths[i], max(rest / len(long), CHARACTER_MM * SHORTEST))
    return widths


def _wraps(column: Shown) -> bool:
    return not column.numeric and any(len(t) > LONGEST for lines in _texts(column) for t in lines)


def _form(column: Shown, width: float) -> str:
    if _wraps(column):
        return rf">{{\raggedright\arraybackslash}}p{{{width:.0f}mm}}"
    return "r" if column.numeric else "l"


def _head_lines(column: Shown) -> list[str]:
    longest = max((len(line) for lines in _texts(column) for line in lines), default=0)
    return textwrap.wrap(column.head, min(max(longest, SHORTEST), LONGEST), break_long_words=False)


def _head(column: Shown) -> str:
    return _stacked([latex(line) for line in _head_lines(column)], column.numeric)


def _texts(column: Shown) -> list[list[str]]:
    """Lines of each cell, those of the thesis last."""
    own = [
        list(filter(None, [" ".join(filter(None, parts[:2])), parts[2]])) for parts in column.parts
    ]
    if column.printed is None:
        return own
    return [a + b for a, b in zip(own, _texts(column.printed), strict=True)]


def _cells(column: Shown) -> list[str]:
    plain = replace(column, printed=None)
    made = [
        [rf"\textbf{{{line}}}" if bold else line for line in map(_safe, lines)]
        for lines, bold in zip(_texts(plain), column.bold, strict=True)
    ]
    if column.printed is not None:
        below = column.printed
        for lines, each, bold in zip(made, _texts(below), below.bold, strict=True):
            slanted = [rf"\textit{{{line}}}" for line in map(_safe, each)]
            lines += [rf"\textbf{{{line}}}" if bold else line for line in slanted]
    joined = r" \newline " if _wraps(column) else None
    return [joined.join(c) if joined else _stacked(c, column.numeric) for c in made]


def _safe(line: str) -> str:
    """LaTeX text; a bracket that starts a line would be read as an option of the line before."""
    return latex(line).replace("[", "{[}", 1) if line.startswith("[") else latex(line)


def _stacked(lines: list[str], right: bool) -> str:
    if len(lines) < 2:
        return "".join(lines)
    text = r" \\ ".join(lines)
    return rf"\makecell[{'r' if right else 'l'}]{{{text}}}"
