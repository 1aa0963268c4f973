"""Section ``evaluation``: matching, metrics and the experiment on slice thickness."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cmbkit.params.sections import AnyDataset, Section

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]


class SliceExperiment(Section):
    """The controlled experiment on slice thickness (beyond the thesis; `study.slice_experiment`).

    ``brains`` synthetic brains (0: it is left out), each scanned with slices of every
    ``thickness_mm``. The first of ``radius_mm``, ``contrast`` (share of signal lost) and ``count``
    (microbleeds per brain) is the base; each further value takes its place alone, at
    ``varied_thickness_mm``. In the physical model (``cohort: phantom_model``) slices are summed as
    complex signal and, for comparison, by averaging magnitudes; ``tesla`` and ``te_ms`` are varied
    like the others, and the contrast follows from them. ``slab_mm``: the network looks at an axial
    slab of that height; null: at the whole brain.
    """

    brains: int = Field(2, ge=0)
    thickness_mm: list[Positive] = Field([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], min_length=1)
    varied_thickness_mm: list[Positive] = [1.0, 3.0, 6.0]
    radius_mm: list[Positive] = Field([2.0, 1.5], min_length=1)
    contrast: list[Share] = Field([0.8, 0.5], min_length=1)
    count: list[Annotated[int, Field(gt=0)]] = Field([24, 8], min_length=1)
    tesla: list[Positive] = Field([3.0], min_length=1)
    te_ms: list[Positive] = Field([20.0], min_length=1)
    in_plane_mm: float = Field(0.9, gt=0)
    slab_mm: float | None = Field(40.0, ge=20)


class DarkBlobs(Section):
    """Operating point of the untrained baseline (`cmbkit.detector.inference.dark_blob`).

    Chosen as the networks' is, on the scans of params/operating.yaml
    (benchmarks/bench_operating.py).
    """

    threshold: float = Field(0.5, gt=0, lt=1)
    minimum_voxels: int = Field(1, gt=0)


class Evaluation(Section):
    """Section 6.7: matching, metrics and their intervals."""

    matching: Literal["distance", "overlap"] = "distance"
    max_distance_mm: float = Field(5.0, gt=0)
    assignment: Literal["greedy", "optimal"] = "greedy"
    scan_thresholds: list[Annotated[int, Field(gt=0)]] = Field([1, 3, 5, 11], min_length=1)
    nan_rule: Literal["text", "code"] = "text"
    bootstrap_samples: int = Field(1000, gt=0)
    test_datasets: list[AnyDataset] = ["CRB", "DOU"]
    dark_blobs: DarkBlobs = DarkBlobs()
    slice_experiment: SliceExperiment = SliceExperiment()

    @property
    def of_matching(self) -> dict:
        """What says who matches whom."""
        return self.model_dump(mode="json", include={"matching", "max_distance_mm", "assignment"})

    @property
    def of_scans(self) -> dict:
        """What the evaluation of a scan depends on."""
        return {**self.of_matching, "nan_rule": self.nan_rule}
