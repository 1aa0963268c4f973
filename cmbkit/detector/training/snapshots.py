"""Predictions of chosen microbleeds after every epoch (Figure 7.2)."""

from pathlib import Path

import numpy as np
from scipy.special import expit

from cmbkit.boxes import cut_box
from cmbkit.detector.inference.tiled import Predictor
from cmbkit.detector.patches.sampling import SampledScan


def snapshot_patches(scans, chosen: list[tuple[str, int]], patch) -> dict[str, dict]:
    """Image and lesion of the patch (3 int, voxels) around each chosen (uid, CMB id), by stem."""
    by_uid = {scan.scan.uid: scan for scan in reversed(scans)}
    patches = {}
    for uid, id in chosen:
        if uid not in by_uid:
            raise ValueError(f"snapshot {uid}: expected one of the scans, found no such uid")
        scan = SampledScan.load(by_uid[uid])
        start = np.rint(scan.centre_of(id) - np.array(patch) / 2).astype(int)
        patches[f"{uid}_cmb{id}"] = {
            "image": cut_box(scan.image, start, patch, scan.background).astype(np.float32),
            "lesion": cut_box(scan.lesions, start, patch, 0) == id,
            "spacing_mm": scan.spacing_mm,
        }
    return patches


def write_snapshots(folder: Path, predictor: Predictor, patches: dict, epoch: int) -> None:
    """Write ``snapshots/<uid>_cmb<id>_epoch<n>.npz`` of every patch."""
    if patches:
        (folder / "snapshots").mkdir(exist_ok=True)
    for stem, patch in patches.items():
        image = cut_box(patch["image"], (0, 0, 0), predictor.tile, patch["image"].min())
        probability = expit(predictor.evidence(image[None])[0])
        cut = tuple(slice(n) for n in patch["image"].shape)
        np.savez_compressed(
            folder / "snapshots" / f"{stem}_epoch{epoch:03d}.npz",
            **patch,
            probability=probability[cut].astype(np.float16),
            epoch=epoch,
        )


def read_snapshots(folder: Path) -> dict[tuple[str, int], list[dict]]:
    """What `write_snapshots` wrote into a phase's folder.

    Returns
    -------
    dict
        By scan and CMB, in the order of their names: image, lesion, probability (ndarrays),
        spacing_mm and epoch of each snapshot, by rising epoch.
    """
    found: dict[tuple[str, int], list[dict]] = {}
    for path in sorted((Path(folder) / "snapshots").glob("*_epoch*.npz")):
        with np.load(path) as stored:
            snapshot = {name: stored[name] for name in stored.files}
        uid, _, number = path.stem.rpartition("_epoch")[0].rpartition("_cmb")
        found.setdefault((uid, int(number)), []).append(snapshot)
    return found
