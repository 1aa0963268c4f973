"""The source task of transfer learning (section 6.2.2), in miniature.

The thesis starts from a network trained on proprietary scans with infarcts, tumours,
haemorrhages and oedema on FLAIR, SWI/T2S and DWI. That network is not available, so this
stand-in is trained on a synthetic brain with synthetic lesions of those four kinds, drawn anew
for every patch. Its weights say "synthetic source task" in ``config.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from cmbkit.anatomy.atlas import load_atlas
from cmbkit.boxes import cut_box
from cmbkit.detector.network.backend import make_deterministic
from cmbkit.detector.network.losses import combined_loss
from cmbkit.detector.network.transfer import CONFIG, SOURCE_CLASSES, SOURCE_SEQUENCES, WEIGHTS
from cmbkit.detector.network.unet import build, compile_for_training, save_weights
from cmbkit.detector.patches.sampling import random_start
from cmbkit.detector.patches.stream import prefetched
from cmbkit.params import Network, Training
from cmbkit.running.report import report_progress
from cmbkit.volume import Volume

NAME = "synthetic source task"
LEARNING_RATE = 1.0e-3
FLUID = (4, 5, 14, 15, 24, 43, 44)
WHITE = (2, 7, 41, 46)
IRON_RICH = (11, 12, 13, 26, 50, 51, 52, 58)

# Intensity on (FLAIR, SWI/T2S, DWI), in arbitrary units.
TISSUE = {"air": (0, 0, 0), "grey": (90, 90, 80), "white": (75, 80, 65)}
TISSUE |= {"fluid": (20, 120, 15), "iron": (80, 60, 65)}
LESION = {
    "infarct": (140, 95, 160),
    "tumour": (120, 100, 95),
    "haemorrhage": (70, 15, 30),
    "oedema": (150, 110, 75),
}
RADIUS_MM = {"infarct": (5, 15), "tumour": (6, 14), "haemorrhage": (3, 12)}
OEDEMA_RIM_MM = (3, 8)


@dataclass(frozen=True)
class SyntheticBrain:
    """Noise-free tissue intensities (x, y, z, 3) and the brain mask on one isotropic grid."""

    tissue: np.ndarray
    brain: np.ndarray
    spacing_mm: float

    @classmethod
    def from_labels(cls, labels: Volume, spacing_mm: float) -> SyntheticBrain:
        """Make it from SynthSeg label numbers by picking the nearest voxel."""
        factor = labels.spacing / spacing_mm
        size = np.maximum(1, np.rint(np.array(labels.shape) * factor)).astype(int)
        picks = [
            np.minimum(((np.arange(n) + 0.5) / f).astype(int), m - 1)
            for n, f, m in zip(size, factor, labels.shape, strict=True)
        ]
        grid = labels.data[np.ix_(*picks)]
        table = np.tile(np.float32(TISSUE["grey"]), (256, 1))
        for numbers, kind in (((0,), "air"), (FLUID, "fluid"), (WHITE, "white")):
            table[list(numbers)] = TISSUE[kind]
        table[list(IRON_RICH)] = TISSUE["iron"]
        return cls(table[grid], grid > 0, spacing_mm)


def draw_patch(
    brain: SyntheticBrain, patch, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """One patch with up to three lesions.

    Returns
    -------
    image : ndarray (*patch, 3), float32
        z-scored per sequence; order as `SOURCE_SEQUENCES`.
    classes : ndarray (*patch), uint8
        Index into `SOURCE_CLASSES`.
    """
    start = random_start(brain.brain.shape, patch, rng)
    inside = cut_box(brain.brain, start, patch, False)
    image = np.stack([cut_box(brain.tissue[..., c], start, patch, 0) for c in range(3)], axis=-1)
    classes = np.zeros(tuple(patch), np.uint8)
    places = np.flatnonzero(inside)
    for _ in range(int(rng.integers(0, 4)) if places.size else 0):
        centre = np.array(np.unravel_index(rng.choice(places), tuple(patch)))
        kind = ("infarct", "tumour", "haemorrhage")[rng.integers(3)]
        _add_lesion(image, classes, inside, kind, centre, brain.spacing_mm, rng)
    image = _acquire(image, inside, rng)
    return image, classes


def _add_lesion(image, classes, inside, kind, centre, spacing_mm, rng) -> None:
    """Paint one ellipsoidal lesion, a tumour with a rim of oedema, into both arrays."""
    radius = rng.uniform(*RADIUS_MM[kind]) / spacing_mm * rng.uniform(0.7, 1.3, 3)
    axes = np.ogrid[tuple(slice(0, n) for n in classes.shape)]
    distance = np.sqrt(
        sum(((x - c) / r) ** 2 for x, c, r in zip(axes, centre, radius, strict=True))
    )
    parts = [(kind, distance <= 1)]
    if kind == "tumour":
        rim = 1 + rng.uniform(*OEDEMA_RIM_MM) / spacing_mm / radius.mean()
        parts.insert(0, ("oedema", distance <= rim))
    for name, where in parts:
        where = where & inside
        image[where] = np.array(LESION[name]) * rng.uniform(0.8, 1.2)
        classes[where] = SOURCE_CLASSES.index(name)


def _acquire(image, inside, rng) -> np.ndarray:
    """Blur, contrast jitter, noise, z-score."""
    image = ndimage.gaussian_filter(image, (0.6, 0.6, 0.6, 0))
    image = image * rng.uniform(0.8, 1.2, 3) + inside[..., None] * rng.normal(0, 5, 3)
    image = image + rng.normal(0, rng.uniform(2, 8), image.shape)
    sd = np.maximum(image.std(axis=(0, 1, 2)), 1e-3)
    return ((image - image.mean(axis=(0, 1, 2))) / sd).astype(np.float32)


def source_batches(
    brain: SyntheticBrain, patch, batch_size: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless batches: images (batch, *patch, 3) float32 and classes (batch, *patch) int32."""
    rng = np.random.default_rng(seed)
    while True:
        drawn = [draw_patch(brain, patch, rng) for _ in range(batch_size)]
        images, classes = zip(*drawn, strict=True)
        yield np.stack(images), np.stack(classes).astype(np.int32)


def build_source(network: Network, *, seed: int = 0):
    """Return the source network: three input channels, five classes."""
    return build(
        network, n_channels=len(SOURCE_SEQUENCES), n_classes=len(SOURCE_CLASSES), seed=seed
    )


def train_source(
    network: Network, training: Training, folder: Path, *, seed: int, step: str
) -> None:
    """Train the source network for ``training.source_steps`` gradient steps.

    Writes ``source.weights.h5``, ``history.csv`` (step, train_loss) and ``config.json``. The batch
    size is that of ``training.pretrain_tl``; the loss that of the study, with weight 0.1 for
    background and 1 for each lesion class. ``step`` is named in the progress display.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    make_deterministic(seed)
    brain = SyntheticBrain.from_labels(load_atlas(), training.source_spacing_mm)
    weights = [0.1] + [1.0] * (len(SOURCE_CLASSES) - 1)
    settings = training.model_copy(update={"cross_entropy_weights": weights})
    model = build_source(network, seed=seed)
    compile_for_training(model, LEARNING_RATE, combined_loss(settings))
    total, history = training.source_steps, []
    report_progress(step, 0, total)
    source = source_batches(brain, network.patch_size, training.pretrain_tl.batch_size, seed)
    with prefetched(source) as stream:
        for i in range(1, total + 1):
            images, classes = next(stream)
            history.append({"step": i, "train_loss": float(model.train_on_batch(images, classes))})
            if i % 10 == 0 or i == total:
                report_progress(step, i, total)
    save_weights(model, folder / WEIGHTS)
    pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
    config = {"name": NAME, "seed": seed, "steps": total, "spacing_mm": brain.spacing_mm}
    config |= {"sequences": SOURCE_SEQUENCES, "classes": SOURCE_CLASSES}
    (folder / CONFIG).write_text(json.dumps(config, indent=1))
