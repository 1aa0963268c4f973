"""The shipped weights still detect: two scans of a seed of their own, one by each model."""

from dataclasses import replace

import numpy as np
import pytest

import cmbkit
from cmbkit.evaluation.scan import evaluate_scan
from cmbkit.phantom.profiles import PROFILES
from cmbkit.phantom.simulate import simulate
from cmbkit.volume import Volume

STRIPPED = replace(
    PROFILES["VALDO"].protocols[0][1],
    in_plane_mm=(0.8, 0.8),
    slice_spacing_mm=(1.5, 1.5),
    field_strength=(3.0,),
    te_ms=(25, 25),
    snr=(25, 25),
)


MIDDLE = slice(47, 79)
"""Slices of the brain, of 110, with half of its microbleeds: the network takes the time."""


def middle(volume):
    affine = volume.affine.copy()
    affine[:3, 3] += MIDDLE.start * affine[:3, 2]
    return Volume(volume.data[..., MIDDLE], affine)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["contrast", "physical"])
def test_most_microbleeds_are_found_and_little_else(model):
    scan = simulate(
        STRIPPED,
        patient_seed=(2026, 1),
        scan_seed=(2026, 1, 5),
        radii_mm=np.linspace(1.2, 2.6, 24),
        model=model,
    )
    found = cmbkit.predict(middle(scan.image), brain_mask=middle(scan.brain))
    _, row = evaluate_scan(middle(scan.masks), found.mask, uid="s", dataset="S", patient="p")
    assert row["n_gt"] >= 10
    assert row["f1"] >= 0.7


@pytest.mark.slow
def test_the_largest_microbleeds_are_found():
    """8 to 10 mm, the upper end of the definition: the network learnt on smaller ones."""
    scan = simulate(
        STRIPPED, patient_seed=(2026, 1), scan_seed=(2026, 1, 5), radii_mm=np.linspace(4, 5, 12)
    )
    found = cmbkit.predict(middle(scan.image), brain_mask=middle(scan.brain))
    _, row = evaluate_scan(middle(scan.masks), found.mask, uid="s", dataset="S", patient="p")
    assert row["n_gt"] == 5
    assert row["tp"] >= 4
