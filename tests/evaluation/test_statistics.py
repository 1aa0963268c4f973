import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from cmbkit.evaluation import statistics
from cmbkit.evaluation.metrics import froc, sensitivity_at


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


def test_patients_are_drawn_whole():
    """Scans of one patient have the same weight; every sample draws as many patients as exist."""
    weights = statistics.bootstrap_weights([0, 0, 1, 2], samples=200, seed=1)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 1:].sum(axis=1) == 3).all()


def test_the_same_patient_name_in_two_sources_is_two_patients():
    table = scans([1, 1], [0, 0], [0, 0], ["1", "1"], "Valid")
    assert statistics.patient_codes(table).tolist() == [0, 0]
    assert statistics.patient_codes(table.assign(source=["VALDO", "RODEJA"])).tolist() == [0, 1]


def test_bootstrap_of_a_mean_matches_the_normal_approximation():
    """FP per scan of 400 scans: the interval is mean +- 1.96 sd / sqrt(n) within 15 %."""
    fp = np.random.default_rng(3).poisson(2.0, 400)
    table = scans(np.ones(400, int), fp, np.zeros(400, int))
    found = statistics.bootstrap(table, samples=2000, seed=4).loc["fp_scan"]
    half = 1.96 * fp.std() / 20
    assert found["value"] == fp.mean()
    assert found["high"] - found["low"] == pytest.approx(2 * half, rel=0.15)
    again = statistics.bootstrap(table, samples=2000, seed=4).loc["fp_scan"]
    assert found.equals(again)


def test_bootstrap_where_nothing_is_defined():
    found = statistics.bootstrap(scans([0, 0], [0, 0], [0, 0]), samples=50)
    assert found.loc["pooled_f1"].isna().all()
    assert found.loc["fp_scan"].tolist() == [0, 0, 0]


def test_exact_permutation_by_hand():
    """Three patients, the first model always has one FP more: 2 of 8 swaps are as extreme."""
    one, other = scans([1, 1, 1], [1, 1, 1], [0, 0, 0]), scans([1, 1, 1], [0, 0, 0], [0, 0, 0])
    found = statistics.paired_permutation(one, other, metrics=("fp_scan",)).loc["fp_scan"]
    assert found["difference"] == 1
    assert found["p_value"] == 2 / 8
    assert found["exact"]


def test_a_model_against_itself_has_p_1_and_order_does_not_matter():
    table = scans([2, 0, 1, 3] * 5, [0, 1, 2, 0] * 5, [1, 1, 0, 0] * 5)
    found = statistics.paired_permutation(table, table.iloc[::-1], samples=300)
    assert (found["p_value"] == 1).all()
    assert not found["exact"].any()


def test_unpaired_scans_are_named():
    table = scans([1, 1], [0, 0], [0, 0])
    with pytest.raises(ValueError, match=r"found \['s1'\] unpaired"):
        statistics.paired_permutation(table, table.iloc[:1])


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


def test_interval_of_a_classification_f1_over_patients():
    """One scan right, one missed: resamples have F1 1, 2/3 or 0, each end in a quarter."""
    scans = pd.DataFrame({"dataset": "DOU", "patient": ["a", "b"], "n_gt": 5, "n_pred": [5, 0]})
    assert statistics.classification_f1_interval(scans, 3) == (0, 1)
    assert statistics.classification_f1_interval(scans.head(1), 3) == (1, 1)
    assert np.isnan(statistics.classification_f1_interval(scans.head(1), 3, "fewer_than")).all()
