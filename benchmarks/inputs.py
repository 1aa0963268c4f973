"""Images of a review that no count should come of, rebuilt, through the gate before the count.

    python benchmarks/inputs.py HEAD STRIPPED --out TSV

HEAD: a T2*-weighted or SWI scan with skull, as the demo's CRB-like ones; STRIPPED: one without, as
its VALDO-like ones. No network runs and no header helps. `inputs.md` holds a run beside what the
review saw, and where its other cases (files, units, DICOM, `cmbkit evaluate`) are tested.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from gate import inside_of, judged, projection, r2star
from scipy import ndimage

from cmbkit.prediction.settings import make_settings
from cmbkit.prediction.sources import source_in_memory
from cmbkit.volume import Volume

Case = tuple[str, str, np.ndarray, np.ndarray]
"""Name, what the review saw, values and affine."""


def other_images(values, affine) -> Iterator[Case]:
    """Images made of a scan that are no scan to count on, and scans cut or turned."""
    rng, scan = np.random.default_rng(0), Volume(values, affine)
    inside = inside_of(scan)
    detail = values - ndimage.gaussian_filter(values, 4 / scan.spacing)
    wrapped = np.where(
        inside,
        np.angle(np.exp(values / values.max() * 18j)),
        rng.uniform(-np.pi, np.pi, values.shape),
    )
    along = 8 / scan.spacing[2]
    blocks = values[:, :, : int(values.shape[2] // along * along)]
    size = max(2, round(along))
    thick = np.stack(
        [blocks[:, :, k : k + size].min(2) for k in range(0, blocks.shape[2] - size, size)], 2
    )
    x, y, z = np.meshgrid(
        *((np.arange(n) - n / 2) * mm for n, mm in zip(values.shape, scan.spacing, strict=True)),
        indexing="ij",
    )
    bottle = np.where(np.hypot(x, y) < 70, 300 + rng.normal(0, 9, values.shape), 0)
    bubbles, ankle = bottle.copy(), np.where((x / 45) ** 2 + (y / 55) ** 2 < 1, 260.0, 0)
    for cx, cy, r in ((-8, 10, 18), (20, -12, 8)):
        away = np.hypot(x - cx, y - cy)
        ankle[away < r], ankle[away < r - 4] = 20, 420
    for target, count in ((ankle, 60), (bubbles, 80)):
        for p in rng.uniform([-30, -40, -70], [30, 40, 70], (count, 3)):
            target[(x - p[0]) ** 2 + (y - p[1]) ** 2 + (z - p[2]) ** 2 < rng.uniform(1, 3) ** 2] = (
                30
            )
    every = np.array(affine) @ np.diag([1, 1, 2, 1.0])
    half = values.copy()
    half[: values.shape[0] // 2] = 0
    middle = values.shape[2] // 2
    ends = [n // 2 + int(40 / mm) for n, mm in zip(values.shape, scan.spacing, strict=True)]
    crop = values[tuple(slice(n // 2, end) for n, end in zip(values.shape, ends, strict=True))]
    echoes = np.stack([values, values * 0.8, values * 0.6], -1)
    yield from (
        ("phase, wrapped", "2", wrapped * 1300, affine),
        ("phase, filtered", "0", (detail / detail.std() * 300 + 2048).clip(0, 4095), affine),
        ("mIP of 8 mm in blocks", "8", thick, np.array(affine) @ np.diag([1, 1, size, 1.0])),
        ("mIP, sliding", "15", projection(scan, rng).data, affine),
        ("inverted in the head", "0", np.where(inside, values.max() - values, 0), affine),
        ("maximum projection", "1", ndimage.maximum_filter1d(values, size, axis=2), affine),
        ("R2* map", "0, no word", r2star(scan, rng).data, affine),
        ("a brain mask as the scan", "0", inside.astype(np.float32), affine),
        ("a probability map", "1", ndimage.gaussian_filter(inside.astype(np.float32), 3), affine),
        ("every second slice", "14", values[:, :, ::2], every),
        ("one slice", "refused", values[:, :, middle : middle + 1], affine),
        ("8 slices", "1", values[:, :, middle : middle + 8], affine),
        ("half a head", "2, no word", half, affine),
        ("crop of 40 mm", "0", crop, affine),
        ("ankle", "41, no word", np.hypot(ankle, rng.normal(0, 12, values.shape)), affine),
        ("water bottle", "0", bottle, affine),
        ("bottle with bubbles", "78", bubbles, affine),
        ("4D of three echoes", "refused", echoes, affine),
        ("slices upside down", "14", values[:, :, ::-1], affine),
        ("mirrored against its header", "13", values[::-1], affine),
        ("axes swapped", "0", values.transpose(2, 1, 0), affine),
    )


def stripped(values, affine) -> Iterator[Case]:
    """A skull-stripped scan: backgrounds, kinds of image, units."""
    brain = np.isfinite(values) & (values != 0)
    clean, rng = np.where(brain, values, 0), np.random.default_rng(0)
    spread = (clean - clean[brain].mean()) / clean[brain].std()
    rate = np.where(brain, -np.log(np.clip(clean / clean.max(), 0.01, 1)) * 40, 0)
    high = np.where(brain, ndimage.gaussian_filter(clean, 4) - clean, 0)
    holes = clean.copy()
    holes[tuple(rng.permutation(np.argwhere(brain))[:20000].T)] = np.nan
    top = np.where(clean > np.percentile(clean[brain], 99.9), np.inf, clean)
    for name, before, changed, grid in (
        ("background not a number", "20", np.where(brain, clean, np.nan), affine),
        ("background -1000", "21", np.where(brain, clean, -1000), affine),
        ("z-scored, background 0", "19", np.where(brain, spread, 0), affine),
        ("smoothed edge", "22", ndimage.gaussian_filter(clean, 0.7), affine),
        ("20,000 voxels not a number", "20", holes, affine),
        ("brightest infinite", "20", top, affine),
        ("R2* map", "0, no word", rate, affine),
        ("filtered phase", "0, no word", high, affine),
        ("filtered phase, other sign", "26, no word", -high, affine),
        ("QSM", "0, no word", high / 1000, affine),
        ("affine the identity", "15", clean, np.eye(4)),
    ):  # fmt: skip
        yield f"stripped: {name}", before, changed, grid


def main() -> None:
    """A row per case, written as they come."""
    parser = argparse.ArgumentParser()
    parser.add_argument("head", type=Path)
    parser.add_argument("stripped", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rules, rows = make_settings().preprocessing, []
    for path, make in ((given.head, other_images), (given.stripped, stripped)):
        image = nib.load(path)
        for case, before, values, affine in make(image.get_fdata(dtype=np.float32), image.affine):
            try:
                scan = Volume(values.astype(np.float32), affine)
                found = judged(source_in_memory(scan), rules)
                now, said = found.verdict, "; ".join(found.reasons)
            except (ValueError, RuntimeError) as error:
                now, said = "error", str(error)[-90:]
            rows.append((case, before, now, said))
            table = pd.DataFrame(rows, columns=["case", "review", "now", "said"])
            table.to_csv(given.out, sep="\t", index=False)


if __name__ == "__main__":
    main()
