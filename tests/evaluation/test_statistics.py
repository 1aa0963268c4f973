import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from cmbkit.evaluation import statistics
from cmbkit.evaluation.hypotheses import compare_models
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


def test_patients_are_drawn_whole():
    """Scans of one patient have the same weight; every sample draws as many patients as exist."""
    weights = statistics.bootstrap_weights([0, 0, 1, 2], samples=200, seed=1)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 1:].sum(axis=1) == 3).all()
    assert statistics.bootstrap_weights([0], 2, 1).tolist() == [[1], [1]]
    assert statistics.bootstrap_weights([], 2, 1).shape == (2, 0)


def test_the_same_patient_name_in_two_sources_is_two_patients():
    table = scans([1, 1], [0, 0], [0, 0], ["1", "1"], "Valid")
    assert statistics.patient_codes(table).tolist() == [0, 0]
    assert statistics.patient_codes(table.assign(source=["VALDO", "RODEJA"])).tolist() == [0, 1]


def test_percentiles_leave_out_what_is_not_finite():
    """0 to 40 and two undefined: the 2.5th and 97.5th percentiles are 1 and 39."""
    samples = np.array([np.nan, *range(41), np.inf])
    assert statistics.percentile_interval(samples) == pytest.approx((1, 39))
    assert np.isnan(statistics.percentile_interval(np.array([np.nan]))).all()


def test_mean_of_many_matches_the_normal_approximation():
    """FP per scan of 400 scans: the interval is mean +- 1.96 sd / sqrt(n) within 15 %."""
    fp = np.random.default_rng(3).poisson(2.0, 400)
    found = statistics.summary(scans(np.ones(400, int), fp, np.zeros(400, int)), Evaluation())
    half = 1.96 * fp.std() / 20
    assert found["fp_scan"] == fp.mean()
    assert found["fp_scan_high"] - found["fp_scan_low"] == pytest.approx(2 * half, rel=0.15)
    assert found["fp_scan_sd"] == pytest.approx(fp.std(ddof=1))
    assert (found["fp_scan_n"], found["fp_scan_interval"]) == (400, "score, rate")


def test_a_mean_says_of_how_many_scans_it_is():
    """Eight scans; two have calls, three have CMBs."""
    found = statistics.summary(
        scans([1, 0] + [0] * 6, [0, 2] + [0] * 6, [1, 1, 1] + [0] * 5), Evaluation()
    )
    assert (found["n_scans"], found["scan_precision_n"], found["scan_recall_n"]) == (8, 2, 3)
    assert found["scan_precision"] == 0.5 and np.isnan(found["scan_precision_low"])
    assert found["scan_precision_interval"] == "too few"


def test_summary_where_nothing_is_defined():
    found = statistics.summary(scans([0, 0], [0, 0], [0, 0]), Evaluation())
    assert all(np.isnan(found[f"pooled_f1{end}"]) for end in ("", "_low", "_high"))
    assert found["pooled_f1_interval"] == ""
    assert (found["fp_scan"], found["fp_scan_interval"]) == (0, "too few")


def test_every_group_has_a_row_in_the_order_in_which_it_comes():
    table = pd.concat([scans([3], [1], [0], dataset="DOU"), scans([1], [0], [1], dataset="CRB")])
    found = statistics.summary_by(table, ["dataset"], Evaluation())
    assert found["dataset"].tolist() == ["DOU", "CRB"]
    assert found["pooled_precision"].tolist() == [0.75, 1.0]
    assert found["n_scans"].tolist() == [1, 1]


def test_exact_permutation_by_hand():
    """Three patients, the first model always has one FP more: 2 of 8 swaps are as extreme."""
    one, other = scans([1, 1, 1], [1, 1, 1], [0, 0, 0]), scans([1, 1, 1], [0, 0, 0], [0, 0, 0])
    found = compare_models(one, other, metrics=("fp_scan",), seed=1).loc["fp_scan"]
    assert found["difference"] == 1
    assert found["p_value"] == 2 / 8
    assert found["exact"]


def test_a_model_against_itself_has_p_1_and_order_does_not_matter():
    table = scans([2, 0, 1, 3] * 5, [0, 1, 2, 0] * 5, [1, 1, 0, 0] * 5)
    found = compare_models(table, table.iloc[::-1], samples=300, seed=1)
    assert (found["p_value"] == 1).all()
    assert found["exact"].all()  # nothing differs, so there is one arrangement


def test_unpaired_scans_are_named():
    table = scans([1, 1], [0, 0], [0, 0])
    with pytest.raises(ValueError, match=r"found \['s1'\] missing or double"):
        compare_models(table, table.iloc[:1], seed=1)
    with pytest.raises(ValueError, match=r"found \['s0'\] missing or double"):
        compare_models(table, table.iloc[[0, 0, 1]], seed=1)
    with pytest.raises(ValueError, match="expected the same scans once in each table, found none"):
        compare_models(table.iloc[:0], table.iloc[:0], seed=1)
    with pytest.raises(ValueError, match=r"expected a patient for every scan, found none of"):
        compare_models(table.assign(patient=None), table, seed=1)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -1])
def test_a_count_that_is_no_number_is_an_error_that_names_the_scan(odd):
    table = scans([1, odd], [0, 0], [0, 0])
    with pytest.raises(ValueError, match="tp of scan s1: expected a number of 0 or more, found"):
        statistics.summary(table, Evaluation())


def test_patients_whose_results_are_the_same_do_not_lower_the_least_p():
    """Of eight patients three differ: of their 2^3 exchanges two are as extreme."""
    one, other = scans([1] * 8, [1] * 3 + [0] * 5, [0] * 8), scans([1] * 8, [0] * 8, [0] * 8)
    found = compare_models(one, other, seed=1).loc["fp_scan"]
    assert found["p_least"] == found["p_value"] == 2 / 8
    same = compare_models(one, one, seed=1).loc["fp_scan"]
    assert same["p_least"] == same["p_value"] == 1


def test_f1_of_two_means_has_an_interval_where_both_have_one():
    """Eight patients with microbleeds, calls in five: no mean precision, and no F1*."""
    found = statistics.summary(scans([1] * 5 + [0] * 3, [0] * 8, [0] * 5 + [1] * 3), Evaluation())
    assert found["scan_precision_interval"] == found["scan_f1_star_interval"] == "too few"
    assert found["scan_recall_low"] > 0


def test_eight_patients_allow_no_smaller_p_than_1_of_128():
    """2^8 exchanges; the observed one and its mirror image are as extreme."""
    one, other = scans([1] * 8, [1] * 8, [0] * 8), scans([1] * 8, [0] * 8, [0] * 8)
    found = compare_models(one, other, seed=1).loc["fp_scan"]
    assert found["p_least"] == found["p_value"] == 1 / 128
    assert found["p_holm"] == 6 / 128 > 0.04


def test_intervals_of_sorting_scans():
    """Eight patients, one scan each: counts are independent, so Wilson's, of F1 too."""
    table = pd.DataFrame({"dataset": "DOU", "patient": list("abcdefgh"), "n_gt": 5})
    found = statistics.classification_summary(table.assign(n_pred=[5] * 6 + [0] * 2), 3, "at_least")
    assert (found["n_positive"], found["recall"], found["f1"]) == (8, 0.75, 12 / 14)
    assert found["recall_interval"] == found["f1_interval"] == "Wilson"
    own = binomtest(6, 8).proportion_ci(method="wilson")
    assert (found["recall_low"], found["recall_high"]) == pytest.approx((own.low, own.high))
    ends = [2 * j / (1 + j) for j in (own.low, own.high)]  # F1 of 6 TP, 2 errors: J = 6 / 8
    assert (found["f1_low"], found["f1_high"]) == pytest.approx(ends)
    alone = statistics.classification_summary(table.head(1).assign(n_pred=5), 3, "at_least")
    assert np.isnan(alone["f1_low"]) and alone["f1_interval"] == "too few"
    assert np.isnan(alone["specificity"]) and alone["specificity_interval"] == ""


@pytest.mark.parametrize(
    ("positive", "recall", "specificity"), [("at_least", 6, 7), ("fewer_than", 7, 6)]
)
def test_a_scan_at_the_threshold_is_on_its_upper_side(positive, recall, specificity):
    """Eight scans of 3 microbleeds and eight of 2: 6 and 7 are called so; threshold 3."""
    table = pd.DataFrame({"dataset": "DOU", "patient": [f"p{i}" for i in range(16)]})
    table = table.assign(n_gt=[3] * 8 + [2] * 8, n_pred=[3] * 6 + [2] * 2 + [3] + [2] * 7)
    found = statistics.classification_summary(table, 3, positive)
    assert found["n_positive"] == 8
    for name, right in (("recall", recall), ("specificity", specificity)):
        own = binomtest(right, 8).proportion_ci(method="wilson")
        ends = found[f"{name}_low"], found[f"{name}_high"]
        assert (found[name], *ends) == pytest.approx((right / 8, own.low, own.high))


def test_false_positives_of_a_patient_without_microbleeds_widen_the_rate_per_microbleed():
    """All 20 FP are one healthy patient's: without him the rate is 0, so 1 +- anything is told."""
    table = scans([2] * 10 + [0] * 10, [0] * 10 + [20] + [0] * 9, [0] * 20)
    found = statistics.summary(table, Evaluation())
    assert found["pooled_fp_cmb"] == 1
    assert found["pooled_fp_cmb_low"] < 0.35 and found["pooled_fp_cmb_high"] > 3
    one, other = (
        scans([1] * 8, [1] * 8, [0] * 8),
        scans([1] * 6 + [0] * 2, [0] * 8, [0] * 6 + [1] * 2),
    )
    of = compare_models(one, other, seed=1)
    assert of.loc["pooled_recall", "p_least"] == of.loc["pooled_recall", "p_value"] == 2 / 4
    assert of.loc["fp_scan", "p_least"] == 2 / 256


def test_f1_of_two_means_has_the_fewer_scans():
    """Four scans with microbleeds, three with calls: recall of 4, precision and F1* of 3."""
    table = pd.DataFrame({"dataset": "d", "patient": list("abcde"), "tp": [1, 1, 0, 0, 0]})
    found = statistics.summary(table.assign(fp=[0, 0, 1, 0, 0], fn=[0, 1, 1, 2, 0]), Evaluation())
    assert [found[f"scan_{name}_n"] for name in ("precision", "recall", "f1_star")] == [3, 4, 3]
