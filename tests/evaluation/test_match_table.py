"""Two real scans' worth of masks through the evaluation; one row per match."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.evaluation.match_table import COLUMNS, match_table
from cmbkit.evaluation.scan import evaluate_scan
from cmbkit.features.describe import describe_lesions
from cmbkit.volume import Volume

SHAPE = (48, 20, 20)
LABELS = np.zeros(SHAPE, np.int32)
LABELS[:16], LABELS[16:32], LABELS[32:] = 3, 2, 10  # cortex, white matter, thalamus
# Places (x of a 2 x 2 x 2 cube) of annotated CMBs and of candidates of two models.
SCANS = {
    "a": ("SWI", 2.0, "Valid", [4, 10, 20, 40], {"scratch": [4, 21, 44], "tl": []}),
    "b": ("T2S", 5.0, "CRB", [17, 36], {"scratch": [14, 28], "tl": [36]}),
    "c": ("SWI", 2.0, "CRB", [], {"scratch": [8], "tl": []}),
    "d": ("SWI", 2.0, "CRB", [], {"scratch": [], "tl": []}),
}


def volume(places):
    data = np.zeros(SHAPE, np.uint16)
    for label, x in enumerate(places, 1):
        data[x : x + 2, 8:10, 8:10] = label
    return Volume(data, np.eye(4))


@pytest.fixture(scope="module")
def made():
    """Scan rows, and the table of matches, of 4 scans and 2 models."""
    matches, rows, about, features = [], [], [], []
    image, labels = volume([4]), Volume(LABELS, np.eye(4))
    for uid, (sequence, thickness, group, annotated, found) in SCANS.items():
        scan = {"uid": uid, "sequence": sequence, "slice_thickness_mm": thickness}
        about.append({**scan, "in_plane_mm": 0.6, "split": "test"})
        truth = volume(annotated)
        who = {"uid": uid, "dataset": group}
        to_mni = {"scan_to_mni": np.diag([-1, 1, 1, 1]) if uid == "b" else None}
        features.append(describe_lesions(image, truth, labels, **who, **to_mni))
        for model, places in found.items():
            predicted = volume(places)
            scores = {label: 0.9 for label in range(1, len(places) + 1)}
            match, row = evaluate_scan(truth, predicted, **who, patient=uid, scores=scores)
            matches.append(match.assign(model=model))
            rows.append(
                {**row, "model": model, "sequence": sequence, "slice_thickness_mm": thickness}
            )
            described = describe_lesions(image, predicted, labels, **who, type="Pred", **to_mni)
            features.append(described.assign(model=model))
    both = (
        pd.concat([t for t in part if len(t)], ignore_index=True) for part in (matches, features)
    )
    matches, features = both
    return pd.DataFrame(rows), match_table(matches, pd.DataFrame(about), features)


def counts(matches):
    return [int((matches["match"] == name).sum()) for name in ("TP", "FP", "FN")]


def test_one_row_per_microbleed_and_candidate(made):
    """a: 4 and 20 found, 10 and 40 (4 mm from 44) decide; b: 17 with 14 at 3 mm; 36 missed."""
    _, table = made
    assert list(table) == list(COLUMNS)
    own = table[table["model"] == "scratch"]
    for uid, expected in {"a": [3, 0, 1], "b": [1, 1, 1], "c": [0, 1, 0]}.items():
        assert counts(own[own["uid"] == uid]) == expected
    assert "d" not in set(table["uid"])
    pair = own.query("uid == 'b' and match == 'TP'").iloc[0]
    assert (pair["gt_x_mm"], pair["pred_x_mm"], pair["distance_mm"]) == (17.5, 14.5, 3.0)
    assert (pair["gt_x_mni"], pair["pred_x_mni"]) == (-17.5, -14.5)  # b is mirrored
    assert table.query("uid == 'a'")["gt_x_mni"].isna().all()  # and a has no registration
    assert (pair["gt_volume_mm3"], pair["score"], pair["sequence"]) == (8.0, 0.9, "T2S")
    assert pair["gt_radius_mm"] == pytest.approx((3 * 8 / (4 * np.pi)) ** (1 / 3))
    assert (pair["gt_location"], pair["pred_location"], pair["location"]) == (
        "Subcortical", "Cortical", "Subcortical",
    )  # fmt: skip
    extra = own.query("uid == 'c'").iloc[0]
    assert (extra["location"], extra["n_gt"], extra["cmb_level"]) == ("Cortical", 0, "none")
    assert np.isnan(extra["gt_x_mm"])
    missed = table.query("uid == 'a' and model == 'tl'")
    assert missed["cmb_level"].tolist() == ["high"] * 4 and missed["pred_x_mm"].isna().all()


def test_columns_of_numbers_are_numbers_where_there_is_none(made):
    """As tables come from files that hold their heads alone."""
    rows, _ = made
    names = [*rows[["uid", "dataset", "patient", "model"]], "match", "gt_id", "pred_id"]
    names += ["distance_mm", "overlap_voxels", "dice", "score", "adds"]
    scans = pd.DataFrame({"uid": ["d"], "sequence": "SWI", "in_plane_mm": 0.6, "split": "test"})
    features = describe_lesions(
        volume([4]), volume([]), Volume(LABELS, np.eye(4)), uid="d", dataset="CRB"
    )
    features = features.astype(object).assign(model="")
    scans = scans.assign(slice_thickness_mm=2.0)
    table = match_table(pd.DataFrame(columns=names, dtype=object), scans, features)
    numbers = ["gt_id", "pred_id", "dice", "score", "gt_x_mm", "pred_n_voxels", "gt_sphericity"]
    assert table.empty and (table[numbers].dtypes == "float64").all()


def test_a_scan_that_is_not_in_the_scan_table_is_named(made):
    _, table = made
    with pytest.raises(ValueError, match="'a' is missing"):
        match_table(table, pd.DataFrame({"uid": ["b", "c"]}), pd.DataFrame())
