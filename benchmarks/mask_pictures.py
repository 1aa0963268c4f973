"""The stand-in's brain mask over every real scan: an axial and a coronal cut, and its volume.

python benchmarks/mask_pictures.py --out PNG ../shared/real/nifti ../shared/real/dicom
"""

import argparse
import tempfile
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from cmbkit.anatomy.brain_mask import brain_mask
from cmbkit.prediction.one_scan import read_given
from cmbkit.prediction.sources import find_sources
from cmbkit.volume import Volume

matplotlib.use("agg")


def read(source, folder: Path) -> Volume:
    """In RAS; the last of several echoes."""
    given = read_given(source, None, folder)
    return Volume.read(given.image).reoriented("RAS")


def draw(axes, scan: Volume, brain: Volume) -> None:
    """Axial and coronal cut through the middle of the mask."""
    middle = np.argwhere(brain.data > 0).mean(0).round().astype(int)
    for ax, axis in zip(axes, (2, 1), strict=True):
        cut, mask = (np.take(v.data, middle[axis], axis).T for v in (scan, brain))
        width, height = (scan.spacing[a] for a in range(3) if a != axis)
        top = np.percentile(scan.data, 99.5)
        ax.imshow(cut, cmap="gray", vmin=0, vmax=top, origin="lower", aspect=height / width)
        ax.contour(mask > 0, [0.5], colors="#7fd67f", linewidths=1)
        ax.axis("off")


def main() -> None:
    """One column per scan that can be read and is no phase image."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    shown = []
    for source in find_sources(given.scans):
        with tempfile.TemporaryDirectory() as folder:
            if source.problem or "phase" in source.name:
                continue
            try:
                scan = read(source, Path(folder))
                brain, _ = brain_mask(scan)
            except (ValueError, RuntimeError) as error:
                print(f"{source.name}: {error}")
                continue
        shown.append((source.name, scan, brain))
    figure, axes = plt.subplots(2, len(shown), figsize=(2.4 * len(shown), 5), squeeze=False)
    for (name, scan, brain), pair in zip(shown, axes.T, strict=True):
        draw(pair, scan, brain)
        ml = np.count_nonzero(brain.data) * brain.voxel_volume_mm3 / 1000
        pair[0].set_title(f"{name}\n{ml:.0f} ml", fontsize=7)
        print(f"| {name} | {ml:.0f} |")
    figure.tight_layout()
    figure.savefig(given.out, dpi=88)


if __name__ == "__main__":
    main()
