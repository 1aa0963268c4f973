"""Configurations and logs as pictures: text in columns (A.7), a small table (A.6)."""

import textwrap

import numpy as np

from cmbkit.plotting.canvas import new_figure

WIDE = 145
"""Characters of 8 points that fit across a figure."""


def configuration_panel(config: dict):
    """A configuration in two columns: ``key = value``, nested ones indented (Figure A.7)."""
    lines = [part for line in _lines_of(config) for part in _fold(line, 62)]
    half = -(-len(lines) // 2) if len(lines) > 12 else len(lines)
    figure = new_figure(9.5, 0.175 * half + 0.75)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_facecolor("0.97")
    for x, part in ((0.01, lines[:half]), (0.51, lines[half:])):
        axes.text(x, 0.98, "\n".join(part), va="top", family="monospace", fontsize=8,
                  linespacing=1.35, transform=axes.transAxes)  # fmt: skip
    return figure


def data_configuration(table):
    """A small table as a picture, as it is; floats with 3 significant digits (Figure A.6)."""
    if table.empty:
        raise ValueError("data_configuration: expected a table with rows, found none")
    names = [str(name) for name in table.columns]
    rows = [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    widths = [max([len(name), *(len(row[i]) for row in rows)]) + 2 for i, name in enumerate(names)]
    figure = new_figure(10, 0.2 * (len(rows) + 1) + 0.6)
    axes = figure.subplots()
    axes.set_axis_off()
    drawn = axes.table(
        cellText=rows, colLabels=names, cellLoc="left", loc="upper center",
        colWidths=[width / sum(widths) for width in widths], bbox=(0, 0, 1, 1),
    )  # fmt: skip
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(min(8, 8 * WIDE / sum(widths)))
    for (row, _), cell in drawn.get_celld().items():
        cell.set_linewidth(0.4)
        cell.set_edgecolor("0.73")
        if row == 0:
            cell.set_text_props(weight="bold")
            cell.set_facecolor("0.93")
    return figure


def _lines_of(config, depth=0):
    lines = []
    for key, value in config.items():
        if isinstance(value, dict):
            lines += [f"{'  ' * depth}{key}:", *_lines_of(value, depth + 1)]
        else:
            lines.append(f"{'  ' * depth}{key} = {value}")
    return lines


def _fold(line, width):
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.wrap(line, width, subsequent_indent=indent) or [""]


def _cell(value):
    return f"{value:.3g}" if isinstance(value, (float, np.floating)) else str(value)
