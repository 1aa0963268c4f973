"""sMOMENI: the synthetic MOMENI scans again, with ten more microbleeds implanted in each.

As section 4.5 has it: about where real ones are, of volumes from their smoothed distribution,
which is that of Table 7.1: the few of a synthetic MOMENI have none of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from cmbkit.boxes import bounding_box
from cmbkit.phantom import layouts
from cmbkit.phantom.implant import implant
from cmbkit.phantom.profiles import DATASET_NUMBER, draw_radii
from cmbkit.phantom.simulate import truth_row
from cmbkit.volume import Volume

N_IMPLANTED = 10
_APART_MM = 8.0
_PLACE_SD_MM = 6.0


@dataclass(frozen=True)
class DerivedScan:
    """One derived scan: its source image, the microbleeds already there, and its name."""

    source: Path
    present_mm: tuple[tuple[float, float, float, float], ...]
    name: str
    group: str
    seed: tuple[int, ...]
    real: np.ndarray


def plan(n_scans: int, seed: int, momeni: Path) -> list[DerivedScan]:
    """Every third scan comes from a scan with CMBs (``_rsCMB_Vn``), the others from one without.

    Falls back on the kind of source that exists when the other is missing.
    """
    truth = pd.read_csv(momeni / "phantom_truth.tsv", sep="\t")
    images = sorted(momeni.glob("PublicDataShare_2020/*/*.nii.gz"))
    real = [p for p in images if p.parent.name == "rCMB_DefiniteSubject"]
    healthy = [p for p in images if p.parent.name == "NoCMBSubject"]
    if not images:
        raise ValueError(f"{momeni}: expected the synthetic MOMENI images, found none")
    like = _real_ones(truth, images)
    plans, used = [], {}
    for index in range(n_scans):
        pool = (real if index % 3 == 0 else healthy) or images
        source = pool[(index // 3 if index % 3 == 0 else index - index // 3 - 1) % len(pool)]
        used[source] = used.get(source, 0) + 1
        stem = source.name.removesuffix(".nii.gz")
        is_real = source in real
        rows = truth[(truth["scan"] == stem) & (truth["kind"] == "cmb")]
        plans.append(
            DerivedScan(
                source,
                tuple(map(tuple, rows[["x_mm", "y_mm", "z_mm", "radius_mm"]].to_numpy(float))),
                f"{stem}_{'rsCMB' if is_real else 'sCMB'}_V{used[source]}",
                "sCMB_DefiniteSubject" if is_real else "sCMB_NoCMBSubject",
                (seed, DATASET_NUMBER["sMOMENI"], index),
                like,
            )
        )
    return plans


def _brain_box(image: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest corner, RAS mm, of what is not black."""
    box = bounding_box(image.data > 0)
    corners = image.to_mm(np.array([[s.start for s in box], [s.stop - 1 for s in box]]))
    return corners.min(axis=0), corners.max(axis=0)


def _real_ones(truth: pd.DataFrame, images: list[Path]) -> np.ndarray:
    """Places of MOMENI's own visible microbleeds in the brain's box, 0 to 1, shape (n, 3)."""
    truth = truth[(truth["kind"] == "cmb") & (truth["visible_radius_mm"] > 0)]
    found = []
    for path in images:
        rows = truth[truth["scan"] == path.name.removesuffix(".nii.gz")]
        if len(rows):
            low, high = _brain_box(Volume.read(path))
            found.append((rows[["x_mm", "y_mm", "z_mm"]].to_numpy(float) - low) / (high - low))
    if not found:
        raise ValueError("phantom sMOMENI: expected a visible microbleed in MOMENI, found none")
    return np.concatenate(found)


def _choose_centres(image: Volume, taken_mm: np.ndarray, real, rng: np.random.Generator):
    """Voxels where microbleeds are put, shape (n, 3): about where real ones are, on either side.

    In plain tissue (no fluid, no vein) and apart from each other; cortical ones included.
    """
    inside = image.data > 0
    typical = np.median(image.data[inside])
    local = ndimage.gaussian_filter(image.data, 1.0)
    plain = ndimage.binary_erosion(inside, iterations=2)
    plain &= (local > 0.75 * typical) & (local < 1.3 * typical)
    low, high = _brain_box(image)
    chosen: list[np.ndarray] = []
    taken = list(taken_mm)
    for _ in range(5000):
        place = real[rng.integers(len(real))].copy()
        place[0] = rng.choice([place[0], 1 - place[0]])
        mm = low + place * (high - low) + rng.normal(0, _PLACE_SD_MM, 3)
        voxel = np.rint(image.to_voxels(mm)).astype(int)
        voxel = np.clip(voxel, 0, np.array(image.shape) - 1)
        far = all(np.linalg.norm(mm - other) > _APART_MM for other in taken)
        if far and plain[tuple(voxel)]:
            taken.append(mm)
            chosen.append(voxel)
        if len(chosen) == N_IMPLANTED:
            break
    return np.array(chosen).reshape(-1, 3)


def write(plan: DerivedScan, folder: Path) -> dict:
    """Implant and write one scan; returns its 1-based points and truth rows."""
    rng = np.random.default_rng(plan.seed)
    image = Volume.read(plan.source)
    present = np.array(plan.present_mm).reshape(-1, 4)
    centres = _choose_centres(image, present[:, :3], plan.real, rng)
    radii = draw_radii("MOMENI", len(centres), rng)
    made = implant(image, centres, radii, rng)
    layouts.write_int16(
        made.with_data(np.rint(made.data)), folder / plan.group / f"{plan.name}.nii.gz"
    )
    mm = np.vstack([present[:, :3], image.to_mm(centres).reshape(-1, 3)])
    points = np.rint(image.to_voxels(mm)).astype(int) + 1
    truth = [
        {"scan": plan.name, **truth_row("cmb", centre, radius, 0)}
        for centre, radius in zip(mm, np.r_[present[:, 3], radii], strict=True)
    ]
    return {"points": [tuple(int(v) for v in p) for p in points], "truth": truth}


def finish(folder: Path, plans: list[DerivedScan], results: list[dict], seed: int) -> None:
    """Write both workbooks; some rows list a point twice, or a neighbour one voxel off."""
    rng = np.random.default_rng([seed, DATASET_NUMBER["sMOMENI"], 10**6])
    books = {
        "sCMB_DefiniteSubject": "sCMBInformationInfo.xlsx",
        "sCMB_NoCMBSubject": "sCMBLocationInformationInfoNocmb.xlsx",
    }
    for group, book in books.items():
        rows = []
        for index, (plan_, result) in enumerate(zip(plans, results, strict=True)):
            if plan_.group != group:
                continue
            points = list(result["points"])
            if points and index % 4 == 1:
                points.append(points[int(rng.integers(len(points)))])
            if points and index % 4 == 2:
                i, j, k = points[int(rng.integers(len(points)))]
                points.append((i + 1, j, k))
            rows.append((f"{plan_.name}.nii.gz", points))
        if rows:
            layouts.momeni_workbook(folder / group / book, rows)
