"""Densities and fences against values known by formula."""

import numpy as np
import pytest

from cmbkit.plotting.canvas import new_figure
from cmbkit.plotting.violins import density, draw_violin, within_fences


def test_density_of_a_symmetric_pair_peaks_in_the_middle_and_is_symmetric():
    grid, height = density([-1.0, 1.0], cut=3)
    assert grid[height.argmax()] == pytest.approx(0.0, abs=0.05)
    np.testing.assert_allclose(height, height[::-1], rtol=1e-9)


def test_cut_of_two_reaches_two_bandwidths_beyond_the_data():
    # Scott's rule in one dimension: bandwidth = sd * n^(-1/5)
    values = np.array([0.1, 0.2, 0.4, 0.8, 0.9])
    grid, _ = density(values, cut=2)
    bandwidth = values.std(ddof=1) * 5 ** (-1 / 5)
    assert grid[0] == pytest.approx(0.1 - 2 * bandwidth)
    assert grid[-1] == pytest.approx(0.9 + 2 * bandwidth)


def test_limits_cut_the_curve_and_leave_its_height():
    # bandwidth b = sd 2^(-1/5); at x the height is exp(-(x/b)^2 / 2) + exp(-((x - 1)/b)^2 / 2)
    b = np.sqrt(0.5) * 2 ** (-1 / 5)
    grid, height = density([0.0, 1.0], cut=2, limits=(0, 1))
    assert (grid[0], grid[-1]) == (0.0, 1.0)
    at_0, middle = 1 + np.exp(-0.5 / b**2), 2 * np.exp(-0.5 * (0.5 / b) ** 2)
    assert height[0] / height.max() == pytest.approx(at_0 / middle, rel=1e-3)
    whole, _ = density([0.4, 0.5], cut=2)
    assert density([0.4, 0.5], cut=2, limits=(0, 1))[0].tolist() == whole.tolist()


@pytest.mark.parametrize("sample", [[], [1.0], [10.0, 10.0, 10.0], [np.nan, 2.0]])
def test_no_density_without_spread(sample):
    assert density(sample) == (None, None)


def test_fences_of_one_to_eleven_and_a_hundred():
    # quartiles of 1..11 with 100: 3.75 and 9.25 (linear), fences -4.5 and 17.5
    np.testing.assert_array_equal(within_fences([*range(1, 12), 100]), np.arange(1, 12))


def test_half_violin_stays_on_its_side():
    axes = new_figure(4, 3).subplots()
    draw_violin(axes, [0.1, 0.4, 0.5, 0.9], 2, "C0", side="left", points=True)
    body, dots = axes.collections
    assert body.get_paths()[0].vertices[:, 0].max() <= 2 + 1e-9
    assert np.asarray(dots.get_offsets())[:, 0].max() <= 2
    assert all(line.get_xdata().max() <= 2 + 1e-9 for line in map(_as_array, axes.lines))


def test_equal_values_still_show_their_median():
    axes = new_figure(4, 3).subplots()
    draw_violin(axes, [10, 10, 10], 1, "C0")
    assert len(axes.collections) == 0
    assert {float(line.get_ydata()[0]) for line in axes.lines} == {10.0}


def _as_array(line):
    line.set_data(np.asarray(line.get_xdata()), np.asarray(line.get_ydata()))
    return line
