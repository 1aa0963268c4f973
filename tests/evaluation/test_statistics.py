import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from cmbkit.evaluation import statistics
from cmbkit.evaluation.hypotheses import compare_models
from cmbkit.evaluation.metrics import froc, sensitivity_at
from cmbkit.params import Evaluation


def scans(tp, fp, fn, patients=None, dataset="DOU"):
    n = len(tp)
    return pd.DataFrame(
        {
            "uid": [f"s{i}" for i in range(n)],
            "dataset": dataset,
            "patient": patients or [f"p{i}" for i in range(n)],
            "tp": tp,
            "fp": fp,
            "fn": fn,
        }
    )


@pytest.mark.parametrize(("k", "n"), [(51, 74), (0, 12), (7, 7)])
def test_wilson_agrees_with_scipy(k, n):
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert statistics.wilson(k, n) == pytest.approx((expected.low, expected.high))
    assert all(np.isnan(statistics.wilson(0, 0)))


def test_wilson_begins_at_0_and_ends_at_1_without_rounding():
    """By its formula the interval of 0 of n begins at 0 and that of n of n ends at 1."""
    n = np.arange(1, 200)
    assert (statistics.wilson(0 * n, n)[0] == 0).all()
    assert (statistics.wilson(n, n)[1] == 1).all()


def test_patients_are_drawn_whole():
    """Scans of one patient have the same weight; every sample draws as many patients as exist."""
    weights = statistics.bootstrap_weights([0, 0, 1, 2], samples=200, seed=1)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 1:].sum(axis=1) == 3).all()


def test_the_same_patient_name_in_two_sources_is_two_patients():
    table = scans([1, 1], [0, 0], [0, 0], ["1", "1"], "Valid")
    assert statistics.patient_codes(table).tolist() == [0, 0]
    assert statistics.patient_codes(table.assign(source=["VALDO", "RODEJA"])).tolist() == [0, 1]


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0, 3.689), (1, 0.0253, 5.572)])
def test_poisson_interval_agrees_with_garwoods_table(count, low, high):
    assert statistics.poisson_interval(count) == pytest.approx((low, high), abs=1e-3)


def test_poisson_interval_of_a_rate_is_that_of_its_count_over_the_exposure():
    low, high = statistics.poisson_interval([10, 10], [2, 0])
    assert (low[0], high[0]) == pytest.approx((4.795 / 2, 18.390 / 2), abs=1e-3)
    assert np.isnan(low[1]) and np.isnan(high[1])


def test_percentiles_leave_out_what_is_not_finite():
    """0 to 40 and two undefined: the 2.5th and 97.5th percentiles are 1 and 39."""
    samples = np.array([np.nan, *range(41), np.inf])
    assert statistics.percentile_interval(samples) == pytest.approx((1, 39))
    assert np.isnan(statistics.percentile_interval(np.array([np.nan]))).all()


def test_resampled_mean_matches_the_normal_approximation():
    """FP per scan of 400 scans: the interval is mean +- 1.96 sd / sqrt(n) within 15 %."""
    fp = np.random.default_rng(3).poisson(2.0, 400)
    table = scans(np.ones(400, int), fp, np.zeros(400, int))
    found = statistics.summary(table, Evaluation(bootstrap_samples=2000), 4)
    half = 1.96 * fp.std() / 20
    assert found["fp_scan"] == fp.mean()
    assert found["fp_scan_high"] - found["fp_scan_low"] == pytest.approx(2 * half, rel=0.15)
    assert found["fp_scan_sd"] == pytest.approx(fp.std(ddof=1))
    assert found == statistics.summary(table, Evaluation(bootstrap_samples=2000), 4)


def test_summary_where_nothing_is_defined():
    found = statistics.summary(scans([0, 0], [0, 0], [0, 0]), Evaluation(bootstrap_samples=50), 0)
    assert all(np.isnan(found[f"pooled_f1{end}"]) for end in ("", "_low", "_high"))
    assert [found[f"fp_scan{end}"] for end in ("", "_low", "_high")] == [0, 0, 0]


def test_every_group_has_a_row_in_the_order_in_which_it_comes():
    table = pd.concat([scans([3], [1], [0], dataset="DOU"), scans([1], [0], [1], dataset="CRB")])
    found = statistics.summary_by(table, ["dataset"], Evaluation(bootstrap_samples=10), 1)
    assert found["dataset"].tolist() == ["DOU", "CRB"]
    assert found["pooled_precision"].tolist() == [0.75, 1.0]
    assert found["n_scans"].tolist() == [1, 1]


def test_exact_permutation_by_hand():
    """Three patients, the first model always has one FP more: 2 of 8 swaps are as extreme."""
    one, other = scans([1, 1, 1], [1, 1, 1], [0, 0, 0]), scans([1, 1, 1], [0, 0, 0], [0, 0, 0])
    found = compare_models(one, other, metrics=("fp_scan",)).loc["fp_scan"]
    assert found["difference"] == 1
    assert found["p_value"] == 2 / 8
    assert found["exact"]


def test_a_model_against_itself_has_p_1_and_order_does_not_matter():
    table = scans([2, 0, 1, 3] * 5, [0, 1, 2, 0] * 5, [1, 1, 0, 0] * 5)
    found = compare_models(table, table.iloc[::-1], samples=300)
    assert (found["p_value"] == 1).all()
    assert not found["exact"].any()


def test_unpaired_scans_are_named():
    table = scans([1, 1], [0, 0], [0, 0])
    with pytest.raises(ValueError, match=r"found \['s1'\] unpaired"):
        compare_models(table, table.iloc[:1])


def test_froc_interval_resamples_patients_with_their_candidates():
    """Against drawing the patients one by one and building each curve from its table."""
    rng = np.random.default_rng(2)
    table = scans([0] * 6, [0] * 6, [0] * 6).assign(n_gt=[2, 0, 1, 3, 1, 2])
    matches = []
    for row in table.to_dict("records"):
        found = min(row["n_gt"], int(rng.integers(0, 3)))
        matches += [(row["uid"], "TP", s) for s in rng.choice([0.2, 0.5, 0.9], found)]
        matches += [(row["uid"], "FP", s) for s in rng.choice([0.2, 0.5, 0.9], rng.integers(0, 3))]
        matches += [(row["uid"], "FN", np.nan)] * (row["n_gt"] - found)
    matches = pd.DataFrame(matches, columns=["uid", "match", "score"])
    levels = (0.25, 1, 2)
    found = statistics.froc_intervals(matches, table, levels=levels, samples=60, seed=5)
    weights = statistics.bootstrap_weights(range(6), 60, 5).astype(int)
    drawn = []
    for sample in weights:
        names = np.repeat(table["uid"], sample)
        own = pd.concat([matches[matches["uid"] == name] for name in names])
        drawn.append(sensitivity_at(froc(own, len(names)), levels).to_numpy())
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(found["low"], low)
    np.testing.assert_allclose(found["high"], high)


def test_intervals_of_sorting_scans():
    """One scan right, one missed: resamples have F1 1, 2/3 or 0, each end in a quarter."""
    table = pd.DataFrame({"dataset": "DOU", "patient": ["a", "b"], "n_gt": 5, "n_pred": [5, 0]})
    params = Evaluation(bootstrap_samples=1000)
    found = statistics.classification_summary(table, 3, "at_least", params, 0)
    assert (found["f1_low"], found["f1"], found["f1_high"]) == (0, 2 / 3, 1)
    assert (found["n_positive"], found["recall"]) == (2, 0.5)
    # Wilson for 1 of 2: 0.5 -+ 1.96 sqrt(0.25 / 2 + 1.96^2 / 16) / (1 + 1.96^2 / 2)
    assert (found["recall_low"], found["recall_high"]) == pytest.approx((0.0945, 0.9055), abs=1e-4)
    alone = statistics.classification_summary(table.head(1), 3, "at_least", params, 0)
    assert (alone["f1_low"], alone["f1_high"]) == (1, 1)
    other = statistics.classification_summary(table.head(1), 3, "fewer_than", params, 0)
    assert all(np.isnan(other[name]) for name in ("f1", "f1_low", "recall", "recall_low"))
