"""The shipped weights still detect: two small scans of a seed of their own, one by each model."""

from dataclasses import replace

import numpy as np
import pytest

import cmbkit
from cmbkit.evaluation.scan import evaluate_scan
from cmbkit.phantom.profiles import PROFILES
from cmbkit.phantom.simulate import simulate

STRIPPED = replace(
    PROFILES["VALDO"].protocols[0][1],
    in_plane_mm=(0.8, 0.8),
    slice_spacing_mm=(1.5, 1.5),
    field_strength=(3.0,),
    te_ms=(25, 25),
    snr=(25, 25),
)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["contrast", "physical"])
def test_most_microbleeds_are_found_and_little_else(model):
    scan = simulate(
        STRIPPED,
        patient_seed=(2026, 1),
        scan_seed=(2026, 1, 5),
        radii_mm=np.linspace(1.2, 2.6, 12),
        model=model,
    )
    found = cmbkit.predict(scan.image, brain_mask=scan.brain)
    _, row = evaluate_scan(scan.masks, found.mask, uid="s", dataset="S", patient="p")
    assert row["n_gt"] >= 10
    assert row["f1"] >= 0.7
