"""Figures 5.1, S51, S53 and S55."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cmbkit.boxes import bounding_box
from cmbkit.chapters.raw_slices import PLACE, raw_marks
from cmbkit.params import Preprocessing
from cmbkit.plotting.canvas import lettered, new_figure, nothing_to_show
from cmbkit.plotting.cuts import crop_around
from cmbkit.plotting.overlays import brain_mask_and_parcellation
from cmbkit.plotting.renders import evenly_by_size, render_grid
from cmbkit.plotting.stages_of_a_scan import StoryRow, story_figure
from cmbkit.plotting.style import SERIES
from cmbkit.preprocessing.grid import (
    resample_labels,
    resample_linear,
    resample_nearest,
    standard_grid,
)
from cmbkit.preprocessing.intensities import fill_nan
from cmbkit.preprocessing.labels import refine
from cmbkit.records import Scan, StandardScan
from cmbkit.volume import Volume


def figure_s51(standard: Iterable[StandardScan], params: Preprocessing) -> Figure:
    """Size of the grown region against the tolerance, for every setting (Figure S51).

    Shown is the first annotated point of the first scan that has points.
    """
    from cmbkit.preprocessing.region_growing import grow_each_setting

    pointed = (s for s in standard if s.scan.annotation.kind == "points" and len(s.microbleeds()))
    chosen = next(pointed, None)
    if chosen is None:
        return nothing_to_show("No microbleed of this run was annotated by a point.")
    scan = chosen.scan
    image, _ = fill_nan(Volume.read(scan.image))
    figure = new_figure(8.5, 3.6)
    axes = lettered(figure.subplots(1, 2, sharey=True))
    panels = dict(zip(("absolute", "relative"), axes, strict=True))
    looks = {"parent": (SERIES[0], 2.6), "running": (SERIES[1], 1.2)}  # parent may lie beneath
    for (growth,) in grow_each_setting(image, [scan.annotation.points[0]], params):
        setting = growth.setting
        panel = panels[setting.difference]
        colour, width = looks[setting.reference]
        style = "-" if setting.connectivity == 6 else "--"
        label = f"{setting.reference}, {setting.connectivity} neighbours"
        line = {"color": colour, "lw": width, "zorder": 4 - width}
        panel.step(growth.tolerances, growth.sizes, style, label=label, where="post", **line)
        picked = np.interp(growth.tolerance, growth.tolerances, growth.sizes)
        panel.plot(growth.tolerance, picked, "o", color=colour, fillstyle="none")
    for difference, panel in panels.items():
        unit = "image units" if difference == "absolute" else "%"
        panel.set_xlabel(f"Tolerance ({difference}, {unit})")
        panel.set_yscale("symlog", linthresh=10)
        panel.yaxis.set_major_formatter("{x:g}")
    axes[0].set_ylim(0, max(12, axes[0].get_ylim()[1]))
    axes[0].set_ylabel("Voxels added to the seed")
    keys = panels["absolute"].get_legend_handles_labels()
    figure.legend(*keys, loc="outside lower center", ncols=2)
    figure.suptitle(f"{scan.uid}, first annotated point; rings: tolerance picked")
    return figure


def figure_s53(
    table: pd.DataFrame,
    microbleeds: pd.DataFrame,
    standard: Mapping[str, StandardScan],
    params: Preprocessing,
) -> Figure:
    """From the raw slice to the standard grid, one row per dataset (Figure S53).

    ``table``, ``microbleeds``: scan table; one row per annotated CMB.
    """
    return story_figure(story_rows(table, microbleeds, standard, params))


def story_rows(table, microbleeds, standard, params, size_mm: float = 24.0) -> list[StoryRow]:
    """Rows of Figure S53; close views are ``size_mm`` wide. Parameters: those of `figure_s53`."""
    chosen = typical_microbleeds(table, microbleeds).items()
    return [_row(standard[uid], lesion, params, size_mm) for uid, lesion in chosen]


def typical_microbleeds(table: pd.DataFrame, microbleeds: pd.DataFrame) -> dict[str, object]:
    """Per dataset the uid of a scan and the row of its CMB nearest the dataset's median radius.

    The first by uid and id where several are equally near; a dataset without CMBs has its first
    scan and None.
    """
    chosen = {}
    for dataset, scans in table.groupby("dataset", sort=True):
        lesions = microbleeds[microbleeds["dataset"] == dataset].sort_values(["uid", "id"])
        if not len(lesions):
            chosen[min(scans["uid"])] = None
            continue
        away = (lesions["radius_mm"] - lesions["radius_mm"].median()).abs()
        lesion = lesions.loc[away.round(6).idxmin()]
        chosen[lesion["uid"]] = lesion
    return chosen


def _row(standard: StandardScan, lesion, params: Preprocessing, size_mm: float) -> StoryRow:
    scan, grid = standard.scan, standard.image()
    native, _ = fill_nan(Volume.read(scan.image))
    marks = raw_marks(scan.annotation, native).reoriented("RAS")
    refined = _refined_marks(standard, native, params).reoriented("RAS")
    raw = native.reoriented("RAS")
    if lesion is None:
        place = grid.to_mm(np.argwhere(standard.brain().data).mean(axis=0))
    else:
        place = lesion[PLACE].to_numpy(float)
    voxel = np.clip(np.rint(raw.to_voxels(place)).astype(int), 0, np.array(raw.shape) - 1)
    k = _marked_slice(marks, place, voxel[2])
    size = round(size_mm / grid.spacing[0]) // 2 * 2 + 1
    centre = np.rint(grid.to_voxels(place)).astype(int)
    return StoryRow(
        title=_title(scan, raw, lesion),
        raw=raw.data[:, :, k],
        marks=marks.data[:, :, k] > 0,
        refined=refined.data[:, :, k] > 0,
        pixel_mm=tuple(raw.spacing[:2]),
        centre_mm=tuple((raw.to_voxels(place)[:2] + 0.5) * raw.spacing[:2]),
        standard=crop_around(grid.data, centre, size, grid.data.min()),
        lesions=crop_around(standard.lesions().data, centre, size),
        spacing_mm=float(grid.spacing[0]),
        window=tuple(np.percentile(grid.data[standard.brain().data > 0], [1, 99])),
    )


def _refined_marks(standard: StandardScan, image: Volume, params: Preprocessing) -> Volume:
    """Microbleeds after label refinement on the image's own grid.

    Where spheres were drawn on the standard grid (``refinement_grid``), they are brought back to
    the image's grid.
    """
    drawn_later = standard.scan.annotation.kind in ("points", "scribbles")
    if params.refinement_grid == "standard" and drawn_later:
        return resample_labels(standard.lesions(), image.shape, image.affine)
    return refine(standard.scan, image, params)[0]


def _marked_slice(marks: Volume, place, otherwise: int) -> int:
    """Slice of the marked voxel nearest to a place: a mark need not lie in the middle one."""
    voxels = np.argwhere(marks.data)
    if not len(voxels):
        return int(otherwise)
    nearest = np.linalg.norm(marks.to_mm(voxels) - place, axis=1).argmin()
    return int(voxels[nearest, 2])


def _title(scan: Scan, raw: Volume, lesion) -> str:
    lines = [scan.dataset, f"{scan.sequence}, {scan.annotation.kind}"]
    lines += [" x ".join(f"{mm:.2g}" for mm in raw.spacing) + " mm"]
    if lesion is None:
        return "\n".join([*lines, "no CMB"])
    return "\n".join([*lines, f"radius {lesion['radius_mm']:.2f} mm"])


def figure_s55(
    table: pd.DataFrame, standard: Mapping[str, StandardScan], datasets=("DOU", "CRB")
) -> Figure:
    """Brain mask and parcellation over the raw image of one scan per dataset (Figure S55).

    Shown is a dataset's first scan by uid; ``datasets`` that are not in the table are left out;
    without any of them, the first two.
    """
    first = table.groupby("dataset")["uid"].min()
    shown = [standard[first[name]] for name in datasets if name in first]
    shown = shown or [standard[uid] for uid in first.iloc[:2]]
    if not shown:
        return nothing_to_show("No scan in this run.")
    return brain_mask_and_parcellation({_made_by(s): _on_raw_image(s) for s in shown})


def _made_by(standard: StandardScan) -> str:
    methods = standard.record()["methods"]
    made = f"Brain mask: {methods['brain_mask']}; regions: {methods['parcellation']}"
    return f"{standard.scan.uid}, {standard.scan.sequence}\n{made}"


def _on_raw_image(standard: StandardScan, spacing_mm: float = 1.0) -> tuple[Volume, ...]:
    """Raw image, brain mask and parcellation on one grid of that spacing, along the RAS axes."""
    image, _ = fill_nan(Volume.read(standard.scan.image))
    cells = standard_grid(image, spacing_mm)
    shown = resample_linear(image, *cells, fill=float(image.data.min()))
    return shown, *(resample_nearest(v, *cells) for v in (standard.brain(), standard.labels()))


def figure_5_1(
    microbleeds: pd.DataFrame, standard: Mapping[str, StandardScan], columns: int = 10
) -> Figure:
    """Annotated CMBs in 3D, by dataset, spread evenly over size (Figure 5.1).

    ``microbleeds``: one row per annotated CMB: uid, id, dataset, radius_mm; those painted in
    (sMOMENI) are left out.
    """
    rows = {}
    for dataset, lesions in microbleeds[microbleeds["dataset"] != "sMOMENI"].groupby("dataset"):
        chosen = lesions.iloc[evenly_by_size(lesions["radius_mm"].to_numpy(), columns)]
        loaded = {uid: standard[uid].lesions() for uid in set(chosen["uid"])}
        rows[dataset] = [
            (lesion_box(loaded[row.uid].data, row.id), loaded[row.uid].spacing[0], row.radius_mm)
            for row in chosen.itertuples()
        ]
    return render_grid(rows)


def lesion_box(labels: np.ndarray, label: int) -> np.ndarray:
    """Mask of one instance in its bounding box with a rim of empty voxels."""
    mask = labels == label
    return np.pad(mask[bounding_box(mask)], 1)
