"""Recall and false positives against slice thickness, a column of panels per varied factor."""

from __future__ import annotations

from cmbkit.plotting.canvas import new_figure
from cmbkit.plotting.style import OKABE_ITO

COLOURS = [OKABE_ITO[name] for name in ("blue", "orange", "green", "vermilion", "purple", "sky")]
MARKS = "os^Dv"
ROWS = {"recall": "Recall (share of CMBs found)", "fp_scan": "False positives per scan"}
SHIFT_MM = 0.08


def thickness_curves(curves, titles: dict[str, str], synthetic: bool = False):
    """Draw two rows of panels: recall above, false positives per scan below.

    Parameters
    ----------
    curves : DataFrame
        factor, level, thickness_mm, and recall and fp_scan, each with _low and _high. The
        first level of a factor is the base: its line is solid, those of the others dashed.
    titles : dict of factor to text
        The factors to draw, in this order, and the head of each legend, with its unit.
    """
    figure = new_figure(max(7, 3.3 * len(titles)), 5.6, synthetic=synthetic)
    panels = figure.subplots(len(ROWS), len(titles), sharex=True, sharey="row", squeeze=False)
    for column, (factor, title) in enumerate(titles.items()):
        rows = curves[curves["factor"] == factor]
        levels = list(dict.fromkeys(rows["level"]))
        for line, name in enumerate(ROWS):
            axes = panels[line, column]
            for index, level in enumerate(levels):
                _line(axes, rows[rows["level"] == level], name, index, level, len(levels))
            axes.grid(axis="y")
        handles, labels = panels[0, column].get_legend_handles_labels()
        panels[0, column].legend(
            handles, labels, title=title, loc="lower center", bbox_to_anchor=(0.5, 1.0),
            ncols=min(len(labels), 3), title_fontsize=9,
        )  # fmt: skip
        panels[-1, column].set_xlabel("Slice thickness (mm)")
        panels[-1, column].set_xticks(sorted(set(curves["thickness_mm"])))
    for line, text in enumerate(ROWS.values()):
        panels[line, 0].set_ylabel(text)
    panels[0, 0].set_ylim(-0.03, 1.03)
    panels[-1, 0].set_ylim(bottom=-0.02 * max(curves["fp_scan_high"]))
    return figure


def _line(axes, rows, name: str, index: int, level, count: int) -> None:
    rows = rows.sort_values("thickness_mm")
    where = rows["thickness_mm"].to_numpy(float) + SHIFT_MM * (index - (count - 1) / 2)
    colour, value = COLOURS[index % len(COLOURS)], rows[name].to_numpy(float)
    axes.vlines(where, rows[f"{name}_low"], rows[f"{name}_high"], color=colour, lw=1.2, alpha=0.8)
    axes.plot(
        where, value, "--" if index else "-", color=colour, marker=MARKS[index % len(MARKS)],
        ms=5, mec="black", mew=0.4, label=f"{level:g}" + ("" if index else " (base)"),
    )  # fmt: skip
