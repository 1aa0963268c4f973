"""What notebook 02 shows of preprocessing: settings that won, counts, changes, methods."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cmbkit.plotting.canvas import new_figure
from cmbkit.plotting.style import OKABE_ITO
from cmbkit.study.pictures import nothing_to_show
from cmbkit.volume import Volume

STEPS = ("refined", "resampled", "pruned", "final")
KINDS = (
    (r"^one of .* split from", "refinement", True),
    (r"^outside the brain mask", "refinement", False),
    (r"^grown to", "refinement", False),
    (r" at refinement\b", "refinement", True),
    (r" at resampling\b", "resampling", True),
    (r"^its centre voxel marked", "resampling", True),
    (r"^no component within|^\d+ of \d+ components pruned| at pruning\b", "pruning", True),
    (r"^closing added", "closing", False),
    (r" at closing\b", "closing", True),
)
"""What a remark of preprocessing looks like, the step that made it, whether a count changed."""
_APART = re.compile(r"; (?=lost|fragmented|reduced|merged|parted)")


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


def remarks(study) -> pd.DataFrame:
    """One row per CMB and step that left a remark.

    Returns
    -------
    DataFrame
        uid, dataset, CMB (label), step ("refinement", "resampling", "pruning" or "closing"),
        reason, counts (whether the number of CMBs or of their connected pieces changed, rather
        than their shape).
    """
    rows = []
    for standard in study.cohort.standard:
        scan = standard.scan
        for label, notes in standard.record()["changes"].items():
            for reason in (part for note in notes for part in _APART.split(note)):
                step, counts = _kind(reason)
                rows.append((scan.uid, scan.dataset, int(label), step, reason, counts))
    return pd.DataFrame(rows, columns=["uid", "dataset", "CMB", "step", "reason", "counts"])


def _kind(reason: str) -> tuple[str, bool]:
    found = [(step, counts) for pattern, step, counts in KINDS if re.search(pattern, reason)]
    if not found:
        raise ValueError(f"remark of preprocessing: expected a known one, found {reason!r}")
    return found[0]


def changes(study) -> pd.DataFrame:
    """CMBs and scans by dataset, step and kind of remark, with numbers left out."""
    table = remarks(study)
    table["reason"] = table["reason"].str.replace(r"\d+(\.\d+)?", "n", regex=True)
    table["reason"] = table["reason"].str.replace(r"n(, n)+", "n", regex=True)
    grouped = table.groupby(["dataset", "step", "reason"], sort=True)
    result = grouped.agg(scans=("uid", "nunique"), CMBs=("uid", "size"))
    return result.reset_index()


def count_changes(study) -> pd.DataFrame:
    """Every CMB whose count a step changed: uid, CMB, step, reason.

    Counted are labels and connected pieces: split, lost and marked again, fragmented, merged,
    parted, pruned. One row that says so where no step changed any count.
    """
    table = remarks(study)
    table = table.loc[table["counts"], ["uid", "CMB", "step", "reason"]]
    if len(table):
        return table.reset_index(drop=True)
    nothing = {"uid": "all scans", "CMB": "-", "step": "all", "reason": "no count changed"}
    return pd.DataFrame([nothing])


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
    figure = new_figure(8.5, 3.6)
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
        panel.set_yscale("symlog", linthresh=10)
    keys = panels["absolute"].get_legend_handles_labels()
    figure.legend(*keys, loc="outside lower center", ncols=2)
    figure.suptitle(f"{standard.scan.uid}, first annotated point; rings: tolerance picked")
    return figure


def _first_of_kind(study, kind: str):
    of_kind = (s for s in study.cohort.standard if s.scan.annotation.kind == kind)
    return next((s for s in of_kind if len(s.microbleeds())), None)
