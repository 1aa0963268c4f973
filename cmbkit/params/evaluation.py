"""Sections ``inference`` and ``evaluation``: tiles, post-processing, matching and metrics."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cmbkit.params.sections import AnyDataset, Section


class Inference(Section):
    """Sections 6.4.2 and 6.6: tiling and post-processing."""

    tile_size: list[int] | None = Field(None, min_length=3, max_length=3)
    engine: Literal["auto", "keras", "openvino"] = "auto"
    overlap: float = Field(0.4, ge=0, lt=1)
    batch_size: int = Field(6, gt=0)
    skip_outside_brain: bool = True
    threshold: float = Field(0.5, gt=0, lt=1)
    connectivity: Literal[6, 18, 26] = 6
    minimum_voxels: int = Field(1, gt=0)
    drop_outside_brain_labels: bool = True


class Evaluation(Section):
    """Section 6.7: matching, metrics and their intervals."""

    matching: Literal["distance", "overlap"] = "distance"
    max_distance_mm: float = Field(5.0, gt=0)
    assignment: Literal["greedy", "optimal"] = "greedy"
    scan_thresholds: list[int] = [1, 3, 5, 11]
    nan_rule: Literal["text", "code"] = "text"
    bootstrap_samples: int = Field(1000, gt=0)
    test_datasets: list[AnyDataset] = ["CRB", "DOU"]
