"""Section ``network``: Figure A.7."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from cmbkit.params.sections import Section


class Network(Section):
    """Figure A.7: UNetApollo3D.

    ``lesion_prior`` is the probability that the untrained network gives to the lesion classes
    together (None: even odds, as zero biases give them). Activation, sampling and supervision are
    lines of Figure A.7 that can only be as published. ``normalization`` "instance" takes the
    statistics of the patch, so that what the network says of a voxel depends on the tile around
    it; "batch" (beyond the thesis) takes those of the training patches, per channel, and has none
    left to take at inference.
    """

    patch_size: list[int] = Field([96, 96, 96], min_length=3, max_length=3)
    n_channels: int = Field(1, gt=0)
    n_classes: int = Field(2, gt=1)
    filters_per_depth: list[int] = [32, 64, 128, 256, 320]
    filters_out_bottom_conv: int = Field(320, gt=0)
    kernel_size: list[int] = [3, 3, 3]
    n_conv_per_depth: int = Field(3, gt=0)
    n_conv_per_depth_upsampling: int = Field(2, gt=0)
    n_conv_bottom: int = Field(2, gt=0)
    residual_conv_index: int = Field(1, ge=0)
    hidden_activation: Literal["LeakyReLU"] = "LeakyReLU"
    activation_slope: float = Field(0.01, ge=0)
    down_sampling: Literal["strided"] = "strided"
    up_sampling: Literal["transposed"] = "transposed"
    normalization: Literal["instance", "batch"] = "instance"
    normalization_axis: Literal["channel"] | None = None
    normalization_epsilon: float = Field(1.0e-5, gt=0)
    l2: float = Field(1.0e-5, ge=0)
    lesion_prior: float | None = Field(None, gt=0, lt=0.5)
    deep_supervision: Literal[False] = False

    @model_validator(mode="after")
    def _patch_divides(self):
        factor = 2 ** len(self.filters_per_depth)
        if any(size % factor for size in self.patch_size):
            raise ValueError(
                f"patch_size {self.patch_size}: expected multiples of {factor} "
                f"(2 to the power of {len(self.filters_per_depth)} levels)"
            )
        return self
