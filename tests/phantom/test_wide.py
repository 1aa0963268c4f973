"""The wide prior: within its ranges, spread over them, the same by seed, nobody else changed."""

import numpy as np
import pytest

from cmbkit.phantom import cohort, wide
from cmbkit.phantom.head import Contrast
from cmbkit.phantom.physical import draw_acquisition
from cmbkit.phantom.profiles import PROFILES
from cmbkit.phantom.tissues import drawn_factors

VALDO = PROFILES["VALDO"].protocols[0][1]


def protocols(n, seed=3):
    rng = np.random.default_rng(seed)
    return [wide.widened(VALDO, rng) for _ in range(n)]


def test_protocols_stay_in_their_ranges_and_fill_them():
    found = protocols(400)
    pixel = np.array([p.in_plane_mm[0] for p in found])
    slices = np.array([p.slice_spacing_mm[0] for p in found])
    width = np.array([p.slice_thickness_mm[0] for p in found]) / slices
    snr = np.array([p.snr[0] for p in found])
    for values, (low, high) in ((pixel, (0.35, 1)), (slices, (0.8, 6)), (snr, (6, 60))):
        assert low <= values.min() < low * 1.05 < high / 1.05 < values.max() <= high
        # log-uniform: half lie below the geometric mean
        assert np.mean(values < np.sqrt(low * high)) == pytest.approx(0.5, abs=0.08)
    assert width.min() >= 0.67
    assert width.max() <= 2
    assert np.mean(width == 1) == pytest.approx(0.6, abs=0.08)
    assert np.mean([p.field_strength == (3.0,) for p in found]) == pytest.approx(0.5, abs=0.08)
    assert np.mean([p.sequence == "SWI" for p in found]) == pytest.approx(0.5, abs=0.08)
    assert not any(p.head for p in found), "VALDO's are skull-stripped and stay so"


def test_the_same_seed_gives_the_same_protocols():
    assert protocols(5) == protocols(5)
    assert protocols(5) != protocols(5, seed=4)


def test_sizes_of_a_scan_change_together():
    small, large = wide.resized((1.0, 1.5), np.random.default_rng(1))
    assert large / small == pytest.approx(1.5)
    assert wide.resized((5.0,) * 9, np.random.default_rng(1))[0] <= 5


def test_factors_have_the_asked_spread_and_none_leaves_the_generator_alone():
    rng = np.random.default_rng(0)
    drawn = np.log([drawn_factors(0.2, rng) for _ in range(4000)])
    np.testing.assert_allclose(drawn.std(axis=0), [0.2, 0.4], rtol=0.05)
    before = rng.bit_generator.state
    assert drawn_factors(0.0, rng) == (1.0, 1.0)
    assert rng.bit_generator.state == before
    assert draw_acquisition(VALDO, rng).factors == (1.0, 1.0)
    varied = Contrast(1.2, 0.6, 1.0, 0.75).varied(0.2, np.random.default_rng(5))
    grey, fluid = drawn_factors(0.2, np.random.default_rng(5))
    assert (varied.grey, varied.fluid) == (1.2 * grey, 0.6 * fluid)
    assert (varied.iron, varied.dropout) == (1.0, 0.75)


def test_a_wide_cohort_draws_a_protocol_and_a_model_for_each_scan(monkeypatch, tmp_path):
    asked = []

    class Asked(Exception):
        pass

    def simulate(protocol, **how):
        asked.append((protocol, how["model"], how["crop"]))
        raise Asked

    monkeypatch.setattr(cohort, "simulate", simulate)
    for plan in cohort._plan("DOU", 40, 1):
        with pytest.raises(Asked):
            cohort._write(plan, tmp_path, model="wide")
    assert len({protocol for protocol, *_ in asked}) == 40
    assert 16 <= sum(model == "physical" for _, model, _ in asked) <= 32
    assert 3 <= sum(crop for *_, crop in asked) <= 18
    assert all(protocol.head for protocol, *_ in asked)


def test_stray_vessels_run_in_every_direction_and_stay_in_their_sizes():
    tubes = [t for n in range(8) for t in wide.draw_stray(60, np.random.default_rng(n))]
    assert len(tubes) == pytest.approx(8 * 60, abs=4 * np.sqrt(8 * 60))  # Poisson
    ends = np.array([t.path[-1] - t.path[0] for t in tubes])
    length = np.linalg.norm(ends, axis=1)
    assert 2 < length.min() < length.max() <= 50
    # of a uniform direction each component is uniform from -1 to 1: mean 0, variance 1/3
    directions = ends / length[:, None]
    np.testing.assert_allclose(directions.mean(axis=0), 0, atol=0.1)
    np.testing.assert_allclose(directions.var(axis=0), 1 / 3, atol=0.05)
    radii = [t.radius_mm for t in tubes]
    assert 0.2 <= min(radii) < 0.3 < 1.0 < max(radii) <= 1.1


def test_plexus_calcifications_lie_in_the_lateral_ventricles():
    blobs = [
        b for n in range(20) for b in wide.draw_plexus(np.random.default_rng(n), lambda _: True)
    ]
    assert 30 <= len(blobs) <= 90
    assert {b.kind for b in blobs} == {"calcification"}
    assert np.mean([b.label in (4, 43) for b in blobs]) > 0.9  # the others within half a voxel
