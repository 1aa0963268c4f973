"""Tables and figures of notebook 04: the network, its patches, the runs, what it sees."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cmbkit.chapters.training.followed import figure_7_2, figure_a_5
from cmbkit.chapters.training.settings import figure_a_7, settings_of_network
from cmbkit.features.clearest import clearest_in_thin_slices
from cmbkit.params import Network, Parameters, Training
from cmbkit.plotting import curves
from cmbkit.plotting.bars import phase_bars
from cmbkit.plotting.canvas import nothing_to_show
from cmbkit.plotting.cuts import orthogonal_cuts
from cmbkit.plotting.diagrams import network_diagrams, patch_sampling
from cmbkit.plotting.diagrams import workflow as figure_7_1
from cmbkit.plotting.style import MODEL_NAMES
from cmbkit.records import StandardScan
from cmbkit.reporting.layout import Column, heads, laid_out

THESIS_RUNS = {
    ("scratch", "pretrain"): {"epochs_thesis": 197, "days_thesis": 17},
    ("scratch", "finetune"): {"epochs_thesis": 187, "days_thesis": 17},
    ("tl", "pretrain"): {"epochs_thesis": 108, "days_thesis": 8},
    ("tl", "finetune"): {"epochs_thesis": 99, "days_thesis": 8},
}
"""Section 7.2; in the order of Figures A.1 to A.4."""
PUBLISHED_PARAMETERS = 36_302_116
"""Section 6.2.1."""
PHASES = {"pretrain": "pre-training", "finetune": "fine-tuning"}
KEPT_BY = {
    "loss": "validation loss",
    "final": "last epoch",
    "count_f1": "F1 of counts",
    "count_precision": "precision of counts",
    "segmentation_f1": "F1 of segmentation",
    "dice": "Dice",
}
"""What chooses the checkpoint that is kept (`cmbkit.params.Phase.keep`), in words."""
UNTRAINED = "Not trained in this run (training: networks, models)."


def figure_6_1(network: Network, parameters: int) -> Figure:
    """The published network (Figure A.7) and, where it is another, that of this run below it.

    ``parameters``: number of trained weights of ``network``.
    """
    from cmbkit.detector.network.unet import levels

    shown = [("3D U-Net as published", levels(Network()), PUBLISHED_PARAMETERS)]
    if parameters != PUBLISHED_PARAMETERS:
        shown.append(("This run", levels(network), parameters))
    return network_diagrams(shown)


def figure_6_2(standard: StandardScan, params: Parameters) -> Figure:
    """Patches drawn from a training scan, and the tiles of inference.

    Parameters
    ----------
    standard : StandardScan
        Without a CMB, all patches lie anywhere.
    params : Parameters
        Network, training, inference and seed are used.
    """
    from cmbkit.detector.inference.tiles import tile_starts
    from cmbkit.detector.patches.sampling import SampledScan, random_start, start_around

    scan, patch = SampledScan.load(standard), params.network.patch_size
    rng = np.random.default_rng(params.seed)
    share = np.asarray(params.training.class_proportions)
    boxes = []
    for _ in range(params.training.patches_per_scan):
        holds = len(scan.ids) > 0 and rng.random() < share[1] / share.sum()
        if holds:
            start = start_around(scan.centres[rng.integers(len(scan.ids))], patch, rng)
        else:
            start = random_start(scan.image.shape, patch, rng)
        boxes.append((tuple(int(v) for v in start), holds))
    return patch_sampling(
        scan.image.astype(np.float32),
        params.preprocessing.spacing_mm,
        patch,
        boxes,
        tile_starts(scan.image.shape, patch, params.inference.overlap),
        lesions=scan.centres,
    )


def simulated_slices(scans: Iterable[StandardScan]) -> Figure:
    """The clearest CMB of the thinnest slices, in simulated thick slices (Figure S54)."""
    from cmbkit.detector.patches.slice_example import in_thick_slices

    found = clearest_in_thin_slices(scans)
    if found is None:
        return nothing_to_show("No microbleed in the scans of this run.")
    standard, number = found
    image, lesion = standard.image(), standard.lesions().data == number
    background = standard.record()["background_value"]
    cuts = in_thick_slices(image, lesion, background, thicknesses_mm=(2, 4, 6))
    names = {mm: f"{mm:g} mm slices" if mm else "As scanned" for mm in cuts}
    rows = [(names[mm], image, {"annotated": mask}) for mm, (image, mask) in cuts.items()]
    middle = [n // 2 for n in rows[0][1].shape]
    return orthogonal_cuts(rows, float(image.spacing[0]), centre=middle)


def data_of_phases(scans: pd.DataFrame, training: Training) -> pd.DataFrame:
    """Scans, patients and CMBs of each dataset in each phase.

    Parameters
    ----------
    scans : DataFrame
        One row per scan: dataset, patient, split, n_cmb.
    training : Training
        Names the datasets of both phases of training.
    """
    train = scans[scans["split"] == "train"]
    phases = {
        "pre-training": train[train["dataset"].isin(training.pretrain.datasets)],
        "fine-tuning": train[train["dataset"].isin(training.finetune.datasets)],
        "validation": scans[scans["split"] == "valid"],
        "test": scans[scans["split"] == "test"],
    }
    counts = {
        "n_scans": ("n_cmb", "size"),
        "n_patients": ("patient", "nunique"),
        "n_cmb": ("n_cmb", "sum"),
    }
    parts = {name: part.groupby("dataset").agg(**counts) for name, part in phases.items()}
    table = pd.concat(parts, names=["phase"])
    columns = heads("phase", "dataset", n_scans="Scans", n_patients="Patients", n_cmb="CMBs")
    return laid_out(table.reset_index(), columns)


def figure_a_6(table: pd.DataFrame) -> Figure:
    """`data_of_phases` as bars."""
    titles = {"n_scans": "Scans", "n_patients": "Patients", "n_cmb": "CMBs"}
    return phase_bars(table, titles)


def runs(
    histories: Mapping[tuple[str, str], pd.DataFrame],
    kept_by: Mapping[tuple[str, str], str],
    false_alarms: Mapping[tuple[str, str], int],
    given: Mapping[str, str],
) -> pd.DataFrame:
    """One row per training run, beside the thesis's epochs and days (Table S7, section 7.2).

    Parameters
    ----------
    histories : mapping of (model, phase) to DataFrame
        One row per epoch: step, seconds, val_loss and further measures.
    kept_by : mapping of (model, phase) to str
        What chose the checkpoint (`cmbkit.params.Phase.keep`).
    false_alarms : mapping of (model, phase) to int
        Places where a network was wrong that patches were drawn from; shown where there are any.
    given : mapping of name to str
        What networks that are not trained here were trained on.
    """
    from cmbkit.detector.training.phase import kept_epoch

    rows = []
    for run, history in histories.items():
        keep = kept_by[run]
        measure = {"loss": "val_loss", "final": "val_loss"}.get(keep, keep)
        rows.append(
            {
                "model": run[0],
                "phase": run[1],
                "epochs": len(history),
                "gradient_steps": int(history["step"].max()),
                "minutes": history["seconds"].sum() / 60,
                "false_alarms": false_alarms[run],
                "kept_by": keep,
                "best_value": history.loc[kept_epoch(history, keep), measure],
                **THESIS_RUNS[run],
            }
        )
    columns = [
        Column("model", "Model", names=MODEL_NAMES),
        Column("phase", "Phase", names=PHASES),
        *heads("epochs", gradient_steps="Gradient steps"),
        Column("minutes", "Minutes", 1),
        Column("days_thesis", "Days (thesis)"),
        *(heads(false_alarms="False alarms sought") if any(false_alarms.values()) else []),
        Column("kept_by", "Kept by", names=KEPT_BY),
        Column("best_value", "Best value"),
    ]
    told = "; ".join(f"{name} (trained on {data})" for name, data in given.items())
    note = f"Nothing is trained in this run; its networks are given: {told}." if given else ""
    table = pd.DataFrame(rows, columns=None if rows else [column.key for column in columns])
    return laid_out(table, columns, note=note)


def losses(
    histories: Mapping[tuple[str, str], pd.DataFrame],
    step_losses: Mapping[tuple[str, str], pd.DataFrame],
) -> pd.DataFrame:
    """Losses of training runs in one table, as `figure_a_1` draws them.

    ``histories`` and ``step_losses`` by (model, phase): one row per epoch (epoch, step, train_loss,
    val_loss), and per gradient step (step, train_loss).

    Columns: model, phase, step, epoch (missing but at an epoch's end), train_loss (of a step, at an
    epoch's end its mean), val_loss.
    """
    epochs = {run: h[["step", "epoch", "train_loss", "val_loss"]] for run, h in histories.items()}
    parts = [
        part.assign(model=run[0], phase=run[1])
        for run, history in epochs.items()
        for part in (history, step_losses[run].assign(epoch=pd.NA, val_loss=np.nan))
        if len(part)
    ]
    columns = ["model", "phase", "step", "epoch", "train_loss", "val_loss"]
    table = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
    return table[columns].astype({"epoch": "Int64"}).reset_index(drop=True)


def figure_a_1(table: pd.DataFrame) -> Figure:
    """The thesis's four training runs (its Figures A.1 to A.4), a panel for each.

    ``table``: of `losses`; a run that is missing has an empty panel.
    """
    found = dict(list(table.groupby(["model", "phase"])))
    shown = {
        f"A.{n}: {MODEL_NAMES[run[0]]}, {PHASES[run[1]]}": _by_epoch_and_step(found.get(run))
        for n, run in enumerate(THESIS_RUNS, 1)
    }
    return curves.loss_curves(shown)


def _by_epoch_and_step(part: pd.DataFrame | None) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    if part is None:
        return None
    ends = part["epoch"].notna()
    return part[ends], part[~ends]


def figure_7_3(history: pd.DataFrame | None, title: str) -> Figure:
    """Record of a training run; None: there is no such run."""
    if history is None:
        return nothing_to_show(f"{title}. {UNTRAINED}")
    return curves.training_record(history, title)


def transferred(report: pd.DataFrame) -> pd.DataFrame:
    """Tensors of the source network that changed, and how many were carried whole (Table S8).

    ``report``: tensor, source_shape, target_shape, action, parameters
    (`cmbkit.detector.network.transfer.carry_weights`); empty where no weights are carried.
    """
    carried = report["action"] == "carried"
    whole = {
        "tensor": "",
        "action": "carried",
        "parameters": report.loc[carried, "parameters"].sum(),
        "n_tensors": carried.sum(),
    }
    parts = [report[~carried].assign(n_tensors=1), pd.DataFrame([whole])]
    table = pd.concat(parts) if len(report) else report.assign(n_tensors=0)
    columns = [
        Column("tensor", "Tensor", names={"": "all others"}),
        *heads(n_tensors="Tensors", source_shape="Shape in the source", target_shape="Shape here"),
        Column("action", "Action", names={"carried": "kept"}),
        Column("parameters", "Parameters"),
    ]
    note = "" if len(report) else f"TL. {UNTRAINED}"
    return laid_out(table.reset_index(drop=True), columns, note=note)
