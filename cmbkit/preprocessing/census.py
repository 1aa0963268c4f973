"""Counting microbleeds after every step, and saying which of them a step changed (chapter 5).

One label is one microbleed, so labels are what has to stay. The thesis collapsed them to one
binary mask, in which a microbleed in two pieces counts twice and two that touch count once;
`Census.components` is that count.
"""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np

from cmbkit.preprocessing.changes import Change

STATES = {
    "refined": "refinement",
    "resampled": "resampling",
    "pruned": "pruning",
    "final": "closing",
}
"""States of a scan's labels in which they are counted, and the step that leads there."""


class CountError(RuntimeError):
    """A step lost or invented a microbleed; the message names scan, step and labels."""


@dataclass(frozen=True)
class Census:
    """What there is in a label image.

    ``pieces`` maps each label to the number of its 6-connected pieces; ``touching`` maps each
    label that shares a 6-connected component of the collapsed mask with others to those;
    ``components`` counts the components of the collapsed mask, ``voxels`` its voxels.
    """

    pieces: dict[int, int]
    touching: dict[int, tuple[int, ...]]
    components: int
    voxels: int


NOTHING = Census({}, {}, 0, 0)


def take_census(labels: np.ndarray) -> Census:
    """Count labels, their pieces and the components of the collapsed mask.

    Parameters
    ----------
    labels : ndarray of int, shape (i, j, k)
    """
    inside = labels > 0
    if not inside.any():
        return NOTHING
    values = labels[inside]
    piece, component = (
        cc3d.connected_components(array, connectivity=6, out_dtype=np.uint32)[inside]
        for array in (labels, inside)
    )
    pieces = np.unique(np.stack([values, piece]), axis=1)[0]
    members: dict[int, list[int]] = {}
    for label, group in np.unique(np.stack([values, component]), axis=1).T.tolist():
        members.setdefault(group, []).append(label)
    touching: dict[int, set[int]] = {}
    for group in members.values():
        for label in group:
            touching.setdefault(label, set()).update(other for other in group if other != label)
    return Census(
        dict(zip(*(v.tolist() for v in np.unique(pieces, return_counts=True)), strict=True)),
        {label: tuple(sorted(others)) for label, others in touching.items() if others},
        len(members),
        len(values),
    )


def compare(before: Census, after: Census, step: str) -> list[Change]:
    """Changes of labels, of the number of their pieces and of what they touch."""
    changes = []
    for label, count in before.pieces.items():
        now = after.pieces.get(label, 0)
        if now != count:
            kind = "lost" if now == 0 else "fragmented" if now > count else "reduced"
            changes.append(Change(step, label, kind, count, now))
    for label in after.pieces:
        old, new = before.touching.get(label, ()), after.touching.get(label, ())
        for other in sorted(set(new) - set(old)):
            changes.append(Change(step, label, "merged", 2, 1, other))
        for other in sorted((set(old) - set(new)) & set(after.pieces)):
            changes.append(Change(step, label, "parted", 1, 2, other))
    return changes


class Ledger:
    """Counts after each step of one scan, and what happened to which microbleed.

    ``steps`` maps the state that a step leaves behind (`STATES`) to its `Census`, in order;
    ``changes`` are in the order in which they were noted.
    """

    def __init__(self, scan: str):
        self.scan = scan
        self.steps: dict[str, Census] = {}
        self.changes: list[Change] = []

    def enter(self, state: str, labels: np.ndarray) -> Census:
        """Count after a step, and note what differs from the state before."""
        last = list(self.steps.values())[-1:]
        census = take_census(labels)
        self.changes += compare(last[0] if last else NOTHING, census, STATES[state])
        self.steps[state] = census
        return census

    def require(self, labels, state: str) -> None:
        """Raise `CountError` unless exactly these labels were there in a state."""
        expected, found = set(labels), set(self.steps[state].pieces)
        if expected != found:
            lost, new = sorted(expected - found), sorted(found - expected)
            raise CountError(
                f"{self.scan}: expected {len(expected)} microbleeds after {STATES[state]}, found "
                f"{len(found)} (lost {lost}, new {new})"
            )

    def record(self) -> dict:
        """Return ``counts``, ``components`` and ``voxels`` in each state."""
        return {
            "counts": {state: len(census.pieces) for state, census in self.steps.items()},
            "components": {state: census.components for state, census in self.steps.items()},
            "voxels": {state: census.voxels for state, census in self.steps.items()},
        }
