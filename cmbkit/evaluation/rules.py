"""All matching rules of the field on the same microbleeds: what each calls found, and what changes.

`RULES` names them, the thesis's first. Where a rule lets several candidates match one microbleed,
TP counts microbleeds, and no candidate that touches one is an FP.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from cmbkit.evaluation.instances import Instances, footprints, on_grid, regrouped
from cmbkit.evaluation.matching import MatchingError, distances_mm, greedy, overlaps
from cmbkit.evaluation.metrics import divide
from cmbkit.evaluation.statistics import summary_by
from cmbkit.params import Evaluation

BRATS_REACH_MM = 2**0.5
"""The 18 neighbours of a voxel of 1 mm, by which BraTS-METS dilates annotations once."""


@dataclass(frozen=True)
class Rule:
    """When a candidate counts as an annotated microbleed found.

    Attributes
    ----------
    says : str
        The rule in words, and whose it is.
    criterion : {"distance", "overlap", "iou", "centre"}
        Centres of mass closer than ``limit`` mm; a shared voxel; intersection over union of at
        least ``limit``; the candidate's centre in a voxel of the annotated one.
    assignment : {"one", "nearest", "several"}
        ``one``: one to one, the best pair first. ``nearest``: every candidate goes to its nearest
        microbleed or to none, and of several the nearest counts. ``several``: many to one.
    connectivity : {6, 18, 26}, optional
        Components are made anew on both sides; by default microbleeds are as given.
    reach_mm : float
        Of `instances.footprints`, of the annotated ones; 0: none.
    """

    says: str
    criterion: Literal["distance", "overlap", "iou", "centre"] = "distance"
    limit: float = 5.0
    assignment: Literal["one", "nearest", "several"] = "one"
    connectivity: int | None = None
    reach_mm: float = 0.0

    def fits(self, reference: Instances, predicted: Instances) -> bool:
        """Whether the sides have the masks that the rule needs; points have none."""
        masks = [side.shape is not None for side in (reference, predicted)]
        if self.criterion == "centre":
            return masks[0]
        return sum(masks) >= {"distance": 0, "overlap": 1, "iou": 2}[self.criterion]


RULES = {
    "5 mm": Rule("centres closer than 5 mm (the thesis)"),
    "3 mm": Rule("centres closer than 3 mm", limit=3.0),
    "overlap": Rule("a shared voxel (the thesis's released code)", "overlap"),
    "IoU 0.1": Rule("intersection over union of at least 0.1", "iou", 0.1),
    "IoU 0.25": Rule("intersection over union of at least 0.25", "iou", 0.25),
    "IoU 0.5": Rule("intersection over union of at least 0.5", "iou", 0.5),
    "centre in mask": Rule(
        "candidate's centre in the mask, many to one (Sundaresan 2023)",
        "centre",
        assignment="several",
    ),
    "many to one": Rule("a shared voxel, many to one", "overlap", assignment="several"),
    "many to one, 26": Rule(
        "a shared voxel, many to one, components of 26 neighbours",
        "overlap",
        assignment="several",
        connectivity=26,
    ),
    "footprint": Rule(
        "a voxel shared with the mask dilated by 18 neighbours of 1 mm, many to one (BraTS-METS)",
        "overlap",
        assignment="several",
        connectivity=26,
        reach_mm=BRATS_REACH_MM,
    ),
    "6 neighbours": Rule("5 mm, components of 6 neighbours", connectivity=6),
    "18 neighbours": Rule("5 mm, components of 18 neighbours", connectivity=18),
    "26 neighbours": Rule("5 mm, components of 26 neighbours", connectivity=26),
    "VALDO": Rule(
        "5 mm, every candidate to its nearest, 26 neighbours (VALDO's code)",
        assignment="nearest",
        connectivity=26,
    ),
}
"""By name. VALDO's released code takes its limit, in voxels, as an option; here it is 5 mm.
BraTS-METS leaves out annotations of up to 2 mm3; here they count, as under every rule."""


def calls_by_rule(
    reference: Instances, predicted: Instances, affine=None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Match one scan by every rule of `RULES` that its sides allow.

    Parameters
    ----------
    reference, predicted : Instances
    affine : ndarray, shape (4, 4), optional
        Of the grid; needed unless both sides are points.

    Returns
    -------
    counts : DataFrame
        One row per rule: rule, n_gt, n_pred (as the rule groups them), tp, fp, fn.
    found : DataFrame
        One row per rule and annotated microbleed as given: rule, gt_id, found. One that a rule
        divides is found when a part of it is.
    """
    shape = reference.shape or predicted.shape
    if shape is not None and affine is None:
        raise MatchingError("affine: expected that of the masks' grid, found none")
    counts, found = [], []
    for name, rule in RULES.items():
        if rule.fits(reference, predicted):
            row, hits = _calls(rule, reference, predicted, shape, affine)
            counts.append({"rule": name} | row)
            found.append(pd.DataFrame({"rule": name, "gt_id": reference.ids, "found": hits}))
    return pd.DataFrame(counts), pd.concat(found, ignore_index=True)


def _calls(rule: Rule, reference, predicted, shape, affine) -> tuple[dict, np.ndarray]:
    sides = [reference, predicted]
    if rule.criterion != "distance":
        sides = [on_grid(s, shape, affine) if s.shape is None else s for s in sides]
    given = sides[0]
    if rule.connectivity is not None:
        sides = [regrouped(side, affine, rule.connectivity) for side in sides]
    area, truth = sides[0], sides[0]
    if rule.reach_mm:
        truth, area = footprints(truth, affine, rule.reach_mm)
    hit, explained = _assigned(rule, *_closeness(rule, area, sides[1], shape, affine))
    tp, fp, fn = int(hit.sum()), int((~explained).sum()), int((~hit).sum())
    row = {"n_gt": len(truth), "n_pred": len(sides[1]), "tp": tp, "fp": fp, "fn": fn}
    if truth is not given:
        hit = np.bincount(given.owner, hit[truth.owner], len(given)) > 0
    return row, hit


def _closeness(rule: Rule, reference, predicted, shape, affine) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs may match, and what a match costs; both of shape (n reference, n predicted)."""
    if rule.criterion == "distance":
        distance = distances_mm(reference, predicted)
        return distance < rule.limit, distance
    if rule.criterion == "centre":
        predicted = on_grid(predicted, shape, affine)
    shared = overlaps(reference, predicted)
    if rule.criterion == "iou":
        iou = shared / (reference.sizes[:, None] + predicted.sizes - shared)
        return iou >= rule.limit, 1 - iou
    return shared > 0, -shared.astype(float)


def _assigned(rule: Rule, admissible, cost) -> tuple[np.ndarray, np.ndarray]:
    """Which annotated microbleeds are found, and which candidates are none too many."""
    if rule.assignment == "several":
        return admissible.any(axis=1), admissible.any(axis=0)
    if rule.assignment == "nearest" and len(cost):
        admissible = admissible & (np.arange(len(cost))[:, None] == cost.argmin(axis=0))
    found, explained = (np.zeros(n, bool) for n in cost.shape)
    for row, column in greedy(cost, admissible):
        found[row] = explained[column] = True
    return found, explained


def compare_rules(counts: pd.DataFrame, found: pd.DataFrame, params: Evaluation) -> pd.DataFrame:
    """F1 and rank of every model under every rule, and how much the rule matters.

    Parameters
    ----------
    counts, found : DataFrame
        Of `calls_by_rule`, of many scans, with model, uid, dataset and patient.

    Returns
    -------
    DataFrame
        One row per rule that all scans allow and model: rule, model, n_scans, tp, fp, fn,
        pooled_f1 with its _low, _high and _interval; rank (1: highest F1; equals share it), tau
        (Kendall's tau-b of the models' F1 with those under the first rule; NaN for one model);
        gained, lost: microbleeds that this rule alone, or the first alone, calls found;
        median_f1 (of scans with microbleeds) and count_difference (mean of |annotated -
        predicted| over scans), VALDO's measures, each with the number of its scans, _n.
    """
    times = counts["rule"].value_counts()
    everywhere = times.index[times == times.max()]
    counts, found = (table[table["rule"].isin(everywhere)] for table in (counts, found))
    table = summary_by(counts, ["rule", "model"], params)
    kept = ["rule", "model", "n_scans", "tp", "fp", "fn"]
    table = table[[*kept, *(n for n in table if n.startswith("pooled_f1"))]]
    table = table.sort_values("rule", key=lambda names: names.map(list(RULES).index), kind="stable")
    by_rule = table.groupby("rule", sort=False)["pooled_f1"]
    table["rank"] = by_rule.rank(ascending=False, method="min").astype("Int64")
    keys = ["rule", "model"]
    changed = _changed(found, table["rule"].iloc[0])
    table = table.join(_stability(table), on="rule").join(changed, on=keys)
    table = table.fillna({"gained": 0, "lost": 0}).astype({"gained": int, "lost": int})
    off = counts.assign(count_difference=(counts["n_gt"] - counts["n_pred"]).abs())
    table = table.join(median_f1(counts, keys), on=keys)
    table = table.join(off.groupby(keys)["count_difference"].mean(), on=keys)
    own = counts[counts["n_gt"] > 0].groupby(keys).size().rename("median_f1_n")
    table = table.join(own, on=keys).fillna({"median_f1_n": 0}).astype({"median_f1_n": int})
    return table.assign(count_difference_n=table["n_scans"]).reset_index(drop=True)


def median_f1(counts: pd.DataFrame, keys: list[str]) -> pd.Series:
    """VALDO's F1: the median over scans with microbleeds, of each group of ``keys``."""
    own = counts[counts["n_gt"] > 0]
    f1 = divide(2 * own["tp"], 2 * own["tp"] + own["fp"] + own["fn"])
    return own.assign(median_f1=f1).groupby(keys)["median_f1"].median()


def _stability(table: pd.DataFrame) -> pd.Series:
    from scipy.stats import kendalltau

    wide = table.set_index(["rule", "model"])["pooled_f1"].unstack()  # noqa: PD010, rows are unique
    first = wide.loc[table["rule"].iloc[0]]

    def tau(row):
        both = pd.DataFrame({"first": first, "row": row}).dropna()
        return kendalltau(both["first"], both["row"]).statistic if len(both) > 1 else np.nan

    return wide.apply(tau, axis=1).rename("tau")


def _changed(found: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Microbleeds whose call is another than under one rule; no row where there are none."""
    keys = ["model", "uid", "gt_id"]
    first = found[found["rule"] == rule].rename(columns={"found": "at_first"})
    both = found.merge(first[[*keys, "at_first"]], on=keys, validate="many_to_one")
    both["gained"] = both["found"] & ~both["at_first"]
    both["lost"] = ~both["found"] & both["at_first"]
    return both.groupby(["rule", "model"])[["gained", "lost"]].sum()


def changed_calls(found: pd.DataFrame) -> pd.DataFrame:
    """Annotated microbleeds that some rules call found and others missed.

    ``found``: of `calls_by_rule`, with model and uid.

    Returns
    -------
    DataFrame
        One row per model and microbleed: model, uid, gt_id, n_rules (that call it found), and a
        column of bool per rule.
    """
    names = list(dict.fromkeys(found["rule"]))
    wide = found.set_index(["model", "uid", "gt_id", "rule"])["found"].unstack()[names]  # noqa: PD010
    wide = wide[~(wide.all(axis=1) | ~wide.any(axis=1))].astype(bool)
    wide.insert(0, "n_rules", wide.sum(axis=1))
    return wide.rename_axis(columns=None).reset_index()
