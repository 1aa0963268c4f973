import numpy as np
import pandas as pd
import pytest

from cmbkit.evaluation.instances import from_points
from cmbkit.evaluation.matching import match_instances
from cmbkit.evaluation.readers import against, findings, majority, weigh


def marks(*places):
    return from_points([[place, 0, 0] for place in places])


def test_marks_of_three_readers():
    """A and B at 0 and 2, C at 4 joins neither at 5 from A; at 20 all agree; A alone at 50."""
    found = findings({"A": marks(0, 20, 50), "B": marks(2, 21), "C": marks(5.5, 19)})
    assert found["x_mm"].tolist() == [1, 5.5, 20, 50]
    votes = found[["A", "B", "C"]]
    assert votes.to_numpy().astype(int).tolist() == [[1, 1, 0], [0, 0, 1], [1, 1, 1], [1, 0, 0]]
    assert majority(votes).tolist() == [True, False, True, False]
    assert majority(votes[["A", "B"]]).tolist() == [True, False, True, False]  # half is too few
    assert findings({"A": marks(), "B": marks()}).empty
    assert len(findings({"A": marks(0, 1), "B": marks()})) == 2  # never two of one reader


def test_two_readers_are_matched_as_greedily_as_ever():
    rng = np.random.default_rng(3)
    for _ in range(20):
        one, other = (from_points(rng.uniform(0, 15, (6, 3))) for _ in range(2))
        pairs = match_instances(one, other)["match"].value_counts()
        found = findings({"A": one, "B": other})
        assert (found["A"] & found["B"]).sum() == pairs.get("TP", 0)


def test_weights_find_who_errs():
    """Independent votes of known readers; the sloppy one's votes count little."""
    rng = np.random.default_rng(0)
    real = rng.random(4000) < 0.4
    sensitivity, false_share = np.array([[0.9, 0.8, 0.55, 0.7], [0.05, 0.1, 0.45, 0.2]])
    votes = rng.random((4000, 4)) < np.where(real[:, None], sensitivity, false_share)
    probability, readers = weigh(votes)
    assert readers["sensitivity"].to_numpy() == pytest.approx(sensitivity, abs=0.04)
    assert readers["false_share"].to_numpy() == pytest.approx(false_share, abs=0.04)
    right = ((probability > 0.5) == real).mean()
    assert right > (majority(votes) == real).mean()
    assert abs(probability.mean() - 0.4) < 0.03
    with pytest.raises(ValueError, match="three readers or more, found 2"):
        weigh(votes[:, :2])


def test_each_against_each():
    """Two scans: a has 2 findings of both and 1 of B alone, b none; c 1 of A alone."""
    found = pd.DataFrame({"uid": list("aaac"), "A": [1, 1, 0, 1], "B": [1, 1, 1, 0]})
    scans = pd.DataFrame({"uid": list("abc"), "dataset": "x", "patient": list("pqr")})
    rows = against(found, scans, found["A"], found["B"])
    columns = ["uid", "n_gt", "n_pred", "tp", "fp", "fn"]
    assert rows[columns].to_numpy().tolist() == [
        ["a", 2, 3, 2, 1, 0], ["b", 0, 0, 0, 0, 0], ["c", 1, 0, 0, 0, 1],
    ]  # fmt: skip
