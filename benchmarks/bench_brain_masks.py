"""How well brain masks fit, on images whose tissue is known.

    python benchmarks/bench_brain_masks.py FOLDER [--methods stand-in deepbet] [--csv FILE]

FOLDER holds images ``<who>_<kind>.nii.gz``, and ``tissue/`` under the same names their tissue: 1
brain, 2 fluid, 0 else. Missed: tissue outside the mask; spill: mask outside tissue and fluid, both
of the tissue; Dice with the tissue closed by 4 mm and filled. One row per method and kind: medians,
the worst Dice, and seconds. Where no brain is found, Dice is 0 and the rest does not count.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage
from timing import table

from cmbkit.anatomy.brain_mask import BrainMaskError, brain_mask
from cmbkit.volume import Volume

CLOSING_MM = 4.0


def closed_and_filled(tissue: np.ndarray, spacing) -> np.ndarray:
    grown = ndimage.distance_transform_edt(~np.pad(tissue, 8), sampling=spacing) <= CLOSING_MM
    inner = ndimage.distance_transform_edt(grown, sampling=spacing) > CLOSING_MM
    return ndimage.binary_fill_holes(inner[8:-8, 8:-8, 8:-8] | tissue)


def fit(image: Volume, kinds: Volume, method: str) -> dict:
    start = time.perf_counter()
    try:
        mask, how = brain_mask(image, method)
    except BrainMaskError:
        return {"how": "none", "missed": np.nan, "spill": np.nan, "dice": 0.0, "seconds": np.nan}
    seconds = time.perf_counter() - start
    inside, kinds = mask.reoriented("RAS").data > 0, kinds.reoriented("RAS")
    tissue = kinds.data == 1
    whole, n = closed_and_filled(tissue, kinds.spacing), tissue.sum()
    return {
        "how": how,
        "missed": float(100 * (tissue & ~inside).sum() / n),
        "spill": float(100 * (inside & (kinds.data == 0)).sum() / n),
        "dice": float(200 * (inside & whole).sum() / (inside.sum() + whole.sum())),
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--methods", nargs="+", default=["stand-in"])
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args()
    rows = []
    for path in sorted(given.folder.glob("*.nii.gz")):
        who, kind = path.name.removesuffix(".nii.gz").split("_")
        image, kinds = Volume.read(path), Volume.read(given.folder / "tissue" / path.name)
        for method in given.methods:
            rows.append({"who": who, "kind": kind, "method": method, **fit(image, kinds, method)})
            print(rows[-1], flush=True)
    rows = pd.DataFrame(rows)
    if given.csv:
        rows.to_csv(given.csv, index=False)
    lines = []
    for (kind, method), part in rows.groupby(["kind", "method"]):
        middle = part[["missed", "spill", "dice", "seconds"]].median()
        figures = [f"{middle[name]:.1f}" for name in middle.index]
        masks = f"{part['missed'].count()} of {len(part)}"
        lines.append([kind, method, masks, *figures, f"{part['dice'].min():.1f}"])
    head = ["kind", "method", "masks", "missed", "spill", "Dice", "s", "worst Dice"]
    print(table(head, lines))


if __name__ == "__main__":
    main()
