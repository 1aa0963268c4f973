"""What a chapter shows, in words: sentences follow hand-made tables, and turn with them."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.chapters import conclusions
from cmbkit.chapters.conclusions.of_networks import _thick_against_thin
from cmbkit.chapters.sentences import NOTHING_TO_SAY, NoSentence, listed, one_of, paragraph

NAN = float("nan")


def frame(columns, *rows):
    return pd.DataFrame(rows, columns=columns.split())


def test_a_sentence_stands_only_where_its_condition_holds():
    assert one_of((1 > 2, "no"), (2 > 1, "yes")) == "yes"
    with pytest.raises(NoSentence, match="found none: larger; smaller"):
        one_of((NAN > 1, "larger"), (NAN <= 1, "smaller"))
    assert listed("ABC") == "A, B and C" and listed([]) == "none"
    assert paragraph(lambda: [])() == NOTHING_TO_SAY


@pytest.fixture
def cohort():
    return frame(
        "dataset source n_scans n_scans_with_cmb n_cmb split n_scans_thesis n_cmb_thesis",
        ("CRB", "Synthetic", 12, 10, 60, "Test", 18, 127),
        ("MOMENI", "Synthetic", 8, 4, 9, "Train-Valid", 370, 146),
        ("VALDO", None, NAN, NAN, NAN, None, 72, 253),
    )


def test_the_cohort_counts_scans_marginals_and_strata(cohort):
    """20 scans, 6 without a CMB; 460 scans of the thesis. T2S: 25 against 60 %, 35 points."""
    marginals = frame("quantity off", ("radius_mm", True), ("Deep", False))
    strata = frame(
        "split column value proportion_pct proportion_pct_thesis",
        ("train", "seq_type", "T2S", 25, 13),
        ("train", "seq_type", "SWI", 75, 87),
        ("valid", "seq_type", "T2S", 60, 12),
        ("valid", "seq_type", "SWI", 40, 88),
        ("train", "stratify_label", "x", 100, 1),
    ).assign(te_ms=NAN)
    told = conclusions.dataset_analysis_shows(cohort, marginals, strata)
    assert "20 scans from 2 datasets with 69 CMBs; 6 of the scans have none" in told
    assert "460 scans and 526 CMBs" in told and "for testing: CRB, 12 scans" in told
    assert "meets 1 of 2 marginals" in told and "by 35 percentage points" in told
    assert "by more than 1:" in told and "nothing about patients" in told
    close = strata.assign(proportion_pct=50.0)
    told = conclusions.dataset_analysis_shows(
        cohort.assign(source="Public"), marginals.assign(off=False), close
    )
    assert "No stratum differs by more than 0" in told and "All 2 marginals" in told
    assert "Real are the scans of CRB and MOMENI" in told
    assert "stratum" not in conclusions.dataset_analysis_shows(cohort, marginals, strata[:0])


@pytest.mark.parametrize(("guarded", "words"), [(1, "with the guard 1 are"), (9, "does harm")])
def test_preprocessing_tells_of_counts_and_of_the_guard(guarded, words):
    census = frame("dataset annotated final recovered", ("CRB", 62, 63, 1), ("DOU", 5, 5, 0))
    radii = frame("n twice_published twice_guarded", (40, 6, guarded))
    chosen = "chosen per scan (biggest)"
    settings = frame(
        "dataset slices setting off",
        *(("CRB", "<3 mm", chosen, 1.2), ("CRB", "<3 mm", "x", 1.3)),
        *(("CRB", ">=3 mm", chosen, 1.4), ("CRB", ">=3 mm", "x", 1.3)),
    )
    changes = frame("kind n_cmb", ("outside", 3), ("split", 2))
    told = conclusions.preprocessing_shows(census, radii, settings, changes)
    assert "67 marks become 68 CMBs" in told and "changes in CRB, and" in told
    assert "1 fell between" in told and "3 CMBs lie outside the brain mask" in told
    assert "6 " in told and words in told and "in 1 of 2 groups" in told
    unknown = conclusions.preprocessing_shows(census, radii[:0], settings[:0], changes[:0])
    assert unknown.endswith("is the truth known.")


@pytest.mark.parametrize(
    ("ends", "words"),
    [((-0.1, -0.01), "as the thesis suspects:"), ((-0.1, 0.1), "is not shown"),
     ((0.01, 0.1), "Against what")],
)  # fmt: skip
def test_features_tell_of_slices_places_and_the_rater(ends, words):
    features = frame("dataset region", ("DOU", "Thalamus"), ("DOU", "Outside"), ("CRB", "None"))
    sizes = frame("radius_mm radius_mm_thesis radius_mm_thesis_sd", (2, 1.8, 0.5), (1.2, 2, 0.4))
    grids = frame(
        "dataset grid inv_elongation inv_elongation_n",
        *(("A", "native", 0.9, 7), ("A", "standard", 0.6, 9), ("B", "native", 0.8, 4)),
    )
    together = frame(
        "first second rho", ("sphericity", "inv_flatness", 0.4), ("sphericity", "sphericity", 1)
    )
    line = pd.DataFrame()
    line.attrs |= {"slope": sum(ends) / 2, "slope_low": ends[0], "slope_high": ends[1]}
    rater = frame("rater_location n n_same kappa", ("All", 10, 8, 0.75))
    told = conclusions.shape_location_features_shows(
        features, sizes, grids, together, {"inv_elongation": line}, rater
    )
    assert "1.20 to 2.00 mm; in 1 of 2 datasets" in told and (
        "in A its mean is 0.90 on the raw image (7 CMBs that have one) and 0.60" in told
    )
    assert words in told and "2 of 3 CMBs lie outside" in told and "(CRB 1 and DOU 1)" in told
    assert "0.40 to 0.40" in told and "8 of 10 CMBs (kappa 0.75)" in told


def test_training_tells_of_budget_losses_transfer_and_the_followed_cmb():
    runs = frame(
        "model phase gradient_steps kept_by best_value days_thesis",
        ("scratch", "pretrain", 500, "count_f1", 0.5, 17),
        ("tl", "pretrain", 400, "count_f1", 0.3, 8),
    )
    falling, rising = (
        {"train_loss": a, "val_loss": b} for a, b in (([3, 1], [2, 1]), ([1, 2],) * 2)
    )
    histories = {"a": pd.DataFrame(falling), "b": pd.DataFrame(rising)}
    transferred = frame("action n_tensors parameters", ("carried", 67, 351048), ("sliced", 1, 216))
    lesion = np.array([0, 1])
    series = [{"epoch": e, "lesion": lesion, "probability": np.array([0.9, p])}
              for e, p in ((1, 0.2), (2, 0.8))]  # fmt: skip
    told = conclusions.training_shows(runs, histories, transferred, {("x", 1): series}, 0.5)
    assert "Scratch 500 steps of pre-training and TL 400 steps" in told and "8 to 17 days" in told
    assert "in 1 of 2 runs; in 1 the validation loss" in told
    assert "worse validation value (0.30 against 0.50 by F1 of counts)" in told
    assert "67 tensors" in told and "351,048 parameters, and cuts or initialises 1" in told
    assert (
        "Of 1 CMB followed through pre-training 1 reaches the threshold, the first in epoch 2"
        in told
    )
    late = conclusions.training_shows(runs, histories, transferred, {("x", 1): series}, 0.95)
    assert "reaches the threshold in any epoch" in late
    assert "networks are given" in conclusions.training_shows(runs[:0], {}, transferred, {}, 0.5)
    assert "took 17 days" in conclusions.training_shows(runs[:1], histories, transferred, {}, 0.5)


def test_evaluation_compares_models_with_the_thesis_and_the_baseline():
    """TL better in CRB alone; the thesis has it better in both, so the order agrees in one."""
    columns = "dataset model {0} {0}_low {0}_high {0}_thesis"
    pooled = frame(
        columns.format("pooled_f1"),
        *(("CRB", "scratch", 0.3, 0.1, 0.5, 0.4), ("CRB", "tl", 0.4, 0.2, 0.6, 0.5)),
        *(("DOU", "scratch", 0.6, 0.5, 0.7, 0.7), ("DOU", "tl", 0.3, 0.2, 0.4, 0.8)),
    )
    dice = frame(columns.format("pooled_dice_tp"), ("CRB", "scratch", 0.4, NAN, NAN, 0.5))
    counting = frame(
        "dataset threshold model specificity specificity_low specificity_high",
        *(("CRB", 3, "scratch", 0.5, 0.2, 0.8), ("DOU", 3, "scratch", NAN, NAN, NAN)),
    )
    blobs = frame(
        "dataset model pooled_f1", ("CRB", "dark blobs", 0.35), ("DOU", "dark blobs", 0.1)
    )
    baseline = pd.concat([pooled, blobs])
    real = frame("model n_gt tp", ("scratch", 0, 0), ("scratch", 6, 2))
    compared = frame(
        "dataset metric difference difference_low difference_high",
        *(("CRB", "pooled_f1", 0.1, NAN, NAN), ("DOU", "pooled_f1", -0.3, -0.5, -0.1)),
        ("CRB", "pooled_dice_tp", NAN, NAN, NAN),
    )
    told = conclusions.evaluation_shows(pooled, dice, compared, counting, baseline, real)
    assert "CRB 0.30 [0.10, 0.50] (thesis 0.40) and DOU 0.60" in told
    assert "TL is above Scratch in CRB; paired by patient" in told
    assert "leaves out 0 in DOU and is missing in CRB (too few patients)" in told
    assert "the same in 1 of 2 datasets" in told and "0.50 [0.20, 0.80] in CRB;" in told
    assert "as well or better by F1 in CRB:" in told
    assert "the 6 lesions" in told and "Scratch 2." in told


def test_subgroups_tell_where_detection_is_worse():
    forest = frame(
        "factor dataset subgroup f1 f1_low f1_high",
        ("slice thickness", "CRB", "<3 mm", 0.6, 0.4, 0.8),
        ("slice thickness", "CRB", ">=3 mm", 0.1, 0.0, 0.3),
        ("slice thickness", "DOU", "<3 mm", 0.5, 0.3, 0.7),
    )
    places = frame(
        "dataset location tp fn", ("CRB", "Deep", 1, 3), ("CRB", "Cortical", 3, 1),
        ("CRB", "Elsewhere", 0, 4),
    )  # fmt: skip
    shapes = frame(
        "match type dataset inv_elongation inv_elongation_thesis",
        *(("FN", "GT", "CRB", 0.6, 0.58), ("TP", "GT", "CRB", 0.8, 0.7)),
    )
    ratings = frame(
        "model certainty recall recall_low recall_high",
        *(("m", "certain", 0.5, 0.4, 0.6), ("m", "uncertain", 0.1, 0.0, 0.3)),
    )
    mimics = frame("model kind n_fp n_fp_near n_mimics", ("m", "All", 14, 1, 127))
    odds = frame(
        "variable scale odds odds_low odds_high",
        *(("Contrast", "per SD", 6.5, 2.0, 18.0), ("Field", "1.5 T against 3 T", 1.1, 0.2, 5.0)),
        ("Region", "Elsewhere against Deep", NAN, NAN, NAN),
    )
    told = conclusions.subgroup_analysis_shows(forest, places, shapes, ratings, mimics, odds, "m")
    assert (
        "differ with contrast (per SD) 6.50 [2.00, 18.00] (odds ratio; intervals without 1: 1 of 2"
        in told
    )
    assert "In CRB detection is worse where slices are thick" in told and "In DOU" not in told
    assert "CRB deep (1 of 4)" in told and "longer than found ones" in told
    assert "untested (inverse elongation 0.60, 0.80; thesis 0.58 and 0.70)" in told
    assert "doubts what the rater doubts" in told and "on them lie 1 of the 14" in told


@pytest.mark.parametrize(("thick", "thin", "words"), [
    ((0.1, 0.0, 0.3), (0.6, 0.4, 0.8), "detection is worse where slices are thick"),
    ((0.1, 0.0, 0.5), (0.6, 0.4, 0.8), "but the intervals overlap"),
    ((0.1, NAN, NAN), (0.6, 0.4, 0.8), "too few patients for a comparison"),
    ((0.7, 0.4, 0.9), (0.6, 0.4, 0.8), "not shown to be harder"),
])  # fmt: skip
def test_slices_are_called_worse_only_where_it_is_shown(thick, thin, words):
    ends = ("f1", "f1_low", "f1_high")
    told = _thick_against_thin("CRB", *(dict(zip(ends, x, strict=True)) for x in (thick, thin)))
    assert words in told


def test_the_literature_tells_of_counts_and_of_what_does_not_fit():
    table = frame(
        "method data own of_thesis n_ways matching f1 fp_scan fp_cmb verdict",
        ("A", "DOU", False, False, 1, "not stated", 0.9, 1, 1, "cannot be"),
        ("del Pozo and others", "DOU", False, False, NAN, "rule", 0.5, NAN, NAN, "not checkable"),
        ("The thesis", "DOU", False, True, 1, "5 mm", 0.756, 0.5, 0.135, "fits"),
        ("this run", "DOU", True, False, NAN, "5 mm", 0.52, 1, 1, NAN),
    )
    findings = frame("where verdict", ("Abstract", "agrees"),
                     ("Abstract", "contradiction"), ("6.1", "ambiguity"))  # fmt: skip
    told = conclusions.literature_comparison_shows(table, findings)
    assert "Of 3 published rows 2 follow" in told and "1 of 2 others print a higher one" in told
    assert "cannot come from whole counts of CMBs: 1 rows; that" in told and "state: 0 rows" in told
    assert "0.50 per scan; the 0.135" in told and "F1 0.52, show" in told
    assert "Of 3 computations on the thesis's printed numbers 1 contradict another" in told
    assert "in 1 places; 1 more fit by one of two readings, and 0 are rounding" in told
