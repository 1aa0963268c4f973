"""Figures 8.1 to 8.3: examples of false positives, misses and pairs; Figure S62."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cmbkit.boxes import bounding_box
from cmbkit.chapters.crops import acquired, centre_of_label, middle, rows_around
from cmbkit.chapters.subgroup_analysis.supplement import LEFT_OUT, VARIED
from cmbkit.plotting import cuts
from cmbkit.plotting.canvas import nothing_to_show
from cmbkit.plotting.curves import thickness_curves
from cmbkit.plotting.glass_brain import MNI
from cmbkit.plotting.renders import evenly_by_size, render_pairs
from cmbkit.records import StandardScan
from cmbkit.volume import Volume

Candidates = Callable[[str, StandardScan], Volume]
"""Instance labels that a model found in a scan."""


def examples(
    matches: pd.DataFrame, match: str, dataset: str, *, model: str, count: int = 2
) -> pd.DataFrame:
    """Matches of one kind to look at: false positives of highest score, longest misses.

    Masks one voxel wide (inverse elongation 0), whose length the grid makes, come last.

    Parameters
    ----------
    match : {"FP", "FN", "TP"}
    dataset : str
        Preferred; where it has none of the kind, all datasets are looked through.
    """
    chosen = matches[(matches["match"] == match) & (matches["model"] == model)]
    preferred = chosen[chosen["dataset"] == dataset]
    chosen = preferred if len(preferred) else chosen
    order = ["score", "flat", "gt_inv_elongation", "uid", "gt_id"]
    ranked = chosen.assign(flat=chosen["gt_inv_elongation"] == 0)
    ranked = ranked.sort_values(order, ascending=[False, *[True] * 4])
    return ranked.drop(columns="flat").head(count)


def figure_8_1(
    rows: pd.DataFrame, scans: Mapping[str, StandardScan], candidates: Candidates
) -> Figure:
    """False positives with what is around them."""
    return _cuts(rows, scans, candidates, "No false positive in this run.")


def figure_8_2(
    rows: pd.DataFrame, scans: Mapping[str, StandardScan], candidates: Candidates
) -> Figure:
    """Missed CMBs with what is around them (parameters as in `figure_8_1`)."""
    return _cuts(rows, scans, candidates, "No missed microbleed in this run.")


def _cuts(rows: pd.DataFrame, scans, candidates: Candidates, otherwise: str) -> Figure:
    if rows.empty:
        return nothing_to_show(otherwise)
    shown = []
    for row in rows.itertuples():
        standard = scans[row.uid]
        predicted = candidates(row.model, standard)
        annotated = np.isfinite(row.gt_id)
        labels, label = (standard.lesions(), row.gt_id) if annotated else (predicted, row.pred_id)
        crops = rows_around(standard, centre_of_label(labels, label), {row.model: predicted})
        title = row.uid
        if np.isfinite(row.probability):
            title += f", probability {row.probability:.2f}"
        elif np.isfinite(row.score):
            title += f", score {row.score:.1f}"
        elif np.isfinite(row.gt_inv_elongation):
            title += f", inverse elongation {row.gt_inv_elongation:.2f}"
        shown.append((f"{title}\n{acquired(standard.scan)}", crops, middle(crops)))
    return cuts.cut_examples(shown, standard.image().spacing)


def found_and_missed(
    matches: pd.DataFrame, dataset: str, *, model: str, count: int = 16
) -> pd.DataFrame:
    """As many found as missed CMBs of a dataset, each half spread over size.

    ``dataset``: preferred; where it has no CMB, all are looked through. ``count``: at most so many
    in all; where there are too few of one kind, all of them and as many of the other.

    Returns
    -------
    DataFrame
        Rows of ``matches`` by increasing radius.
    """
    own = matches[(matches["model"] == model) & matches["gt_id"].notna()]
    preferred = own[own["dataset"] == dataset]
    own = preferred if len(preferred) else own
    return own.iloc[balanced(own["gt_radius_mm"], own["match"] == "TP", count)]


def balanced(radii, found, count: int) -> list[int]:
    """Positions, by radius, of equally many found and missed CMBs, each half spread over size.

    At most ``count`` in all. Where no CMB is of one kind, all are of the other.
    """
    radii, found = np.asarray(radii, float), np.asarray(found, bool)
    kinds = [where for where in (np.flatnonzero(found), np.flatnonzero(~found)) if len(where)]
    each = min(count // len(kinds), *(len(where) for where in kinds)) if kinds else 0
    chosen = [int(w[i]) for w in kinds for i in evenly_by_size(radii[w], each)]
    return sorted(chosen, key=lambda i: (radii[i], i))


def figure_8_3(
    rows: pd.DataFrame, scans: Mapping[str, StandardScan], candidates: Candidates
) -> Figure:
    """Annotated CMBs and their predictions in 3D, blanks where missed.

    ``rows`` come from `found_and_missed`; other parameters as in `figure_8_1`.
    """
    if rows.empty:
        return nothing_to_show("No annotated microbleed in this run.")
    pairs = [_pair(row, scans[row.uid], candidates) for row in rows.itertuples()]
    return render_pairs(pairs)


def _pair(row, standard: StandardScan, candidates: Candidates) -> tuple:
    """(annotated, predicted or None, spacing in mm, radius in mm), both masks in one box."""
    lesions = standard.lesions()
    masks = [lesions.data == row.gt_id]
    if row.match == "TP":
        masks.append(candidates(row.model, standard).data == row.pred_id)
    box = bounding_box(*masks)
    truth, predicted = ([np.pad(mask[box], 1) for mask in masks] + [None])[:2]
    return truth, predicted, float(lesions.spacing[0]), row.gt_radius_mm


def figure_s62(curves: pd.DataFrame) -> Figure:
    """Recall and false positives by slice thickness (see `slice_experiment.curves`)."""
    if curves.empty:
        return nothing_to_show(LEFT_OUT)
    shown = {name: title for name, title in VARIED.items() if name in set(curves["factor"])}
    return thickness_curves(curves, shown)


def places_in_mni(matches: pd.DataFrame) -> pd.DataFrame:
    """Where each TP, FN and FP lies in MNI space: the annotated CMB, of an FP the candidate.

    Columns: model, dataset, uid, match, gt_id, pred_id; x_mni, y_mni, z_mni in mm, NaN where no
    registration is stored.
    """
    places = matches[["model", "dataset", "uid", "match", "gt_id", "pred_id"]].copy()
    for name in MNI:
        places[name] = matches[f"gt_{name}"].fillna(matches[f"pred_{name}"])
    return places
