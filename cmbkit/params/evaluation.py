"""Sections ``inference`` and ``evaluation``: tiles, post-processing, matching and metrics."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cmbkit.params.sections import AnyDataset, Section

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]
PLANS = {
    "reference": {
        "tiles": "image", "overlap": 0.4, "weighting": "sum", "skip_outside_brain": False,
        "engine": "keras", "precision": "float32",
    },
    "skip": {
        "tiles": "image", "overlap": 0.4, "weighting": "sum", "skip_outside_brain": True,
        "engine": "auto", "precision": "float32",
    },
    "skip bfloat16": {
        "tiles": "image", "overlap": 0.4, "weighting": "sum", "skip_outside_brain": True,
        "engine": "auto", "precision": "auto",
    },
    "box": {
        "tiles": "brain", "overlap": 0.4, "weighting": "sum", "engine": "auto",
        "precision": "auto",
    },
    "fast": {
        "tiles": "brain", "overlap": 0.25, "weighting": "sum", "engine": "auto",
        "precision": "auto",
    },
}  # fmt: skip
"""What a plan sets, from exact to fast; ``benchmarks/inference.md`` says how well each agrees."""

POSTPROCESSING = frozenset(
    [
        *("threshold", "low_threshold", "connectivity", "merge_mm", "minimum_voxels"),
        *("drop_outside_brain_labels", "maximum_tubeness"),
    ]
)
"""Parameters that change what is made of a probability map, not the map."""


class Inference(Section):
    """Sections 6.4.2 and 6.6: tiling and post-processing.

    ``plan`` sets the parameters that it names in `PLANS`; what is given beside it wins.
    ``tiles``: laid over the whole image, or only over the brain. ``weighting``: logits of
    overlapping tiles are summed (the thesis), averaged, or averaged with a Gaussian that trusts
    a tile's middle more. ``ensemble``: further checkpoints (``"dice"``, ``"final"``, ...) whose
    logits are averaged with the kept one's. ``two_passes``: tiles without overlap and mirror
    images first, then only the tiles near voxels of ``screen_threshold`` or more. ``screen`` (a
    shipped name such as ``"compact"``, or a folder of weights) makes a cascade: that network does
    the first pass, on its own grid.
    """

    plan: Literal["reference", "skip", "skip bfloat16", "box", "fast"] | None = None
    tile_size: list[int] | None = Field(None, min_length=3, max_length=3)
    engine: Literal["auto", "keras", "openvino"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    tiles: Literal["image", "brain"] = "image"
    overlap: float = Field(0.4, ge=0, lt=1)
    weighting: Literal["sum", "mean", "gaussian"] = "sum"
    batch_size: int = Field(6, gt=0)
    skip_outside_brain: bool = True
    flips: bool = False
    ensemble: list[str] = []
    two_passes: bool = False
    screen: str | None = None
    screen_threshold: float = Field(0.1, gt=0, lt=1)
    threshold: float = Field(0.5, gt=0, lt=1)
    low_threshold: float | None = Field(None, gt=0, lt=1)
    connectivity: Literal[6, 18, 26] = 6
    merge_mm: float = Field(0.0, ge=0)
    minimum_voxels: int = Field(1, gt=0)
    drop_outside_brain_labels: bool = True
    maximum_tubeness: float | None = Field(None, gt=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _fill_plan(cls, values):
        if not isinstance(values, dict) or values.get("plan") not in PLANS:
            return values
        return {**PLANS[values["plan"]], **values}

    @model_validator(mode="after")
    def _one_first_pass(self):
        if self.two_passes and self.screen:
            raise ValueError("screen: expected none with two_passes, which is a first pass too")
        return self

    @model_validator(mode="after")
    def _low_is_lower(self):
        if self.low_threshold is not None and self.low_threshold >= self.threshold:
            raise ValueError(
                f"low_threshold: expected less than threshold {self.threshold:g}, "
                f"found {self.low_threshold:g}"
            )
        return self

    def of_map(self) -> dict:
        """What a probability map depends on, as plain values."""
        return self.model_dump(mode="json", exclude={*POSTPROCESSING, "plan", "batch_size"})

    def of_candidates(self) -> dict:
        """What is made of a probability map, as plain values."""
        return self.model_dump(mode="json", include=set(POSTPROCESSING))


class ThickSlices(Section):
    """The controlled experiment on slice thickness (beyond the thesis; `study.thick_slices`).

    ``brains`` synthetic brains, each scanned with slices of every ``thickness_mm``. The first
    of ``radius_mm``, ``contrast`` (share of signal lost) and ``count`` (microbleeds per brain)
    is the base; each further value takes its place alone, at ``varied_thickness_mm``.
    ``slab_mm``: the network looks at an axial slab of that height; null: at the whole brain.
    """

    brains: int = Field(2, gt=0)
    thickness_mm: list[Positive] = Field([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], min_length=1)
    varied_thickness_mm: list[Positive] = [1.0, 3.0, 6.0]
    radius_mm: list[Positive] = Field([2.0, 1.5], min_length=1)
    contrast: list[Share] = Field([0.8, 0.5], min_length=1)
    count: list[Annotated[int, Field(gt=0)]] = Field([24, 8], min_length=1)
    in_plane_mm: float = Field(0.9, gt=0)
    slab_mm: float | None = Field(40.0, ge=20)


class Evaluation(Section):
    """Section 6.7: matching, metrics and their intervals."""

    matching: Literal["distance", "overlap"] = "distance"
    max_distance_mm: float = Field(5.0, gt=0)
    assignment: Literal["greedy", "optimal"] = "greedy"
    scan_thresholds: list[int] = [1, 3, 5, 11]
    nan_rule: Literal["text", "code"] = "text"
    bootstrap_samples: int = Field(1000, gt=0)
    test_datasets: list[AnyDataset] = ["CRB", "DOU"]
    thick_slices: ThickSlices = ThickSlices()

    @property
    def of_scans(self) -> dict:
        """What the evaluation of a scan depends on: everything but the experiment's design."""
        return self.model_dump(mode="json", exclude={"thick_slices"})
