"""Tiny standardised scans: dark balls (microbleeds) and bright balls (not) in noise."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cmbkit.params import Augmentation, Network, Phase, Training
from cmbkit.records import Acquisition, Annotation, Scan, StandardScan
from cmbkit.volume import Volume

SIDE = 32
BACKGROUND = -3.0


def ball(shape, centre, radius):
    axes = np.ogrid[tuple(slice(0, n) for n in shape)]
    return sum((x - c) ** 2 for x, c in zip(axes, centre, strict=True)) <= radius**2


def write_scan(folder: Path, name: str, dark, bright=(), seed=0, side=SIDE) -> StandardScan:
    """A scan whose brain is everything but a border of 2 voxels."""
    shape = (side,) * 3
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 0.4, shape).astype(np.float32)
    lesions = np.zeros(shape, np.uint16)
    for id, centre in enumerate(dark, 1):
        image[ball(shape, centre, 2)] -= 3
        lesions[ball(shape, centre, 2)] = id
    for centre in bright:
        image[ball(shape, centre, 2)] += 3
    brain = np.zeros(shape, np.uint8)
    brain[2:-2, 2:-2, 2:-2] = 1
    image[brain == 0] = BACKGROUND
    scan = Scan(
        "MOMENI", name, name, "SWI", Path("none"), Annotation("none"), Acquisition((1, 1), 1)
    )
    made = StandardScan(scan, folder / name)
    affine = np.diag([0.75, 0.75, 0.75, 1])
    Volume(image, affine).write(made.image_path)
    Volume(lesions, affine).write(made.lesions_path)
    Volume(brain, affine).write(made.brain_path)
    Volume(brain * np.uint8(2), affine).write(made.labels_path)
    ids = np.arange(1, len(dark) + 1)
    pd.DataFrame({"id": ids}).to_csv(made.table_path, sep="\t", index=False)
    made.record_path.write_text(json.dumps({"background_value": BACKGROUND}))
    return made


@pytest.fixture
def standard_scan(tmp_path):
    """Call with a name and centres of dark (microbleeds) and bright balls."""

    def make(name, *, dark, bright=(), seed=0, side=SIDE):
        return write_scan(tmp_path / "scans", name, dark, bright, seed, side)

    return make


@pytest.fixture(scope="session")
def write_random_scan():
    """Call with a folder, a name and a seed: three microbleeds, three bright balls."""

    def write(folder, name, seed):
        rng = np.random.default_rng([seed, 7])
        centres: list = []
        while len(centres) < 6:
            new = rng.integers(6, SIDE - 6, 3)
            if all(np.linalg.norm(new - old) > 7 for old in centres):
                centres.append(new)
        return write_scan(folder, name, centres[:3], centres[3:], seed)

    return write


@pytest.fixture
def random_scan(tmp_path, write_random_scan):
    """Call with a name and a seed (see `write_random_scan`)."""
    return partial(write_random_scan, tmp_path / "scans")


@pytest.fixture(scope="session")
def small_network() -> Network:
    return Network(
        patch_size=[16, 16, 16],
        filters_per_depth=[6, 12],
        filters_out_bottom_conv=16,
        n_conv_per_depth=2,
        n_conv_per_depth_upsampling=1,
        n_conv_bottom=1,
    )


@pytest.fixture(scope="session")
def tiny_network() -> Network:
    return Network(
        patch_size=[16, 16, 16],
        filters_per_depth=[4],
        filters_out_bottom_conv=4,
        n_conv_per_depth=1,
        n_conv_per_depth_upsampling=1,
        n_conv_bottom=1,
    )


@pytest.fixture(scope="session")
def small_training() -> Training:
    return Training(
        patches_per_scan=10,
        queue_patches=20,
        validation_share=1.0,
        validation_patches_per_scan=4,
        augmentation=Augmentation(spatial=0.2, intensity=0.2, blur=0.1, inversion=0.0),
    )


@pytest.fixture(scope="session")
def small_phase() -> Phase:
    return Phase(
        datasets=["MOMENI"],
        epochs=2,
        steps_per_epoch=40,
        batch_size=4,
        learning_rate=1e-2,
        keep="count_f1",
    )
