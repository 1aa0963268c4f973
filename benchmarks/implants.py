"""Microbleeds implanted in real scans: how many are found, and what is called without any.

    python benchmarks/implants.py ../shared/real/nifti ../shared/real/dicom [--balls]

A Gaussian of full width d takes away the share c of the signal at its centre, or with --balls a
ball of diameter d that share throughout but for a rim of a millimetre, half of it outside: at 20
places per scan in the brain mask but its darkest tenth, 5 mm or more from its edge and 13 mm
apart, drawn at random, or with --calm the most homogeneous first. Each of --seeds draws a set of
places; their counts are added.
Found: a microbleed whose centre lies within 0.75 d, but 3 to 5 mm. Scans are read as by predict;
one that is unfit is told and not counted on.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from cmbkit.anatomy.brain_mask import brain_mask
from cmbkit.evaluation.intervals import wilson
from cmbkit.prediction.one_scan import detect, read_given
from cmbkit.prediction.settings import PredictOptions, make_settings
from cmbkit.prediction.sources import find_sources, source_in_memory
from cmbkit.volume import Volume

KINDS = ((2.0, 1.0), (3.0, 0.7), (3.0, 1.0), (4.0, 0.7), (6.0, 0.7))
BALLS = ((4.0, 0.7), (6.0, 0.7), (6.0, 1.0), (8.0, 0.7), (8.0, 1.0), (10.0, 0.7), (10.0, 1.0))
PARTS = np.stack(np.meshgrid(*[(np.arange(4) - 1.5) / 4] * 3), -1).reshape(-1, 3)


def sites(scan: Volume, brain: Volume, count: int, calm=False, seed: int = 0) -> np.ndarray:
    """Places in mm, shape (n, 3), n at most ``count``; calm: least spread within 5 mm first."""
    rng, inside = np.random.default_rng(seed), np.pad(brain.data > 0, 1)
    depth = ndimage.distance_transform_edt(inside, sampling=scan.spacing)[1:-1, 1:-1, 1:-1]
    smooth = ndimage.gaussian_filter(scan.data, 1.0 / scan.spacing)
    darkest = np.percentile(smooth[brain.data > 0], 10)
    voxels = np.argwhere((depth >= 5) & (smooth > darkest))
    voxels = rng.permutation(voxels)
    if calm:
        near = 2.5 / scan.spacing
        mean = ndimage.gaussian_filter(scan.data, near)
        square = ndimage.gaussian_filter(np.square(scan.data), near)
        spread = np.sqrt(np.maximum(square - mean**2, 0)) / mean
        voxels = voxels[np.argsort(spread[tuple(voxels.T)], kind="stable")]
    chosen: list[np.ndarray] = []
    for voxel in voxels:
        place = scan.to_mm(voxel + rng.uniform(-0.5, 0.5, 3))
        if all(np.linalg.norm(place - other) >= 13 for other in chosen):
            chosen.append(place)
        if len(chosen) == count:
            break
    return np.array(chosen)


def implanted(scan: Volume, places, width_mm, darkness: float, ball: bool = False) -> Volume:
    """Scan with Gaussians or balls taken away, integrated over 64 parts of each voxel.

    ``width_mm``: one, or of Gaussians three along the axes of the world.
    """
    data = scan.data.copy()
    reach = np.ceil(2 * np.max(width_mm) / scan.spacing).astype(int)
    for place in places:
        middle = np.rint(scan.to_voxels(place)).astype(int)
        low, high = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, scan.shape)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        voxels = np.stack(np.meshgrid(*[np.arange(a, b) for a, b in zip(low, high, strict=True)],
                                      indexing="ij"), -1)  # fmt: skip
        away = scan.to_mm(voxels[..., None, :] + PARTS) - place
        if ball:
            share = (width_mm / 2 + 0.5 - np.linalg.norm(away, axis=-1)).clip(0, 1)
        else:
            share = np.exp(-4 * np.log(2) * np.square(away / width_mm).sum(-1))
        data[box] *= (1 - darkness * share.mean(-1)).astype(np.float32)
    return scan.with_data(data)


def recalls(scan: Volume, brain: Volume, settings: PredictOptions, given) -> Iterator[str]:
    """Found of implanted for every kind, with Wilson's interval; then what is called without."""
    drawn = [sites(scan, brain, given.sites, given.calm, seed) for seed in given.seeds]
    for width, darkness in given.kinds:
        hits, near = 0, min(5.0, max(3.0, 0.75 * width))
        for places in drawn:
            found = called(implanted(scan, places, width, darkness, given.balls), settings)
            away = np.linalg.norm(places[:, None] - found[None], axis=-1)
            hits += int((away <= near).any(axis=1).sum())
        n = sum(map(len, drawn))
        low, high = (100 * value for value in wilson(hits, n))
        yield f"{hits} of {n} [{low:.0f}, {high:.0f}]"
    yield str(len(called(scan, settings)))


def called(scan: Volume, settings: PredictOptions) -> np.ndarray:
    """Places of microbleeds in mm, shape (n, 3)."""
    table = detect(source_in_memory(scan), settings).table
    return table[["x_mm", "y_mm", "z_mm"]].to_numpy(float).reshape(-1, 3)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--zscore", choices=("padded", "brain"))
    parser.add_argument("--weights", default="compact")
    parser.add_argument("--sites", type=int, default=20)
    parser.add_argument("--calm", action="store_true")
    parser.add_argument("--balls", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = parser.parse_args()
    given.kinds = BALLS if given.balls else KINDS
    heads = " | ".join(f"{d:g} mm, {100 * c:.0f} %" for d, c in given.kinds)
    print(f"| scan | brain, ml | {heads} | called without |\n|{'---|' * (len(given.kinds) + 3)}")
    for source in find_sources(given.scans):
        try:
            with tempfile.TemporaryDirectory() as folder:
                found = read_given(source, None, Path(folder))
                scan = Volume.read(found.image)
                found.fitness(source.name, scan).require(source.path)
            brain, _ = brain_mask(scan)
            settings = make_settings(given.weights, brain_mask=brain)
            if given.zscore:
                rule = settings.preprocessing.model_copy(update={"zscore": given.zscore})
                settings = replace(settings, preprocessing=rule)
            millilitres = np.count_nonzero(brain.data) * brain.voxel_volume_mm3 / 1000
            cells = recalls(scan, brain, settings, given)
            print("| " + " | ".join([source.name, f"{millilitres:.0f}", *cells]) + " |", flush=True)
        except (ValueError, RuntimeError) as error:
            print(error, flush=True)


if __name__ == "__main__":
    main()
