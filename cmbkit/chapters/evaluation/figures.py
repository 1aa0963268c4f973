"""Figures 7.4 and 7.5, and the real scan with implanted microbleeds (Figure S56, a view)."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cmbkit.boxes import bounding_box
from cmbkit.chapters.crops import acquired, centre_of_label, middle, rows_around
from cmbkit.chapters.detection import MODELS, in_order
from cmbkit.evaluation.agreement import bland_altman
from cmbkit.evaluation.curves import froc
from cmbkit.plotting import cuts
from cmbkit.plotting.associations import counts_against_counts
from cmbkit.plotting.canvas import nothing_to_show
from cmbkit.plotting.curves import froc_curves
from cmbkit.plotting.distributions import half_violins
from cmbkit.plotting.overlays import interactive_view
from cmbkit.plotting.style import MODEL_NAMES
from cmbkit.preprocessing.grid import crop, resample_labels, resample_linear, standard_grid
from cmbkit.records import StandardScan
from cmbkit.volume import Volume


def figure_7_4(scans: pd.DataFrame) -> Figure:
    """Precision, recall and F1 of the scans, one half of a violin for each of two models."""
    return half_violins(scans, list(in_order(scans, model=MODELS)["model"].unique()))


def largest_difference(matches: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """The CMB that all models found with the largest difference in Dice: a row per model.

    One on T2* in slices of 3 mm and more, as the thesis's, where there is any. Of one model, the
    CMB with the lowest Dice. ``matches`` is the table of `evaluation.match_table`; no rows if there
    is no such CMB.
    """
    found = matches[(matches["match"] == "TP") & matches["model"].isin(models)]
    thick = (found["sequence"] == "T2S") & (found["slice_thickness_mm"] >= 3)
    for part in (found[thick], found):
        wide = part.pivot_table(index=["uid", "gt_id"], columns="model", values="dice").dropna()
        if len(wide) and len(wide.columns) == len(models):
            break
    else:
        return found.iloc[:0]
    spread = wide.max(axis=1) - wide.min(axis=1) if len(models) > 1 else -wide[models[0]]
    uid, gt_id = spread.idxmax()
    return in_order(found[(found["uid"] == uid) & (found["gt_id"] == gt_id)], model=models)


def figure_7_5(
    rows: pd.DataFrame,
    scans: Mapping[str, StandardScan],
    candidates: Callable[[str, StandardScan], Volume],
) -> Figure:
    """One annotated CMB and what each model outlined, with Dice and acquisition."""
    if rows.empty:
        return nothing_to_show("No microbleed was found by every model in this run.")
    found, standard = rows.iloc[0], scans[rows["uid"].iloc[0]]
    centre = centre_of_label(standard.lesions(), found["gt_id"])
    outlines = {model: candidates(model, standard) for model in rows["model"]}
    crops = rows_around(standard, centre, outlines)
    dice = zip(rows["model"], rows["dice"], strict=True)
    told = ", ".join(f"{MODEL_NAMES.get(model, model)} {value:.2f}" for model, value in dice)
    title = (
        f"{found['uid']} ({acquired(standard.scan)})\n{found['gt_region']}, "
        f"{int(found['gt_n_voxels'])} voxels annotated; Dice: {told}"
    )
    spacing = standard.image().spacing
    return cuts.orthogonal_cuts(crops, spacing, centre=middle(crops), title=title)


def figure_s64(calls: pd.DataFrame, scans: pd.DataFrame) -> Figure:
    """Free-response curves of the models on all scans (``calls``, ``scans``: `table_s41`)."""
    if not scans["n_gt"].any():
        return nothing_to_show("No microbleed in the scans of this run.")
    n_scans = in_order(scans, model=MODELS).groupby("model", sort=False)["uid"].nunique()
    return froc_curves({m: froc(calls[calls["model"] == m], n) for m, n in n_scans.items()})


def figure_s66(scans: pd.DataFrame) -> Figure:
    """Predicted (``n_pred``) against annotated (``n_gt``) CMBs of scans, and how far they agree."""
    limits = bland_altman(scans["n_gt"], scans["n_pred"])
    return counts_against_counts(scans, {name: float(v[0]) for name, v in limits.items()})


def figure_s56(
    standard: StandardScan, candidates: Volume, implanted: pd.DataFrame, slices: int = 6
) -> Figure:
    """The real scan: axial slices through its implants, implants and candidates outlined.

    Parameters
    ----------
    standard : StandardScan
        With the implants as its annotation.
    candidates : Volume
        Instance labels of what a model found in it.
    implanted : DataFrame
        radius_mm of the implants in the order of their labels.
    """
    image, truth = standard.image(), standard.lesions().data
    lesions = standard.microbleeds().sort_values("id").head(slices)
    window = cuts.window_of(image.data[standard.brain().data > 0])
    panels = []
    for lesion in lesions.itertuples():
        centre = np.rint(image.to_voxels([lesion.x_mm, lesion.y_mm, lesion.z_mm])).astype(int)
        true = implanted["radius_mm"].iloc[lesion.id - 1]  # points become labels 1, 2, ...
        title = f"radius {true:.1f} mm,\nrefined {lesion.radius_mm:.1f} mm"
        outlines = {"annotated": truth == lesion.id, "predicted": candidates.data}
        panels.append((title, image, outlines, centre))
    note = "Real scan; yellow: implanted, blue: candidates. The network has seen phantoms only."
    return cuts.axial_panels(panels, window, note)


def real_scan_view(standard: StandardScan, spacing_mm: float = 2.0):
    """The real scan, whose annotation is the implants, to page through, its implants in colour.

    Shown are voxels of ``spacing_mm`` of the brain's box alone: the page holds all of them (0.4 MB
    at 2 mm).
    """
    box = bounding_box(standard.brain().data)
    image, lesions = crop(standard.image(), box), crop(standard.lesions(), box)
    cells = standard_grid(image, spacing_mm)
    coarse = resample_linear(image, *cells, fill=float(image.data.min()))
    low, high = cuts.window_of(coarse.data)
    grey = np.clip((coarse.data - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return interactive_view(coarse.with_data(grey), resample_labels(lesions, *cells))
