"""What notebook 04 shows of a run's configuration: network, patches, data of each phase."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure


def network(study) -> dict:
    """Configuration of the network as Figure A.7 lists it."""
    return {"name": "UNetApollo3D", **study.params.network.model_dump()}


def patches(study, count: int | None = None) -> dict:
    """Arguments of `patch_sampling` for the first training scan with CMBs (Figure 6.2)."""
    from cmbkit.detector.inference.tiles import tile_starts
    from cmbkit.detector.patches.sampling import SampledScan, random_start, start_around

    params = study.params
    patch = params.network.patch_size
    scans = study.cohort.split("train", datasets=params.training.finetune.datasets)
    scan = SampledScan.load(next(s for s in scans if len(s.microbleeds())))
    rng = np.random.default_rng(params.seed)
    share = np.asarray(params.training.class_proportions)
    boxes = []
    for _ in range(count or params.training.patches_per_scan):
        holds = rng.random() < share[1] / share.sum()
        if holds:
            start = start_around(scan.centres[rng.integers(len(scan.ids))], patch, rng)
        else:
            start = random_start(scan.image.shape, patch, rng)
        boxes.append((tuple(int(v) for v in start), holds))
    tile = params.inference.tile_size or patch
    middle = round(scan.centres[:, 2].mean())
    return {
        "shape": scan.image.shape,
        "patch": patch,
        "train_boxes": boxes,
        "tile_starts": tile_starts(scan.image.shape, tile, params.inference.overlap),
        "background": scan.image[:, :, middle].astype(np.float32),
        "lesions": scan.centres,
    }


def thickened(study, thicknesses_mm=(2.0, 4.0, 6.0)) -> Figure:
    """A microbleed of a training scan as augmentation shows it in simulated thick slices.

    The clearest one of the training scan with the thinnest slices; slices lie across the third
    axis, and the microbleed is in the middle of one.
    """
    from cmbkit.plotting.cuts import orthogonal_cuts
    from cmbkit.study.examples import clearest_microbleed

    scans = study.cohort.split("train", datasets=study.params.training.finetune.datasets)
    by_slices = sorted(scans, key=lambda scan: scan.scan.acquisition.slice_thickness_mm)
    clearest = ((scan, clearest_microbleed(scan)) for scan in by_slices)
    standard, (id, _) = next(pair for pair in clearest if pair[1] is not None)
    rows = in_thick_slices(standard, id, thicknesses_mm)
    centre = [n // 2 for n in rows[0][1].shape]
    return orthogonal_cuts(rows, study.params.preprocessing.spacing_mm, centre=centre)


def in_thick_slices(standard, id: int, thicknesses_mm, side_mm: float = 24.0) -> list[tuple]:
    """The surroundings of one microbleed as scanned, and in thicker and thicker slices.

    Returns
    -------
    list of (label, image, mask)
        ndarrays, cubes of about ``side_mm``; the first row is what was scanned.
    """
    from cmbkit.detector.patches.simulated_slices import Slices, thicken
    from cmbkit.plotting.cuts import centre_of, crop_around

    image, lesion = standard.image(), standard.lesions().data == id
    spacing_mm = float(image.spacing[0])
    fill = np.float32(standard.record()["background_value"])
    centre, side = centre_of(lesion, image.shape), round(side_mm / spacing_mm)
    margin = round(1.5 * max(thicknesses_mm) / spacing_mm) + 1  # what slices reach beyond
    longer = (side, side, side + 2 * margin)
    patch = crop_around(image.data.astype(np.float32), centre, longer, fill)
    mask = crop_around(lesion.astype(np.uint8), centre, longer)
    rows = [("As scanned", patch, mask)]
    for thickness_mm in thicknesses_mm:
        thickness = thickness_mm / spacing_mm
        phase = ((longer[2] // 2 + 0.5) / thickness + 0.5) % 1
        shown = thicken(patch, mask, Slices(2, thickness, phase))
        rows.append((f"{thickness_mm:g} mm slices", *shown))
    seen = slice(margin, margin + side)
    return [(label, image[:, :, seen], mask[:, :, seen]) for label, image, mask in rows]


def data(study) -> pd.DataFrame:
    """Scans, patients and CMBs of each dataset in each phase (Figure A.6)."""
    table = study.cohort.table
    rows = []
    training = study.params.training
    phases = {"pre-training": training.pretrain, "fine-tuning": training.finetune}
    for name, phase in phases.items():
        chosen = table[(table["split"] == "train") & table["dataset"].isin(phase.datasets)]
        rows += _counted(name, chosen)
    rows += _counted("validation", table[table["split"] == "valid"])
    rows += _counted("test", table[table["split"] == "test"])
    return pd.DataFrame(rows)


def _counted(phase: str, scans: pd.DataFrame) -> list[dict]:
    return [
        {
            "phase": phase,
            "dataset": dataset,
            "scans": len(rows),
            "patients": rows["patient"].nunique(),
            "CMBs": int(rows["n_cmb"].sum()),
        }
        for dataset, rows in scans.groupby("dataset")
    ]


def transfer_summary(study) -> pd.DataFrame:
    """Tensors carried, sliced or initialised, with their shapes where these changed."""
    report = study.models.transfer_report()
    changed = report[report["action"] != "carried"]
    carried = report[report["action"] == "carried"]
    row = {"tensor": f"{len(carried)} further tensors", "action": "carried"}
    return pd.concat([changed, pd.DataFrame([row])], ignore_index=True)


def snapshots(study, model: str = "scratch", phase: str = "pretrain") -> dict[str, list[dict]]:
    """Followed predictions by CMB: image, lesion, probability and epoch, by rising epoch."""
    found: dict[str, list[dict]] = {}
    folder = study.models.folder(model, phase) / "snapshots"
    for path in sorted(folder.glob("*_epoch*.npz")):
        with np.load(path) as stored:
            snapshot = {name: stored[name] for name in stored.files}
        found.setdefault(path.name.rpartition("_epoch")[0], []).append(snapshot)
    return found


def evolution(study, columns: int = 6) -> Figure:
    """Figure 7.2: one validation CMB, predicted after epochs spread over the pre-training."""
    from cmbkit.plotting.cuts import prediction_evolution

    shown = next(iter(snapshots(study).values()))
    picked = np.unique(np.linspace(0, len(shown) - 1, columns).round().astype(int))
    predictions = [(int(shown[i]["epoch"]), shown[i]["probability"]) for i in picked]
    first = shown[0]
    spacing = float(first["spacing_mm"])
    return prediction_evolution(first["image"], first["lesion"], predictions, spacing)


def tracking(study) -> Figure:
    """Figure A.5: each followed CMB at the end of the scratch model's pre-training."""
    from cmbkit.plotting.cuts import cut_examples

    shown, spacing = [], study.params.preprocessing.spacing_mm
    for name, series in snapshots(study).items():
        last = series[-1]
        rows = [
            ("Raw", last["image"], None),
            ("Annotated", last["image"], last["lesion"]),
            ("Predicted", last["image"], last["probability"] >= study.params.inference.threshold),
        ]
        shown.append((name.replace("_cmb", ", CMB "), rows, (np.array(last["image"].shape) // 2)))
    return cut_examples(shown, spacing)
