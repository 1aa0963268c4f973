"""View S70: one scan of each dataset to look through, with annotation and prediction."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from cmbkit.boxes import bounding_box
from cmbkit.chapters.crops import acquired
from cmbkit.chapters.raw_slices import PLACE
from cmbkit.evaluation.scan import evaluate_scan
from cmbkit.params import Evaluation
from cmbkit.plotting.cuts import window_of
from cmbkit.plotting.style import ROLE_COLOURS
from cmbkit.prediction.viewer import Layer, viewer
from cmbkit.preprocessing.grid import crop
from cmbkit.records import StandardScan
from cmbkit.reporting.layout import Column, heads, laid_out
from cmbkit.volume import Volume

LARGEST = 2_000_000
"""Voxels of a viewer: some 1.1 mm for a whole brain, a page of a few hundred kB."""
SPLITS = {"train": "training", "valid": "validation", "test": "test"}


def view_s70(
    cohort: pd.DataFrame,
    scans: Callable[[str], StandardScan],
    candidates: Callable[[StandardScan], Volume],
    params: Evaluation,
) -> tuple[pd.DataFrame, dict[str, dict]]:
    """Scan with most CMBs of each dataset: its counts, and what its viewer shows.

    Parameters
    ----------
    cohort : DataFrame
        One row per scan: uid, dataset, split, n_cmb. Where a dataset has scans that were not
        trained on, only those are looked at; of equals the first.
    scans : callable
        The scan of a uid.
    candidates : callable
        What a model found in a scan.
    params : Evaluation
        The matching rule.

    Returns
    -------
    table : DataFrame
        dataset, uid, split, sequence; in_plane_mm_low and _high, of both axes; slice_thickness_mm;
        n_gt, n_pred, tp, fp, fn.
    viewers : dict of str to dict
        By dataset, for `cmbkit.reporting.gallery.Gallery.view`.
    """
    seen = cohort[cohort["split"] != "excluded"].assign(trained=cohort["split"] == "train")
    first = seen.sort_values(
        ["dataset", "trained", "n_cmb"], ascending=[True, True, False], kind="stable"
    )
    rows, viewers = [], {}
    for chosen in first.drop_duplicates("dataset").itertuples():
        standard = scans(chosen.uid)
        found, sides = candidates(standard), {}
        who = {"uid": chosen.uid, "dataset": chosen.dataset, "patient": standard.scan.patient}
        matches, row = evaluate_scan(standard.lesions(), found, **who, params=params)
        split = SPLITS.get(chosen.split, chosen.split)
        acquisition = standard.scan.acquisition
        told = {
            "split": split,
            "sequence": standard.scan.sequence,
            "in_plane_mm_low": min(acquisition.in_plane_mm),
            "in_plane_mm_high": max(acquisition.in_plane_mm),
            "slice_thickness_mm": acquisition.slice_thickness_mm,
        }
        rows.append(row | told)
        sides["annotated"] = (standard.lesions(), _told(matches, "gt_id", "found", "missed"))
        sides["predicted"] = (found, _told(matches, "pred_id", "right", "false"))
        about = (
            f"{chosen.uid}, {acquired(standard.scan)}, a {split} scan. Yellow: {row['n_gt']} "
            f"annotated CMBs, {row['tp']} of them found; blue: {row['n_pred']} predicted, "
            f"{row['fp']} of them false."
        )
        viewers[chosen.dataset] = _viewer(standard, sides) | {"about": about}
    counts = heads(n_gt="Annotated", n_pred="Predicted", tp="Found", fn="Missed", fp="False")
    columns = [
        *heads("dataset", uid="Scan", split="Split", sequence="Sequence"),
        Column("in_plane_mm", "Pixels (mm)", 2, shows="range"),
        Column("slice_thickness_mm", "Slices (mm)", 2),
        *counts,
    ]
    shown = ["dataset", "uid", *told, *(column.key for column in counts)]
    table = pd.DataFrame(rows)[shown]
    return laid_out(table, columns), viewers


def _told(matches: pd.DataFrame, ids: str, yes: str, no: str) -> pd.Series:
    """What becomes of each microbleed of one side, by its label."""
    of_side = matches.dropna(subset=[ids])
    return (of_side["match"] == "TP").map({True: yes, False: no}).set_axis(of_side[ids].astype(int))


def _viewer(standard: StandardScan, sides: dict[str, tuple[Volume, pd.Series]]) -> dict:
    """The brain of a scan with the microbleeds of both sides."""
    brain = standard.brain()
    box = bounding_box(brain.data)
    whole = standard.image()
    within = whole.data[brain.data > 0]
    image = crop(whole.with_data(np.where(brain.data > 0, whole.data, within.min())), box)
    layers = []
    for name, (labels, told) in sides.items():
        voxels = np.argwhere(labels.data)
        label = labels.data[tuple(voxels.T)]
        centres = [labels.to_mm(voxels[label == n].mean(axis=0)) for n in told.index]
        table = pd.DataFrame(centres, columns=PLACE).assign(id=told.index, told=told.to_numpy())
        layers.append(Layer(f"{name} microbleed", ROLE_COLOURS[name], crop(labels, box), table))
    return viewer(image, layers, window_of(within), "the standard grid", LARGEST)
