"""Obuchowski-Rockette against printed results and against Dorfman, Berbaum and Metz by hand."""

import numpy as np
import pytest
from scipy.stats import f

from cmbkit.evaluation.multireader import (
    average_covariances,
    jackknife_covariance,
    obuchowski_rockette,
)

# Van Dyke et al. 1993, trapezoidal areas of 5 readers, as OR-DBM MRMC 2.51 prints them and the
# covariances by the jackknife (RJafroc, inst/IowaResults/VanDyke_trap_area_jackknife_anova.txt).
AREAS = [
    [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
    [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169],
]
TERMS = {"variance": 0.00080229, "cov_1": 0.00034661, "cov_2": 0.00034407, "cov_3": 0.00023903}


def covariance_of(variance, cov_1, cov_2, cov_3, n=2, r=5):
    found = np.full((n, r, n, r), cov_3)
    for i in range(n):
        found[i, :, i, :] = cov_2
        for j in range(r):
            found[i, j, :, j] = cov_1
    for i, j in np.ndindex(n, r):
        found[i, j, i, j] = variance
    return found


def test_van_dyke_as_printed():
    covariance = covariance_of(**TERMS)
    assert average_covariances(covariance) == pytest.approx(TERMS)
    both, cases, readers = obuchowski_rockette(AREAS, covariance).itertuples(index=False)
    assert (both.f, both.df_2, both.p_value) == pytest.approx((4.46, 15.26, 0.0517), abs=5e-3)
    assert both.p_value == pytest.approx(0.0517, abs=5e-5)
    assert both.error == pytest.approx(0.02075, abs=5e-6)
    difference = np.subtract(*np.mean(AREAS, axis=1))
    ends = [difference - both.half, difference + both.half]
    assert ends == pytest.approx([-0.08796, 0.00036], abs=1e-5)
    assert (cases.f, cases.p_value) == pytest.approx((5.47595, 0.0193), abs=2e-4)
    assert (readers.f, readers.df_2) == (pytest.approx(8.70, abs=5e-3), 4)
    assert readers.p_value == pytest.approx(0.0420, abs=5e-5)


def test_pseudovalues_after_dorfman_berbaum_and_metz_give_the_same():
    """A figure that is no mean of cases; the analysis of variance is written out by definition."""
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(3, 4, 12)) + rng.normal(size=12) + rng.normal(size=(3, 1, 12))
    whole = np.sqrt(np.abs(scores.mean(axis=-1)) + 1)
    n = scores.shape[-1]
    rest = (scores.sum(axis=-1, keepdims=True) - scores) / (n - 1)
    without = np.sqrt(np.abs(rest) + 1)
    pseudo = n * whole[..., None] - (n - 1) * without
    pseudo += (whole - pseudo.mean(axis=-1))[..., None]  # normalised

    def mean_square(*axes):
        """Of the interaction of these axes: what the means over the others leave unexplained."""
        effect = pseudo.mean(axis=tuple({0, 1, 2} - set(axes)), keepdims=True)
        for axis in axes:
            effect = effect - effect.mean(axis=axis, keepdims=True)
        repeats = pseudo.size / effect.size
        return repeats * (effect**2).sum() / np.prod([pseudo.shape[a] - 1 for a in axes])

    t, tr, tc, trc = (mean_square(*axes) for axes in ((0,), (0, 1), (0, 2), (0, 1, 2)))
    below = tr + max(tc - trc, 0)
    df_2 = below**2 / (tr**2 / (2 * 3))
    found = obuchowski_rockette(whole, jackknife_covariance(without)).iloc[0]
    expected = (t / below, 2, df_2, f.sf(t / below, 2, df_2))
    assert found[["f", "df_1", "df_2", "p_value"]].tolist() == pytest.approx(expected)
    assert tc > trc  # the patients' term counts


def test_one_reader_is_no_sample():
    with pytest.raises(ValueError, match="two readers or more, found"):
        obuchowski_rockette([[0.5], [0.6]], np.zeros((2, 1, 2, 1)))


def test_where_the_gain_is_the_same_with_every_reader_there_is_no_f_of_readers():
    """.1 more with each of three readers, but for rounding: nothing to divide by."""
    figures = np.array([[0.6, 0.7, 0.65], [0.7, 0.8, 0.75]])
    same = np.full((2, 3, 2, 3), 0.001) + 0.001 * np.eye(6).reshape(2, 3, 2, 3)
    found = obuchowski_rockette(figures, same)
    assert found.loc["random readers, fixed patients", ["f", "p_value"]].isna().all()
    assert np.isfinite(found.loc["fixed readers, random patients", "f"])


def test_why_there_is_no_f_is_said():
    """Fixed readers: 0.001 - 0.002 + (2 - 1) x 0 = -0.001 is no variance; the others have one."""
    covariance = np.zeros((2, 2, 2, 2))
    for i, j in np.ndindex(2, 2):
        covariance[i, j, i, j], covariance[i, j, 1 - i, j] = 0.001, 0.002
    found = obuchowski_rockette([[0.6, 0.7], [0.7, 0.75]], covariance)
    fixed = found.loc["fixed readers, random patients"]
    assert np.isnan(fixed["f"]) and np.isnan(fixed["p_value"])
    assert fixed["remark"] == "no F: the estimated variance is not above 0 (-0.001)"
    assert (found["remark"] == "").tolist() == [True, False, True]
