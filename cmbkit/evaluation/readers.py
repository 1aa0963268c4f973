"""Several readers of the same scans: what they mean together, and how each does against the rest.

Marks of different readers that mean the same microbleed form one finding; a table of findings
has a column of votes per reader, and everything else follows from it.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist, squareform

from cmbkit.evaluation.instances import Instances
from cmbkit.evaluation.metrics import divide

FEWEST_TO_WEIGH = 3
"""Readers; the votes of two do not tell which of them errs."""
MOST_STEPS = 1000
PLACE = ("x_mm", "y_mm", "z_mm")


def findings(readers: Mapping[str, Instances], max_distance_mm: float = 5.0) -> pd.DataFrame:
    """Put together the marks of several readers in one scan.

    Complete linkage: all marks of a finding lie closer than ``max_distance_mm`` to each other, no
    two are by the same reader, and the nearest are joined first. Of two readers this is greedy
    matching (`matching.match`); of more, a pair may be parted by a third mark that lies nearer.

    Parameters
    ----------
    readers : mapping of name to Instances
    max_distance_mm : float
        Between centres of mass.

    Returns
    -------
    DataFrame
        One row per finding: x_mm, y_mm, z_mm (mean of the marks) and one bool per reader.

    Examples
    --------
    >>> from cmbkit.evaluation.instances import from_points
    >>> marks = {"A": from_points([[0, 0, 0], [30, 0, 0]]), "B": from_points([[2, 0, 0]])}
    >>> findings(marks)
       x_mm  y_mm  z_mm     A      B
    0   1.0   0.0   0.0  True   True
    1  30.0   0.0   0.0  True  False
    """
    centres = np.concatenate([np.zeros((0, 3)), *(one.centres_mm for one in readers.values())])
    who = np.repeat(np.arange(len(readers)), [len(one) for one in readers.values()])
    group = np.arange(1, len(centres) + 1)
    if len(centres) > 1:
        gaps = np.round(cdist(centres, centres), 6)
        apart = (gaps >= max_distance_mm) | (who[:, None] == who)
        gaps = np.where(apart, 2 * max_distance_mm, gaps)
        joined = linkage(squareform(gaps, checks=False), "complete")
        group = fcluster(joined, 1.5 * max_distance_mm, "distance")
    _, group = np.unique(group, return_inverse=True)
    votes = np.zeros((group.max(initial=-1) + 1, len(readers)), bool)
    votes[group, who] = True
    places = [divide(np.bincount(group, axis), np.bincount(group)) for axis in centres.T]
    found = pd.DataFrame(dict(zip(PLACE, places, strict=True)))
    found[list(readers)] = votes
    return found.sort_values(list(PLACE), ignore_index=True)


def majority(votes) -> np.ndarray:
    """Whether more than half of the readers marked each finding; ``votes`` (findings, readers)."""
    votes = np.asarray(votes, bool)
    return 2 * votes.sum(axis=1) > votes.shape[1]


def weigh(votes) -> tuple[np.ndarray, pd.DataFrame]:
    """Probability that each finding is real, and how good each reader is, from votes alone.

    Expectation and maximisation (Dawid and Skene 1979; STAPLE, Warfield et al. 2004, does so on
    voxels). Places that nobody marked are not among the findings, so false_share is a reader's
    share of false findings that somebody marked, no rate per scan. One vote of each kind is
    added (a uniform prior), so that nothing becomes 0 or 1.

    Parameters
    ----------
    votes : array-like of bool, shape (findings, readers)
        By three readers or more.

    Returns
    -------
    probability : ndarray, shape (findings,)
    readers : DataFrame
        One row per reader: sensitivity, false_share.

    Raises
    ------
    ValueError
        If there are fewer than three readers.
    """
    votes = np.asarray(votes, float)
    if votes.shape[1] < FEWEST_TO_WEIGH:
        raise ValueError(f"votes: expected three readers or more, found {votes.shape[1]}")
    real = votes.mean(axis=1)
    rates = np.zeros((2, votes.shape[1]))
    for _ in range(MOST_STEPS):
        both = np.stack([real, 1 - real])
        before, rates = rates, (both @ votes + 1) / (both.sum(axis=1)[:, None] + 2)
        share = (both.sum(axis=1) + 1) / (len(votes) + 2)
        logs = np.log(rates) @ votes.T + np.log(1 - rates) @ (1 - votes.T)
        logs += np.log(share)[:, None]
        real = 1 / (1 + np.exp(np.clip(logs[1] - logs[0], -700, 700)))
        if np.abs(rates - before).max(initial=0) < 1e-9:
            break
    return real, pd.DataFrame({"sensitivity": rates[0], "false_share": rates[1]})


def against(found: pd.DataFrame, scans: pd.DataFrame, reference, said) -> pd.DataFrame:
    """Rows as of one detector: what was said, counted against a reference.

    Parameters
    ----------
    found : DataFrame
        Findings of all scans: uid.
    scans : DataFrame
        One row per scan, those without findings too: uid, dataset, patient.
    reference, said : array-like of bool, shape (findings,)

    Returns
    -------
    DataFrame
        uid, dataset, patient, n_gt, n_pred, tp, fp, fn; as `agreement.count_agreement` and
        `statistics.summary` take them.
    """
    reference, said = np.asarray(reference, bool), np.asarray(said, bool)
    counts = {
        "n_gt": reference,
        "n_pred": said,
        "tp": reference & said,
        "fp": ~reference & said,
        "fn": reference & ~said,
    }
    table = pd.DataFrame(counts).groupby(found["uid"].to_numpy()).sum()
    table = table.reindex(scans["uid"], fill_value=0).astype(int)
    who = scans[["uid", "dataset", "patient"]].reset_index(drop=True)
    return who.join(table.reset_index(drop=True))
