"""How far a setting of inference agrees with the reference: Dice, matched microbleeds, calls."""

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
    changed_calls: int = 0
    tp: int = 0
    fp: int = 0
    fn: int = 0

    def add(self, lesions: np.ndarray, reference: np.ndarray, plan: np.ndarray, spacing) -> None:
        """Take in one scan: annotated lesions and the candidates of both, as instance labels."""
        self.scans += 1
        self.shared += int(np.sum((reference > 0) & (plan > 0)))
        self.voxels += int(np.sum(reference > 0) + np.sum(plan > 0))
        pairs = match(reference, plan, spacing)
        self.matched += int((pairs["call"] == "TP").sum())
        self.of_reference += int(reference.max())
        self.of_plan += int(plan.max())
        before, after = match(lesions, reference, spacing), match(lesions, plan, spacing)
        for name, call in (("tp", "TP"), ("fp", "FP"), ("fn", "FN")):
            setattr(self, name, getattr(self, name) + int((after["call"] == call).sum()))
        found = [set(calls.loc[calls["call"] == "TP", "gt_id"]) for calls in (before, after)]
        self.changed_calls += len(found[0] ^ found[1])
        false = [
            np.where(np.isin(labels, calls.loc[calls["call"] == "FP", "pred_id"]), labels, 0)
            for labels, calls in ((reference, before), (plan, after))
        ]
        self.changed_calls += int((match(*false, spacing)["call"] != "TP").sum())

    @property
    def dice(self) -> float:
        """Of all candidate voxels of all scans; 1 where neither has any."""
        return 2 * self.shared / self.voxels if self.voxels else 1.0

    @property
    def passes(self) -> bool:
        """The gate: no changed call, Dice at least 0.98."""
        return self.changed_calls == 0 and self.dice >= DICE_AT_LEAST
