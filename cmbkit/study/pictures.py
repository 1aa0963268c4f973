"""Figures of chapters 7 and 8 that need predictions beside images."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cmbkit.plotting import cuts, render_panels
from cmbkit.plotting.canvas import new_figure, nothing_to_show
from cmbkit.plotting.style import MODEL_NAMES
from cmbkit.study import examples
from cmbkit.study.scan_results import predicted_file
from cmbkit.volume import Volume


def comparison(study, models=("scratch", "tl")) -> Figure:
    """Figure 7.5: one annotated CMB and what each model outlined, with Dice and acquisition."""
    match = examples.model_comparison(study, models)
    if match is None:
        return nothing_to_show("No microbleed was found by both models in this run.")
    rows = examples.patch_rows(study, match.uid, examples.centre_of_match(study, match), models)
    spacing = study.params.preprocessing.spacing_mm
    matches = study.results.matches
    same = matches[(matches["uid"] == match.uid) & (matches["gt_id"] == match.gt_id)]
    dice = same.set_index("model")["dice"]
    size = study.cohort.features.query("uid == @match.uid and id == @match.gt_id").iloc[0]
    told = ", ".join(f"{MODEL_NAMES.get(model, model)} {dice[model]:.2f}" for model in models)
    title = (
        f"{match.uid} ({_acquired(study, match.uid)})\n{size['region']}, "
        f"{int(size['n_voxels'])} voxels annotated; Dice: {told}"
    )
    return cuts.orthogonal_cuts(rows, spacing, centre=_middle(rows), title=title)


def _acquired(study, uid: str) -> str:
    """Sequence and voxel size of a scan as delivered."""
    scan = study.cohort.by_uid[uid].scan
    size = " x ".join(f"{mm:.2g}" for mm in scan.acquisition.in_plane_mm)
    return f"{scan.sequence}, {size} mm pixels, {scan.acquisition.slice_thickness_mm:.2g} mm slices"


def match_cuts(study, match: str, dataset: str, model: str = "scratch") -> Figure:
    """Figures 8.1 and 8.2: examples of false positives (``"FP"``) or misses (``"FN"``)."""
    chosen = examples.match_examples(study, match, model, dataset)
    if not chosen:
        return nothing_to_show(f"No {match} of {model} in this run.")
    shown = []
    for number, row in enumerate(chosen, 1):
        rows = examples.patch_rows(study, row.uid, examples.centre_of_match(study, row), [model])
        title = f"{number}: {row.uid}"
        if np.isfinite(row.score):
            title += f", probability {row.score:.2f}"
        elif np.isfinite(row.inv_elongation):
            title += f", InvElongation {row.inv_elongation:.2f}"
        title += f"\n{_acquired(study, row.uid)}"
        shown.append((title, rows, _middle(rows)))
    return cuts.cut_examples(shown, study.params.preprocessing.spacing_mm)


def pairs(study, dataset: str, model: str = "scratch") -> Figure:
    """Figure 8.3: annotated CMBs and their predictions in 3D, blanks where missed."""
    found = examples.paired_shapes(study, model, dataset)
    if not found:
        return nothing_to_show(f"No annotated microbleed of {dataset} in this run.")
    return render_panels.render_pairs(found)


def _middle(rows) -> tuple[int, int, int]:
    return tuple(size // 2 for size in rows[0][1].shape)


def comparison_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Table 8.4 as `comparison_bars` takes it: numbers without their intervals."""
    names = {"Precision": "precision", "Recall": "recall", "F1": "f1", "FP per scan": "fp_per_scan"}
    rows = table.rename(columns={**names, "Method": "method", "Data": "data"})
    for name in names.values():
        text = rows[name].astype(str).str.extract(r"^([0-9.]+)")[0]
        rows[name] = pd.to_numeric(text)
    own = rows["method"].str.startswith("this run")
    return rows.assign(own=own)[["method", "data", *names.values(), "own"]]


def real_scan(study, model: str = "scratch", slices: int = 6) -> Figure:
    """The real scan with implants: axial slices through each, implants and candidates outlined."""
    standard = study.real.standard("implanted")
    folder = study.results.predict(model, standard)
    file = predicted_file(folder, standard, "desc-cmbpred_dseg.nii.gz")
    image, truth = standard.image(), standard.lesions().data
    predicted = Volume.read(file, "uint16").data
    lesions = standard.microbleeds().sort_values("id").head(slices)
    implanted_mm = study.real.implanted["radius_mm"].to_numpy()
    figure = new_figure(9, 6.4)
    axes = figure.subplots(2, int(np.ceil(len(lesions) / 2)), squeeze=False).ravel()
    window = np.percentile(image.data[standard.brain().data > 0], [0.5, 99.5])
    for panel, lesion in zip(axes, lesions.itertuples(), strict=False):
        centre = np.rint(image.to_voxels([lesion.x_mm, lesion.y_mm, lesion.z_mm])).astype(int)
        shared = {"window": window, "letters": False}
        spacing = image.spacing
        cuts.show_cut(
            panel, image.data, truth, spacing, "axial", centre, colour="#E69F00", **shared
        )
        mask = cuts.take_cut(predicted > 0, "axial", centre[2])
        cuts.draw_outline(panel, mask, spacing[:2], "#56B4E9")
        true = implanted_mm[lesion.id - 1]  # points become labels 1, 2, ... in their order
        panel.set_title(f"radius {true:.1f} mm, refined {lesion.radius_mm:.1f} mm", fontsize=9)
    for panel in axes[len(lesions) :]:
        panel.axis("off")
    figure.suptitle(
        "Real scan; orange: implanted, blue: candidates. The network has seen phantoms only.",
        fontsize=9,
    )
    return figure
