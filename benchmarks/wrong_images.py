"""Images that are no scan to count microbleeds on: of scans, of formulas, of people's heads.

For `gate.py`; a maker of `TRANSFORMED` and `FURTHER` takes a Volume and a random generator.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import ndimage

from cmbkit.volume import Volume

CSF = (4, 5, 14, 15, 24, 43, 44, 72, 506)
GREY = (3, 42, 8, 47, 10, 49, 11, 50, 12, 51, 17, 18, 26, 53, 54, 58)
WHITE = (2, 41, 7, 46, 13, 52, 16, 28, 60, 77, 85)
CONTRASTS = {
    "T1-like": (0.2, 0.65, 1.0),
    "T2-like": (2.6, 1.35, 1.0),
    "FLAIR-like": (0.2, 1.2, 1.0),
    "PD-like": (1.15, 1.2, 1.0),
    "CT-like": (1.008, 1.037, 1.028),
}
"""Fluid, grey and white matter; the iron of a pallidum does not show."""
OUTSIDE = {258: 0.4, 502: 0.3, 507: 0.4, 508: 0.4, 509: 0.6, 511: 0.8, 512: 0.7, 514: 0.3, 515: 0.1,
           516: 0.9, 530: 0.6}  # fmt: skip


def inside_of(image: Volume) -> np.ndarray:
    """Where there is more than air, smoothed."""
    smooth = ndimage.gaussian_filter(image.data, 2 / image.spacing)
    return smooth > 0.25 * np.percentile(smooth, 98)


def phase(image: Volume, rng) -> Volume:
    """Wrapped, with noise outside."""
    inner = 3 * image.data / image.data.max() * 6 + rng.normal(0, 0.3, image.shape)
    noise = rng.uniform(-np.pi, np.pi, image.shape)
    found = np.where(inside_of(image), np.angle(np.exp(1j * inner)), noise)
    return image.with_data((found * 1000).astype(np.float32))


def filtered_phase(image: Volume, rng) -> Volume:
    """High-pass of the image around 0, 0 outside."""
    detail = image.data - ndimage.gaussian_filter(image.data, 4 / image.spacing)
    return image.with_data(np.where(inside_of(image), -detail, 0).astype(np.float32))


def r2star(image: Volume, rng) -> Volume:
    """1/s of a magnitude that decayed from its brightest, 0 outside."""
    rate = -np.log(np.clip(image.data / image.data.max(), 0.01, 1)) * 40
    return image.with_data(np.where(inside_of(image), rate, 0).astype(np.float32))


def projection(image: Volume, rng) -> Volume:
    """Minimum over 8 mm across the slices, of as many slices."""
    axis = int(np.argmax(image.spacing))
    size = max(2, round(8 / image.spacing[axis]))
    return image.with_data(ndimage.minimum_filter1d(image.data, size, axis=axis))


def inverted(image: Volume, rng) -> Volume:
    """Bright outside."""
    return image.with_data(image.data.max() - image.data)


def inverted_inside(image: Volume, rng) -> Volume:
    """The head inverted, 0 outside."""
    top = np.percentile(image.data, 99.9)
    return image.with_data(np.where(inside_of(image), np.maximum(top - image.data, 0), 0))


def coarse(image: Volume, rng) -> Volume:
    """Voxels of 3 mm."""
    steps = np.maximum(1, np.round(3 / image.spacing)).astype(int)
    smooth = ndimage.uniform_filter(image.data, steps)
    affine = image.affine @ np.diag([*steps, 1.0])
    return Volume(smooth[tuple(slice(n // 2, None, n) for n in steps)], affine)


TRANSFORMED: dict[str, Callable] = {
    "phase": phase, "filtered phase": filtered_phase, "R2* map": r2star, "mIP": projection,
    "inverted": inverted, "inverted, 0 outside": inverted_inside, "EPI of 3 mm": coarse,
}  # fmt: skip


def blocks(image: Volume, rng) -> Volume:
    """Minimum over blocks of 8 mm across the slices, one slice each."""
    axis = int(np.argmax(image.spacing))
    size = max(2, round(8 / image.spacing[axis]))
    count = image.shape[axis] // size
    planes = np.moveaxis(image.data, axis, 0)[: count * size]
    lowest = planes.reshape(count, size, *planes.shape[1:]).min(1)
    steps = np.ones(4)
    steps[axis] = size
    return Volume(np.ascontiguousarray(np.moveaxis(lowest, 0, axis)), image.affine @ np.diag(steps))


def brightest(image: Volume, rng) -> Volume:
    """Maximum over 8 mm across the slices, of as many slices."""
    axis = int(np.argmax(image.spacing))
    size = max(2, round(8 / image.spacing[axis]))
    return image.with_data(ndimage.maximum_filter1d(image.data, size, axis=axis))


def susceptibility(image: Volume, rng) -> Volume:
    """Around 0, what is dark in the image bright, 0 outside."""
    level = np.median(image.data[inside_of(image)])
    ppm = np.where(inside_of(image), 0.3 * (1 - image.data / level), 0)
    return image.with_data(ppm.astype(np.float32))


def probability(image: Volume, rng) -> Volume:
    """Of white matter: smooth, 0 to 1."""
    level = np.median(image.data[inside_of(image)])
    near = np.exp(-(((image.data / level - 1) / 0.1) ** 2)) * inside_of(image)
    return image.with_data(ndimage.gaussian_filter(near, 1 / image.spacing).astype(np.float32))


def half(image: Volume, rng) -> Volume:
    """The left half of the grid alone."""
    count = image.shape[0] // 2
    return Volume(np.ascontiguousarray(image.data[:count]), image.affine)


def upside_down(image: Volume, rng) -> Volume:
    """Slices in reverse, the header as it was."""
    return image.with_data(np.ascontiguousarray(image.data[..., ::-1]))


def swapped(image: Volume, rng) -> Volume:
    """First and second axis swapped, the header as it was."""
    return Volume(np.ascontiguousarray(image.data.swapaxes(0, 1)), image.affine)


FURTHER: dict[str, Callable] = {
    "mIP in blocks": blocks, "maximum projection": brightest, "QSM": susceptibility,
    "probability map": probability, "half a head": half, "upside down": upside_down,
    "swapped axes": swapped,
}  # fmt: skip
"""Kinds that no rule was made for."""


def body(kind: str, rng) -> Volume:
    """A bottle of water, one with 80 bubbles, a ball of gel, a leg with two bones; 1 x 1 x 2 mm."""
    x, y, z = np.indices((200, 220, 90)) - np.array([100, 110, 45]).reshape(3, 1, 1, 1)
    z = 2 * z
    data = np.zeros(x.shape)
    spots, largest, dark = np.empty((0, 3)), 3, 30
    if kind.startswith("bottle"):
        data[(x**2 + y**2 < rng.uniform(55, 75) ** 2) & (abs(z) < rng.uniform(60, 85))] = 300
        if kind == "bottle with bubbles":
            spots, largest, dark = rng.uniform([-38, -38, -55], [38, 38, 55], (80, 3)), 3.5, 0
    elif kind == "ball":
        data[x**2 + y**2 + z**2 < rng.uniform(60, 85) ** 2] = 300
    else:
        data[(x / rng.uniform(40, 60)) ** 2 + (y / rng.uniform(45, 65)) ** 2 < 1] = 260
        for at, radius in (((-8, 10), 18), ((20, -12), 8)):
            bone = np.hypot(x - at[0], y - at[1])
            data[bone < radius] = 20
            data[bone < radius - 4] = 420
        spots = rng.uniform([-30, -40, -70], [30, 40, 70], (60, 3))
    for place in spots:
        away = sum((a - p) ** 2 for a, p in zip((x, y, z), place, strict=True))
        data[away < rng.uniform(1, largest) ** 2] = dark
    data *= 1 + 0.1 * x / 100
    data = np.hypot(data + rng.normal(0, 10, x.shape), rng.normal(0, 10, x.shape))
    return Volume(data.astype(np.float32), np.diag([1.0, 1.0, 2.0, 1.0]))


def heads_module(folder: Path):
    """heads.py of OTHERWORLD."""
    spec = importlib.util.spec_from_file_location("heads", folder / "heads.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def head(folder: Path, path: Path, kind: str, number: int, seed: int) -> Volume:
    """A person's head of a contrast, whole or stripped by turns."""
    module = heads_module(folder)
    if kind in CONTRASTS:
        csf, grey, white = CONTRASTS[kind]
        module.T2S.clear()
        for labels, value in ((CSF, csf), (GREY, grey), (WHITE, white)):
            module.T2S.update(dict.fromkeys(labels, value))
        module.T2S.update(OUTSIDE)
    rng = np.random.default_rng([seed, number])
    image, brain, affine = module.tissue_and_image(path, rng)
    if number % 4 > 1:
        image = image * ndimage.binary_closing(brain > 0, iterations=3)
    data, affine = module.resample(image, affine, ((0.9, 0.9, 1.5), (0.9, 0.9, 3.0))[number % 2], 1)
    noise = rng.normal(0, 0.03, (2, *data.shape)) * (1 if number % 4 < 2 else data > 0)
    return Volume((800 * np.hypot(data + noise[0], noise[1])).astype(np.float32), affine)
