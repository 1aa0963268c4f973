"""Where a DICOM series says that its slices lie, against the volume that was made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.affines import apply_affine

from cmbkit.volume import Volume

TOLERANCE = 0.1
"""Share of a voxel by which slices may lie off."""
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
GROUPS = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SpacingBetweenSlices": "PixelMeasuresSequence",
}


@dataclass(frozen=True)
class Slice:
    """One slice or frame: corner, directions and pixel size in mm as DICOM (LPS) has them."""

    position: np.ndarray
    orientation: np.ndarray
    pixel_mm: np.ndarray
    rows: int
    columns: int
    number: int | None
    spacing_mm: float | None

    @property
    def normal(self) -> np.ndarray:
        """Direction across the slice, shape (3,)."""
        return np.cross(self.orientation[0], self.orientation[1])

    @property
    def affine(self) -> np.ndarray:
        """(column, row, 0, 1) to RAS mm, shape (4, 4)."""
        down, across = self.pixel_mm
        steps = (self.orientation[0] * across, self.orientation[1] * down, self.normal)
        return LPS @ np.vstack([np.column_stack([*steps, self.position]), [0, 0, 0, 1]])

    def corners(self) -> np.ndarray:
        """Centres of three corner pixels in RAS mm, shape (3, 3)."""
        return apply_affine(
            self.affine, [[0, 0, 0], [self.columns - 1, 0, 0], [0, self.rows - 1, 0]]
        )


def slices_of(datasets: Sequence, where: Path | str) -> list[Slice]:
    """Slices of the objects of a series; frames of those that have several.

    Raises
    ------
    ValueError
        If a slice lacks position, orientation or pixel size.
    """
    found, lacking = [], {}
    for dataset in datasets:
        frames = dataset.get("PerFrameFunctionalGroupsSequence") or [None]
        shared = (dataset.get("SharedFunctionalGroupsSequence") or [None])[0]
        for frame in frames:
            values = {name: _value(dataset, frame, shared, name) for name in GROUPS}
            missing = [n for n in list(GROUPS)[:3] if values[n] is None or len(values[n]) == 0]
            for name in missing:
                lacking[name] = lacking.get(name, 0) + 1
            if not missing:
                found.append(_slice(dataset, values, frame is None))
    if lacking:
        total = len(found) + max(lacking.values())
        names = ", ".join(f"{name} in {n} of {total} slices" for name, n in lacking.items())
        raise ValueError(
            f"{where}: expected slices whose place is known, found no {names}: without it there "
            "are no millimetres and no sides"
        )
    return found


def _value(dataset, frame, shared, name: str):
    for group in (frame, shared):
        if group is not None and GROUPS[name] in group:
            value = group[GROUPS[name]].value[0].get(name)
            if value is not None:
                return value
    return dataset.get(name)


def _slice(dataset, values: dict, single: bool) -> Slice:
    spacing = values["SpacingBetweenSlices"]
    number = dataset.get("InstanceNumber") if single else None
    return Slice(
        np.array(values["ImagePositionPatient"], float),
        np.array(values["ImageOrientationPatient"], float).reshape(2, 3),
        np.array(values["PixelSpacing"], float),
        int(dataset.Rows),
        int(dataset.Columns),
        int(number) if str(number).isdigit() else None,
        abs(float(spacing)) if spacing else None,
    )


def require_stack(slices: Sequence[Slice], where: Path | str) -> int:
    """Number of slices; raise unless they are parallel, straight, and none is missing.

    Several at one place (echoes, phase) count once.

    Raises
    ------
    ValueError
        Naming what is missing, or how far slices are shifted, if over a tenth of a voxel.
    """
    first = slices[0]
    turned = max(float(np.abs(s.orientation - first.orientation).max()) for s in slices)
    if turned > TOLERANCE / max(first.rows, first.columns):
        raise ValueError(f"{where}: expected parallel slices, found some turned to others")
    places = np.array([s.position for s in slices])
    along = places @ first.normal
    order = np.argsort(along, kind="stable")
    new = np.diff(along[order], prepend=-np.inf) > TOLERANCE * min(first.pixel_mm)
    stack = [slices[n] for n in order[new]]
    if len(stack) > 1:
        _require_whole(stack, along[order][new], where)
        _require_straight(places, along, first, where)
    return len(stack)


def _require_whole(stack: list[Slice], heights: np.ndarray, where) -> None:
    """No slice is missing between others."""
    steps = np.diff(heights)
    step = float(np.median(steps))
    wide = np.flatnonzero(np.abs(steps - step) > TOLERANCE * step)
    if len(wide):
        gaps = ", ".join(
            f"{max(round(steps[n] / step) - 1, 0)} between slices {n + 1} and {n + 2} "
            f"({steps[n]:.3g} mm)"
            for n in wide[:3]
        )
        raise ValueError(
            f"{where}: expected slices {step:.3g} mm apart, found some missing: {gaps}; "
            "get the whole series"
        )
    said = stack[0].spacing_mm
    numbers = [s.number for s in stack]
    skipped = len(numbers) > 2 and None not in numbers
    if skipped:
        skipped = bool((np.abs(np.diff(np.array(numbers, float))) > 1).all())
    if said and skipped and step > 1.5 * said and abs(step / said - round(step / said)) < TOLERANCE:
        every = round(step / said)
        raise ValueError(
            f"{where}: expected slices {said:.3g} mm apart (SpacingBetweenSlices), found them "
            f"{step:.3g} mm apart: only one of {every} is there; get the whole series"
        )


def _require_straight(places, along, first: Slice, where) -> None:
    """Slices lie above each other: no gantry tilt, no shear."""
    drift = places - np.outer(along, first.normal)
    shift = float(np.linalg.norm(drift - drift[along.argmin()], axis=1).max())
    if shift > TOLERANCE * min(first.pixel_mm):
        raise ValueError(
            f"{where}: expected slices above each other, found them shifted by up to "
            f"{shift:.3g} mm (a tilted gantry, or another series among them)"
        )


def require_same_places(slices: Sequence[Slice], count: int, volume: Volume, where) -> None:
    """Raise unless the volume has ``count`` slices, on whose voxels the slices' corners lie.

    Raises
    ------
    ValueError
        If a corner lies over a tenth of a voxel off.
    """
    planes = int(np.prod(volume.shape)) // (slices[0].rows * slices[0].columns)
    if planes != count:
        raise ValueError(f"{where}: expected a volume of {count} slices, found {planes}")
    voxels = volume.to_voxels(np.concatenate([s.corners() for s in slices]))
    nearest = np.clip(np.rint(voxels), 0, np.array(volume.shape) - 1)
    if np.abs(voxels - nearest).max() > TOLERANCE:
        off = np.linalg.norm(volume.to_mm(voxels) - volume.to_mm(nearest), axis=1).max()
        raise ValueError(
            f"{where}: expected slices where their headers say, found the volume of dcm2niix up "
            f"to {off:.3g} mm off"
        )
