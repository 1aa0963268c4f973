"""A small table as a picture (Figure A.7)."""

from cmbkit.plotting.canvas import new_figure

WIDE = 145
"""Characters of 8 points that fit across a figure."""


def settings_table(table):
    """A small table of text as a picture (Figure A.7)."""
    if table.empty:
        raise ValueError("settings_table: expected a table with rows, found none")
    widths = [max(map(len, [name, *table[name]])) + 2 for name in table]
    figure = new_figure(10, 0.2 * (len(table) + 1) + 0.6)
    axes = figure.subplots()
    axes.set_axis_off()
    drawn = axes.table(
        cellText=table.to_numpy(), colLabels=list(table), cellLoc="left", loc="upper center",
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
