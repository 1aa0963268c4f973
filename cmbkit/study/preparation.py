"""What notebook 02 shows of preprocessing: settings that won, counts, changes, methods."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cmbkit.reporting.canvas import new_figure
from cmbkit.reporting.cuts import draw_outline
from cmbkit.reporting.figures_slices import show_slice
from cmbkit.reporting.style import DATASET_COLOURS, OKABE_ITO
from cmbkit.study import examples
from cmbkit.study.pictures import nothing_to_show
from cmbkit.volume import Volume

STEPS = ("refined", "resampled", "pruned", "final")


def refinement_summary(study) -> pd.DataFrame:
    """One row per dataset and winning setting of region growing, with the radii it gave."""
    grown = study.cohort.microbleeds.dropna(subset=["tolerance"])
    keys = ["dataset", "connectivity", "reference", "difference"]
    rows = grown.groupby(keys).agg(
        scans=("uid", "nunique"),
        CMBs=("id", "size"),
        elbow_found=("elbow", lambda values: int(values.astype(bool).sum())),
        native_radius_mm=("native_radius_mm", "mean"),
        radius_mm=("radius_mm", "mean"),
    )
    return rows.reset_index()


def records(study) -> pd.DataFrame:
    """One row per scan: counts at each step and methods used."""
    rows = []
    for standard in study.cohort.standard:
        record = standard.record()
        row = {"uid": record["uid"], "dataset": record["dataset"], **record["counts"]}
        row |= {"annotated": record["annotated"], "collapsed": record["components"]["final"]}
        rows.append({**row, **record["methods"], "replaced_voxels": record["replaced_voxels"]})
    return pd.DataFrame(rows)


def counts(study) -> pd.DataFrame:
    """CMBs by dataset after each step.

    ``annotated`` are raters' marks (a scribble may cover several CMBs); ``recovered`` were lost
    between voxels and re-marked; ``collapsed`` are the 6-connected components that remain when
    all labels become one binary mask, as the thesis counted.
    """
    columns = ["annotated", *STEPS, "collapsed"]
    table = records(study).groupby("dataset")[columns].sum().reset_index()
    return table.assign(recovered=table["final"] - table["resampled"])


def changes(study) -> pd.DataFrame:
    """One row per CMB that a step changed, and what happened to it."""
    rows = []
    for standard in study.cohort.standard:
        for label, reasons in standard.record()["changes"].items():
            rows.append({"uid": standard.scan.uid, "CMB": int(label), "change": "; ".join(reasons)})
    table = pd.DataFrame(rows, columns=["uid", "CMB", "change"])
    kinds = table["change"].str.replace(r"\d+(\.\d+)?", "n", regex=True)
    table = table.assign(dataset=table["uid"].str.split("-").str[0], change=kinds)
    grouped = table.groupby(["dataset", "change"]).agg(
        CMBs=("CMB", "size"), scans=("uid", "nunique")
    )
    return grouped.reset_index()


def methods(study) -> pd.DataFrame:
    """Which brain mask and parcellation ran, and how many scans had values replaced."""
    table = records(study)
    table["with NaN"] = table["replaced_voxels"] > 0
    grouped = table.groupby(["dataset", "brain_mask", "parcellation"])
    return grouped.agg(scans=("uid", "size"), with_nan=("with NaN", "sum")).reset_index()


def growth_figure(study) -> Figure:
    """Size of the grown region against the tolerance, for every setting of one scan's first CMB."""
    from cmbkit.preprocessing.intensities import fill_nan
    from cmbkit.preprocessing.region_growing import grow_each_setting

    standard = _first_of_kind(study, "points")
    if standard is None:
        return nothing_to_show("No microbleed of this run was annotated by a point.")
    image, _ = fill_nan(Volume.read(standard.scan.image))
    seeds = [standard.scan.annotation.points[0]]
    figure = new_figure(8.5, 3.2)
    panels = dict(zip(("absolute", "relative"), figure.subplots(1, 2), strict=True))
    colours = {"parent": OKABE_ITO["blue"], "running": OKABE_ITO["vermilion"]}
    for (growth,) in grow_each_setting(image, seeds, study.params.preprocessing):
        setting = growth.setting
        panel = panels[setting.difference]
        colour = colours[setting.reference]
        style = "-" if setting.connectivity == 6 else "--"
        label = f"{setting.reference}, {setting.connectivity} neighbours"
        panel.step(growth.tolerances, growth.sizes, style, color=colour, label=label, where="post")
        picked = np.interp(growth.tolerance, growth.tolerances, growth.sizes)
        panel.plot(growth.tolerance, picked, "o", color=colour, fillstyle="none")
    for difference, panel in panels.items():
        unit = "image units" if difference == "absolute" else "%"
        panel.set_xlabel(f"tolerance ({difference}, {unit})")
        panel.set_ylabel("voxels added to the seed")
    keys = panels["absolute"].get_legend_handles_labels()
    figure.legend(*keys, loc="outside lower center", ncols=4)
    figure.suptitle(f"{standard.scan.uid}, first annotated point; rings: tolerance picked")
    return figure


def _first_of_kind(study, kind: str):
    of_kind = (s for s in study.cohort.standard if s.scan.annotation.kind == kind)
    return next((s for s in of_kind if len(s.microbleeds())), None)


def before_after(study, size_mm: float = 40.0) -> Figure:
    """Raw marks on the raw slice, and the refined CMB on the standard grid, by annotation kind."""
    found = {kind: _first_of_kind(study, kind) for kind in ("mask", "points", "scribbles")}
    found = {kind: standard for kind, standard in found.items() if standard}
    figure = new_figure(2.6 * len(found) + 1.0, 5.6)
    panels = figure.subplots(2, len(found), squeeze=False)
    for column, (kind, standard) in enumerate(found.items()):
        _raw_panel(panels[0, column], kind, standard, size_mm)
        _standard_panel(panels[1, column], standard, size_mm)
    return figure


def _raw_panel(axes, kind, standard, size_mm):
    scan = standard.scan
    image = Volume.read(scan.image)
    marks = np.zeros(image.shape, np.uint16)
    if scan.annotation.mask_path:
        marks = Volume.read(scan.annotation.mask_path, "uint16").data
    for point in scan.annotation.points:
        marks[point] = 1
    place = examples.largest_microbleed(standard)[examples.PLACE].to_numpy(float)
    raw, marked = image.reoriented("RAS"), image.with_data(marks).reoriented("RAS")
    crop, extent = examples.axial_crop(raw, place, size_mm)
    outline, _ = examples.axial_crop(marked, place, size_mm)
    show_slice(axes, crop, extent)
    draw_outline(
        axes, outline > 0, raw.spacing[:2], DATASET_COLOURS.get(scan.dataset, OKABE_ITO["black"])
    )
    spacing = " x ".join(f"{s:.2g}" for s in raw.spacing)
    axes.set_title(f"{scan.uid}: {kind}\nraw, {spacing} mm")


def _standard_panel(axes, standard, size_mm):
    image, lesions = standard.image(), standard.lesions()
    place = examples.largest_microbleed(standard)[examples.PLACE].to_numpy(float)
    crop, extent = examples.axial_crop(image, place, size_mm)
    outline, _ = examples.axial_crop(lesions, place, size_mm)
    show_slice(axes, crop, extent)
    colour = DATASET_COLOURS.get(standard.scan.dataset, OKABE_ITO["black"])
    draw_outline(axes, outline > 0, image.spacing[:2], colour)
    axes.set_title(f"standard grid, {image.spacing[0]:g} mm")
