"""How far a setting of inference agrees with the reference: Dice, matched microbleeds, changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cmbkit.evaluation.matching import match

DICE_AT_LEAST = 0.98


@dataclass
class Agreement:
    """Sums over scans of one setting against the reference."""

    scans: int = 0
    shared: int = 0
    voxels: int = 0
    matched: int = 0
    of_reference: int = 0
    of_plan: int = 0
    changed_matches: int = 0
    tp: int = 0
    fp: int = 0
    fn: int = 0

    def add(self, lesions: np.ndarray, reference: np.ndarray, plan: np.ndarray, spacing) -> None:
        """Take in one scan: annotated lesions and the candidates of both, as instance labels."""
        self.scans += 1
        self.shared += int(np.sum((reference > 0) & (plan > 0)))
        self.voxels += int(np.sum(reference > 0) + np.sum(plan > 0))
        pairs = match(reference, plan, spacing)
        self.matched += int((pairs["match"] == "TP").sum())
        self.of_reference += int(reference.max())
        self.of_plan += int(plan.max())
        before, after = match(lesions, reference, spacing), match(lesions, plan, spacing)
        for name, kind in (("tp", "TP"), ("fp", "FP"), ("fn", "FN")):
            setattr(self, name, getattr(self, name) + int((after["match"] == kind).sum()))
        found = [set(matches.loc[matches["match"] == "TP", "gt_id"]) for matches in (before, after)]
        self.changed_matches += len(found[0] ^ found[1])
        false = [
            np.where(np.isin(labels, matches.loc[matches["match"] == "FP", "pred_id"]), labels, 0)
            for labels, matches in ((reference, before), (plan, after))
        ]
        self.changed_matches += int((match(*false, spacing)["match"] != "TP").sum())

    @property
    def dice(self) -> float:
        """Of all candidate voxels of all scans; 1 where neither has any."""
        return 2 * self.shared / self.voxels if self.voxels else 1.0

    @property
    def passes(self) -> bool:
        """The gate: no changed match, Dice at least 0.98."""
        return self.changed_matches == 0 and self.dice >= DICE_AT_LEAST
