"""Section ``inference``: tiles and post-processing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cmbkit.params.sections import Section

POSTPROCESSING = frozenset(
    ["threshold", "connectivity", "minimum_voxels", "drop_outside_brain_labels"]
)
"""Parameters that change what is made of a map of logits, not the map."""


class Inference(Section):
    """Sections 6.4.2 and 6.6: tiling and post-processing.

    ``weighting``: logits of overlapping tiles are summed (the thesis), averaged, or averaged with
    a Gaussian that trusts a tile's middle more. ``flips``: the mean over four mirror images of each
    tile, those along an even and those along an odd number of axes in turn. ``two_passes``: tiles
    without overlap and mirror images first, then only the tiles near voxels of
    ``screen_threshold`` or more. ``coarser``: grids to look at too, as shares of the voxels along
    an axis (0.5: voxels twice as wide), where what is larger than what the network learnt on looks
    like that; without mirror images, and a logit there counts less by ``coarser_margin``. Where
    weights look a second time at what they find, nothing under 5 voxels of its grid is left.
    """

    engine: Literal["auto", "keras", "openvino"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    overlap: float = Field(0.4, ge=0, lt=1)
    weighting: Literal["sum", "mean", "gaussian"] = "sum"
    batch_size: int = Field(6, gt=0)
    skip_outside_brain: bool = True
    flips: bool = False
    two_passes: bool = False
    screen_threshold: float = Field(0.1, gt=0, lt=1)
    coarser: list[Annotated[float, Field(ge=0.25, lt=1)]] = []
    coarser_margin: float = Field(0.0, ge=0)
    threshold: float = Field(0.5, ge=0.003, lt=1)
    connectivity: Literal[6, 18, 26] = 6
    minimum_voxels: int = Field(1, gt=0)
    drop_outside_brain_labels: bool = True

    def of_map(self) -> dict:
        """What a map of logits depends on, as plain values."""
        return self.model_dump(mode="json", exclude={*POSTPROCESSING, "batch_size"})

    def of_candidates(self) -> dict:
        """What is made of a map of logits, as plain values."""
        return self.model_dump(mode="json", include=set(POSTPROCESSING))
