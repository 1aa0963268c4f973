"""Raw layouts: each writer puts one simulated scan on disk as its dataset's download does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from cmbkit.phantom.physical import draw_acquisition
from cmbkit.phantom.profiles import Protocol
from cmbkit.phantom.simulate import Simulated
from cmbkit.phantom.tissues import GradientEcho
from cmbkit.volume import Volume

TOGETHER_MM = 10.0
MIMIC_KINDS = {
    "basal ganglia": "Basal ganglia calcifications",
    "choroid plexus": "Choroid plexus calcifications",
    "pineal gland": "Pineal gland calcifications",
    "falx": "Falx calcifications",
    "cavernoma": "Cavernomas",
    "vessel_end": "Other: vessel",
}
"""Category of a landmark by what it is, of a calcification by where."""


def one_based(scan: Simulated) -> list[tuple[int, int, int]]:
    """Centres of the microbleeds as 1-based voxel indices of the written array."""
    if not len(scan.centres_mm):
        return []
    voxels = np.rint(scan.image.to_voxels(scan.centres_mm)).astype(int) + 1
    return [tuple(int(v) for v in row) for row in voxels]


def write_int16(volume: Volume, path: Path) -> None:
    """Write an image as plain int16, without scaling."""
    Volume(volume.data.astype(np.int16), volume.affine).write(path)


def write_valdo(folder: Path, name: str, scan: Simulated, rng: np.random.Generator) -> None:
    """``sub-XXX/``: masked image (NaN outside in every third), mask with values 1 to 3."""
    stem = folder / f"sub-{name}" / f"sub-{name}_space-T2S"
    if int(name) % 3 == 2:
        data = np.where(scan.brain.data > 0, scan.image.data, np.nan).astype(np.float32)
        Volume(data, scan.image.affine).write(Path(f"{stem}_desc-masked_T2S.nii.gz"))
    else:
        write_int16(scan.image, Path(f"{stem}_desc-masked_T2S.nii.gz"))
    values = np.r_[0, rng.choice([1, 1, 2, 3], max(len(scan.microbleeds), 1))].astype(np.uint8)
    mask = values[scan.masks.data]
    Volume(mask, scan.image.affine).write(Path(f"{stem}_CMB.nii.gz"))


def write_rodeja(folder: Path, name: str, scan: Simulated, subfolder: str) -> None:
    """``cmb_annotations/<sub>/images/NNNNN.nii.gz`` and ``Annotations/<sub>/cmb_NNNNNmask.nii``."""
    base = folder / "cmb_annotations"
    write_int16(scan.image, base / subfolder / "images" / f"{name}.nii.gz")
    mask = Volume(scan.masks.data, scan.image.affine)
    mask.write(base / "Annotations" / subfolder / f"cmb_{name}mask.nii")


def write_dou(folder: Path, name: str, scan: Simulated) -> None:
    """``nii/NN.nii`` and ``ground_truth/NN.mat`` with ``cen``, rows x, y, z, 1-based."""
    from scipy.io import savemat

    write_int16(scan.image, folder / "nii" / f"{name}.nii")
    target = folder / "ground_truth" / f"{name}.mat"
    target.parent.mkdir(parents=True, exist_ok=True)
    savemat(target, {"cen": np.array(one_based(scan), np.uint16).reshape(-1, 3)})


def write_sidecar(image: Path, acquisition: GradientEcho, country: str) -> None:
    """BIDS fields beside an image: tesla, seconds, degrees, country."""
    fields = {
        "MagneticFieldStrength": acquisition.tesla,
        "EchoTime": round(acquisition.te_ms / 1000, 4),
        "RepetitionTime": round(acquisition.tr_ms / 1000, 4),
        "FlipAngle": acquisition.flip_deg,
        "InstitutionAddress": country,
    }
    path = image.with_name(image.name.removesuffix(".nii.gz") + ".json")
    path.write_text(json.dumps(fields, indent=1))


def _scribble(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A few voxels of a mask, shape (n, 3): the middle one and some of the others."""
    voxels = np.argwhere(mask)
    middle = voxels[np.argmin(((voxels - voxels.mean(axis=0)) ** 2).sum(axis=1))]
    others = voxels[rng.permutation(len(voxels))[: max(1, len(voxels) // 4)]]
    return np.vstack([middle, others])


def _closest_pair(centres: np.ndarray) -> tuple[int, int]:
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return tuple(int(v) for v in np.unravel_index(np.argmin(distance), distance.shape))


_LOCATIONS = {
    "cortex/grey-white junction": (3, 42, 17, 18, 53, 54),
    "subcortical white matter": (2, 41),
    "basal ganglia grey matter": (11, 12, 13, 26, 50, 51, 52, 58),
    "thalamus": (10, 49),
    "brainstem": (16,),
    "cerebellum": (7, 8, 46, 47),
}


def _location(label: int) -> str:
    """The attribute's word for a SynthSeg label."""
    places = (name for name, labels in _LOCATIONS.items() if label in labels)
    return next(places, "internal and external capsule")


def write_crb(
    folder: Path, study: str, scan: Simulated, protocol: Protocol, rng: np.random.Generator
) -> dict:
    """``<study>/images/<seq>/*.nii.gz``, scribbles, sidecar; returns the entry of tasks.json.

    The two closest microbleeds share one scribble label, flagged ``Multiple``, if they lie within
    `TOGETHER_MM` of each other at the same location. The physical model's SWI comes with
    ``<study>/phase/*_PHASE.nii.gz`` (high-pass filtered, 1/1000 rad), which no reader asks for.
    """
    sequence = protocol.sequence
    image = folder / study / "images" / sequence / f"{study}_{sequence}.nii.gz"
    write_int16(scan.image, image)
    write_sidecar(image, scan.acquisition or draw_acquisition(protocol, rng), protocol.country)
    if scan.phase is not None:
        thousandths = scan.phase.with_data(np.rint(1000 * scan.phase.data))
        write_int16(thousandths, folder / study / "phase" / f"{study}_PHASE.nii.gz")
    series = {
        "name": sequence,
        "items": [f"{study}/images/{sequence}/{image.name}"],
        "segmentations": None,
        "segmentMap": {},
        "landmarks3d": [],
    }
    n = len(scan.microbleeds)
    if n:
        label_of, attributes = _number_scribbles(scan, rng)
        scribbles = np.zeros(scan.image.shape, np.uint8)
        for number in range(1, n + 1):
            mask = scan.masks.data == number
            if mask.any():
                scribbles[tuple(_scribble(mask, rng).T)] = label_of[number]
        target = folder / study / "segmentations" / f"{sequence}.nii.gz"
        Volume(scribbles, scan.image.affine).write(target)
        series["segmentations"] = f"{study}/segmentations/{sequence}.nii.gz"
        series["segmentMap"] = attributes
    for row in scan.structures:
        what = row.get("place") or row["kind"]
        if what in MIMIC_KINDS and (what != "vessel_end" or rng.random() < 0.15):
            voxel = np.rint(scan.image.to_voxels([row["x_mm"], row["y_mm"], row["z_mm"]]))
            i, j, k = (int(v) for v in voxel)
            series["landmarks3d"].append(
                {"category": MIMIC_KINDS[what], "point": {"i": i, "j": j, "k": k}}
            )
    return {"taskId": f"synthetic-{study}", "name": study, "series": [series]}


def _number_scribbles(scan: Simulated, rng: np.random.Generator):
    """Label of each microbleed (1-based), and RedBrick's segmentMap."""
    n = len(scan.microbleeds)
    label_of = {number: number for number in range(1, n + 1)}
    joined = None
    if n >= 2:
        a, b = sorted(_closest_pair(scan.centres_mm))
        apart = np.linalg.norm(scan.centres_mm[a] - scan.centres_mm[b])
        same = _location(scan.microbleeds[a].label) == _location(scan.microbleeds[b].label)
        if apart <= TOGETHER_MM and same:
            label_of[b + 1] = joined = a + 1
    attributes = {}
    for number, blob in enumerate(scan.microbleeds, 1):
        label = label_of[number]
        if str(label) in attributes:
            continue
        attributes[str(label)] = {
            "category": "CMB",
            "attributes": {
                "Multiple": label == joined,
                "certainty": blob.certainty,
                "cause": str(rng.choice(["hypertension", "CAA", "trauma", "Other"])),
                "size": "<5mm" if blob.radius_mm < 2.5 else ">=5mm",
                "location": _location(blob.label),
            },
        }
    return label_of, attributes


def momeni_workbook(path: Path, rows: list[tuple[str, list[tuple[int, int, int]]]]) -> None:
    """The MOMENI sheet: a name, up to 19 triplets under a merged-looking header, extra columns.

    Empty cells are blank or hold white space; ``LocationCirclewholeReal_*`` columns trail.
    """
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    widest = max([19, *(len(points) for _, points in rows)])
    header = ["NIFTI File Name "]
    for number in range(1, widest + 1):
        header += [f"Location CMB # {number}", None, None]
    extra = [f"LocationCirclewholeReal_{k}" for k in range(1, 4)]
    sheet.append(header + extra)
    for line, (name, points) in enumerate(rows):
        cells: list = [name]
        for point in points:
            cells += list(point)
        blank = " " if line % 2 else None
        cells += [blank] * (len(header) - len(cells))
        first = points[0] if points else (None, None, None)
        sheet.append([*cells, *first])
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)
