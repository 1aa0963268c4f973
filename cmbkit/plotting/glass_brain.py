"""Microbleeds of many scans in one glass brain in MNI space, drawn by nilearn."""

from collections.abc import Mapping

from pandas import DataFrame

from cmbkit.plotting.canvas import add_note, datasets_in, new_figure, of_microbleeds, with_letters
from cmbkit.plotting.style import MODEL_NAMES, ROLE_COLOURS, dataset_palette

MNI = ["x_mni", "y_mni", "z_mni"]
MATCHES = {"TP": "True positive", "FN": "False negative", "FP": "False positive"}
ROW_INCHES = 3.1


@of_microbleeds
def microbleeds_by_dataset(points):
    """Places of all microbleeds, one colour per dataset.

    ``points`` (DataFrame): one row per microbleed: dataset; x_mni, y_mni, z_mni in mm
    (`cmbkit.anatomy.parcellation.to_mni`). Rows with a NaN are counted, not drawn.
    """
    names = datasets_in(points["dataset"])
    groups = {name: (name, colour) for name, colour in dataset_palette(names).items()}
    return _glass_brains({"": points}, "dataset", groups)


@of_microbleeds
def microbleeds_by_match(points):
    """Places of found and missed microbleeds and of false positives, a row for each model.

    ``points`` (DataFrame): as in `microbleeds_by_dataset`, with model, and match ("TP", "FN" or
    "FP") for dataset: of a TP and an FN the annotated place, of an FP the predicted one.
    """
    there = set(points["match"])
    groups = {m: (name, ROLE_COLOURS[m.lower()]) for m, name in MATCHES.items() if m in there}
    models = datasets_in(points["model"], MODEL_NAMES)
    rows = {MODEL_NAMES.get(m, m): points[points["model"] == m] for m in models}
    return _glass_brains(rows, "match", groups)


def _glass_brains(rows: Mapping[str, DataFrame], column: str, groups):
    """A row of views per table, its title and key above it."""
    figure = new_figure(10, ROW_INCHES * len(rows) + 0.3)
    figure.set_layout_engine("none")
    foot, each = 0.3 / figure.get_figheight(), ROW_INCHES / figure.get_figheight()
    titles = with_letters(rows)
    for place, (title, points) in enumerate(zip(titles, rows.values(), strict=True), 1):
        _one_row(figure, foot + each * (len(rows) - place), each, title, points, column, groups)
    left_out = sum(len(points) - len(points.dropna(subset=MNI)) for points in rows.values())
    note = "MNI space; each hemisphere's own microbleeds in its side view."
    add_note(figure, note + (f" {left_out} without a place are left out." if left_out else ""))
    return figure


def _one_row(figure, foot: float, height: float, title: str, points, column: str, groups):
    """One set of markers per group; the largest group first, so that it hides no smaller one."""
    from matplotlib.lines import Line2D
    from nilearn import plotting

    placed = points.dropna(subset=MNI)
    display = plotting.plot_glass_brain(
        None, display_mode="lyrz", figure=figure, axes=(0.0, foot, 1.0, 0.89 * height),
        annotate=False,
    )  # fmt: skip
    display.annotate(positions=False, size=9)
    sizes = placed[column].value_counts()
    for name in sorted(groups, key=lambda name: -sizes.get(name, 0)):
        chosen = placed.loc[placed[column] == name, MNI].to_numpy(float)
        if len(chosen):
            display.add_markers(chosen, marker_color=groups[name][1], marker_size=16, alpha=0.8,
                                edgecolors="black", linewidths=0.4)  # fmt: skip
    keys = [
        Line2D([], [], ls="", marker="o", mec="black", mew=0.4, ms=6, color=colour,
               label=f"{label} (n = {sizes.get(name, 0)})")
        for name, (label, colour) in groups.items()
    ]  # fmt: skip
    top = foot + height
    figure.legend(handles=keys, loc="upper center", ncols=len(keys), bbox_to_anchor=(0.5, top))
    if title:
        figure.text(0.012, top - 0.02 * height, title, ha="left", va="top", fontsize=10)
