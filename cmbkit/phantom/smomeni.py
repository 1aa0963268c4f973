"""sMOMENI: the synthetic MOMENI scans again, with ten more microbleeds implanted in each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from cmbkit.phantom import layouts
from cmbkit.phantom.implant import implant
from cmbkit.phantom.profiles import DATASET_NUMBER, draw_radii
from cmbkit.phantom.simulate import truth_row
from cmbkit.volume import Volume

N_IMPLANTED = 10
_APART_MM = 8.0


@dataclass(frozen=True)
class Plan:
    """One derived scan: its source image, the microbleeds already there, and its name."""

    source: Path
    present_mm: tuple[tuple[float, float, float, float], ...]
    name: str
    group: str
    seed: tuple[int, ...]


def plan(n_scans: int, seed: int, momeni: Path) -> list[Plan]:
    """Every third scan comes from a scan with CMBs (``_rsCMB_Vn``), the others from one without.

    Falls back on the kind of source that exists when the other is missing.
    """
    truth = pd.read_csv(momeni / "phantom_truth.tsv", sep="\t")
    images = sorted(momeni.glob("PublicDataShare_2020/*/*.nii.gz"))
    real = [p for p in images if p.parent.name == "rCMB_DefiniteSubject"]
    healthy = [p for p in images if p.parent.name == "NoCMBSubject"]
    if not images:
        raise ValueError(f"{momeni}: expected the synthetic MOMENI images, found none")
    plans, used = [], {}
    for index in range(n_scans):
        pool = (real if index % 3 == 0 else healthy) or images
        source = pool[(index // 3 if index % 3 == 0 else index - index // 3 - 1) % len(pool)]
        used[source] = used.get(source, 0) + 1
        stem = source.name.removesuffix(".nii.gz")
        is_real = source in real
        rows = truth[(truth["scan"] == stem) & (truth["kind"] == "cmb")]
        plans.append(
            Plan(
                source,
                tuple(map(tuple, rows[["x_mm", "y_mm", "z_mm", "radius_mm"]].to_numpy(float))),
                f"{stem}_{'rsCMB' if is_real else 'sCMB'}_V{used[source]}",
                "sCMB_DefiniteSubject" if is_real else "sCMB_NoCMBSubject",
                (seed, DATASET_NUMBER["sMOMENI"], index),
            )
        )
    return plans


def _choose_centres(image: Volume, taken_mm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Voxels of plain tissue, well inside the brain and apart from each other, shape (n, 3)."""
    inside = image.data > 0
    depth = ndimage.distance_transform_edt(inside, sampling=image.spacing)
    typical = np.median(image.data[inside])
    local = ndimage.gaussian_filter(image.data, 1.0)
    plain = (depth > 5) & (local > 0.8 * typical) & (local < 1.25 * typical)
    voxels = np.argwhere(plain)
    chosen: list[np.ndarray] = []
    taken = list(taken_mm)
    for voxel in voxels[rng.permutation(len(voxels))]:
        mm = image.to_mm(voxel)
        if all(np.linalg.norm(mm - other) > _APART_MM for other in taken):
            taken.append(mm)
            chosen.append(voxel)
        if len(chosen) == N_IMPLANTED:
            break
    return np.array(chosen).reshape(-1, 3)


def write(plan: Plan, folder: Path) -> dict:
    """Implant and write one scan; returns its 1-based points and truth rows."""
    rng = np.random.default_rng(plan.seed)
    image = Volume.read(plan.source)
    present = np.array(plan.present_mm).reshape(-1, 4)
    centres = _choose_centres(image, present[:, :3], rng)
    radii = draw_radii("sMOMENI", len(centres), rng)
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


def finish(folder: Path, plans: list[Plan], results: list[dict], seed: int) -> None:
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
