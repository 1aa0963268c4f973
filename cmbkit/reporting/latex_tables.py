"""Tables and figures in LaTeX: 8 points, as wide as an A4 page or, on its side, as high.

A cell stacks its parts, value above interval above the thesis's in italics; long words wrap, and
long tables go on over the next page. `PREAMBLE` names the packages.
"""

import re
import textwrap
from dataclasses import replace

import pandas as pd

from cmbkit.reporting.tables import Shown, columns_of, reading_aids, titled

PREAMBLE = r"""\documentclass[a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage{lmodern}
\usepackage[margin=25mm]{geometry}
\usepackage{array,booktabs,graphicx,longtable,makecell,pdflscape}
"""
CHARACTER_MM, GAP_MM = 1.45, 1.8
"""Mean width of a character of 8 points, and of the gap between two columns."""
PORTRAIT_MM, LANDSCAPE_MM = 155, 240
LONGEST, SHORTEST = 24, 8
"""Characters of a line: words longer than that wrap; a head is never narrower."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LATEX = {
    "\\": r"\textbackslash{}",
    **{character: "\\" + character for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{"±": r"$\pm$", "×": r"$\times$", "≥": r"$\geq$", "≤": r"$\leq$", "→": r"$\rightarrow$"},
    **{"Δ": r"$\Delta$", "µ": r"$\mu$", "μ": r"$\mu$", "τ": r"$\tau$", "°": r"$^\circ$"},
    **{"³": r"$^3$", "²": r"$^2$", "✓": r"$\surd$", "✗": r"$\times$", "–": "--"},
    "\u200b": r"\allowbreak{}",
}
_LONG_WORD = re.compile(rf"\S{{{LONGEST},}}")
_BREAKS = re.compile(r"(?<=[/._=:;,)-])(?=[^\s/._=:;,)-])|(?<=\w{16})(?=\w)")
"""Where such a word may be broken."""


def render_latex(
    table: pd.DataFrame, caption: str, note: str = "", legend: str = "", number: str = ""
) -> str:
    """Return a LaTeX table that the packages of `PREAMBLE` make.

    Parameters are those of `cmbkit.reporting.tables.render_html`; ``number`` replaces LaTeX's own
    and makes the label, after "tab:".
    """
    columns = columns_of(table)
    note = " ".join(filter(None, [note, reading_aids(table, columns)]))
    widths = widths_mm(columns)
    form = "".join(_form(column, width) for column, width in zip(columns, widths, strict=True))
    heads = _row([_head(column) for column in columns])
    rows = [
        _row(cells) + r" \addlinespace[2pt]" for cells in zip(*map(_cells, columns), strict=True)
    ]
    short = f"[{latex(caption)}]" if legend else ""
    named = [rf"\renewcommand{{\thetable}}{{{number}}}"] if number else []
    label = rf"\label{{tab:{number}}}" if number else ""
    again = rf"\multicolumn{{{len(columns)}}}{{l}}{{\tablename\ \thetable, continued}} \\"
    text = [
        *named,
        r"\fontsize{8}{9.5}\selectfont\setlength{\tabcolsep}{2.5pt}",
        r"\setlength{\LTcapwidth}{\linewidth}",
        rf"\begin{{longtable}}{{{form}}}",
        rf"\caption{short}{{{latex(titled(caption, legend))}}}{label} \\",
        *(r"\toprule", heads, r"\midrule", r"\endfirsthead"),
        *(again, r"\toprule", heads, r"\midrule", r"\endhead"),
        *(r"\bottomrule", r"\endfoot"),
        *rows,
        r"\end{longtable}",
        *([rf"\noindent {latex(note)}\par"] if note else []),
    ]
    wide = sum(widths) + GAP_MM * len(widths) > PORTRAIT_MM
    ends = (r"\begin{landscape}", r"\end{landscape}") if wide else (r"\begingroup", r"\endgroup")
    return "\n".join([ends[0], *text, ends[1]]) + "\n"


def figure_latex(file: str, caption: str, legend: str, number: str) -> str:
    """A figure in LaTeX from its picture file, with its number and the label "fig:7.2"."""
    lines = [
        r"\begin{figure}",
        rf"\renewcommand{{\thefigure}}{{{number}}}",
        r"\centering",
        rf"\includegraphics[width=\textwidth,height=0.8\textheight,keepaspectratio]{{{file}}}",
        rf"\caption[{latex(caption)}]{{{latex(titled(caption, legend))}}}",
        rf"\label{{fig:{number}}}",
        r"\end{figure}",
    ]
    return "\n".join(lines) + "\n"


def document(files: list[str]) -> str:
    """A LaTeX document of table and figure files, each on pages of its own."""
    pages = (rf"\input{{{file}}}\clearpage" for file in files)
    return "\n".join([PREAMBLE + r"\begin{document}", *pages, r"\end{document}"]) + "\n"


def latex(text: str) -> str:
    """Plain text for LaTeX; line breaks and control characters become blanks.

    Words longer than a line may be broken after a punctuation mark.
    """
    printable = _breakable(_CONTROL.sub(" ", str(text)))
    return "".join(_LATEX.get(character, character) for character in printable)


def _breakable(text: str) -> str:
    """The text with marks (spaces without width) where its long words may be broken."""
    return _LONG_WORD.sub(lambda word: _BREAKS.sub("\u200b", word[0]), text)


def widths_mm(columns: list[Shown]) -> list[float]:
    """Width of each column; those of long texts share what the page on its side has left."""
    lines = [[*_head_lines(c), *(line for text in _texts(c) for line in text)] for c in columns]
    widths = [CHARACTER_MM * max(map(len, each)) for each in lines]
    long = [i for i, c in enumerate(columns) if _wraps(c)]
    rest = LANDSCAPE_MM - GAP_MM * len(columns) - sum(widths) + sum(widths[i] for i in long)
    for left, i in enumerate(sorted(long, key=widths.__getitem__), -len(long)):
        words = (word for line in lines[i] for word in re.split(r"[\s\u200b]", _breakable(line)))
        least = CHARACTER_MM * max(SHORTEST, 1.1 * max(map(len, words)))
        widths[i] = min(widths[i], max(rest / -left, least))
        rest -= widths[i]
    return widths


def _wraps(column: Shown) -> bool:
    return not column.numeric and any(len(t) > LONGEST for lines in _texts(column) for t in lines)


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


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
    """LaTeX text; a bracket or star that starts a line would be an option of the line before."""
    return f"{{{line[0]}}}{latex(line[1:])}" if line.startswith(("[", "*")) else latex(line)


def _stacked(lines: list[str], right: bool) -> str:
    if len(lines) < 2:
        return "".join(lines)
    text = r" \\ ".join(lines)
    return rf"\makecell[t{'r' if right else 'l'}]{{{text}}}"
