"""Which places of a raw slice are worth showing."""

import numpy as np

from cmbkit.chapters.raw_slices import conspicuity


def test_a_dark_spot_is_conspicuous_the_less_so_with_noise_or_a_vessel_beside():
    """Grid of 0.5 mm; a ball of 1.5 mm amid a crop of 30 mm, depth 10, noise of SD 1: about 10."""
    rng = np.random.default_rng(0)
    x, y = np.indices((60, 60)) * 0.5 + 0.25 - 15
    spot = 10.0 * (np.hypot(x, y) < 1.5)
    noise = rng.normal(size=spot.shape)
    plain = conspicuity(noise - spot, (30.0, 30.0))
    assert 9 < plain < 11
    assert conspicuity(3 * noise - spot, (30.0, 30.0)) < plain / 2
    vessel = 10.0 * (np.abs(x - 5) < 0.6)
    assert conspicuity(noise - spot - vessel, (30.0, 30.0)) < plain / 2
