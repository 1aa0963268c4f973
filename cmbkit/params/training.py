"""Section ``training``: sections 6.3-6.5 and 7.1."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cmbkit.params.sections import AnyDataset, Section


class Augmentation(Section):
    """Section 6.3 and its probabilities.

    ``elastic_nodes``: displacements on so many nodes across the patch; null: on nodes 16 voxels
    apart, integrated so that nothing folds, as published (`cmbkit.detector.patches.elastic`).
    Their standard deviation is drawn up to ``elastic_sd_voxels``. ``gamma_sd`` is that of the
    logarithm of gamma.

    Beyond the thesis, with probability ``thick_slices`` a patch is shown as a scan with slices
    of ``thick_slices_mm`` would (`cmbkit.detector.patches.simulated_slices`); ``thick_slices_axes``
    weighs the axes across which they lie: right, anterior, superior.
    """

    spatial: float = Field(0.4, ge=0, le=1)
    affine: float = Field(0.6, ge=0, le=1)
    scaling: float = Field(0.05, ge=0)
    rotation_rad: float = Field(0.2, ge=0)
    shear: float = Field(0.01, ge=0)
    rotate90: bool = True
    elastic: float = Field(0.3, ge=0, le=1)
    elastic_nodes: int | None = Field(None, gt=1)
    elastic_sd_voxels: float = Field(4.0, ge=0)
    intensity: float = Field(0.6, ge=0, le=1)
    noise: float = Field(0.25, ge=0, le=1)
    noise_sd_max: float = Field(0.5, ge=0)
    salt_pepper: float = Field(0.25, ge=0, le=1)
    salt_pepper_max: float = Field(0.15, ge=0, le=1)
    gamma: float = Field(0.5, ge=0, le=1)
    gamma_sd: float = Field(0.4, ge=0)
    inversion: float = Field(0.25, ge=0, le=1)
    blur: float = Field(0.25, ge=0, le=1)
    blur_sigma: list[float] = Field([0.5, 2.5], min_length=2, max_length=2)
    thick_slices: float = Field(0.0, ge=0, le=1)
    thick_slices_mm: list[float] = Field([2.0, 6.0], min_length=2, max_length=2)
    thick_slices_axes: list[float] = Field([0.1, 0.1, 0.8], min_length=3, max_length=3)

    @model_validator(mode="after")
    def _slices_can_be_drawn(self):
        low, high = self.thick_slices_mm
        if not 0 < low <= high:
            raise ValueError(
                f"thick_slices_mm: expected 0 < lowest <= highest, found {[low, high]}"
            )
        axes = self.thick_slices_axes
        if min(axes) < 0 or sum(axes) <= 0:
            raise ValueError(f"thick_slices_axes: expected weights >= 0, found {axes}")
        return self


Kept = Literal["loss", "count_f1", "count_precision", "segmentation_f1", "dice", "final"]


class Phase(Section):
    """One training phase. An epoch is a number of gradient steps (section 6.5.3).

    The learning rate is constant, as in the thesis, or falls along a cosine to 2 % of its
    value at the phase's last step; before either it rises over ``warmup_steps``. The sides of
    the network named in ``frozen`` keep the weights that they start with (section 9.5). ``keep``
    names the validation metric whose best epoch counts; "final" is the last epoch, which suits a
    learning rate that falls.
    """

    datasets: list[AnyDataset]
    epochs: int = Field(gt=0)
    steps_per_epoch: int = Field(5000, gt=0)
    batch_size: int = Field(gt=0)
    learning_rate: float = Field(5.0e-5, gt=0)
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: int = Field(0, ge=0)
    patience_epochs: int = Field(50, gt=0)
    frozen: list[Literal["encoder", "bottom", "decoder"]] = []
    keep: Kept

    @model_validator(mode="after")
    def _warm_up_ends(self):
        steps = self.epochs * self.steps_per_epoch
        if self.warmup_steps >= steps:
            raise ValueError(
                f"warmup_steps: expected fewer than the phase's {steps} steps, "
                f"found {self.warmup_steps}"
            )
        return self


class Pretrain(Phase):
    """Pre-training: the real sets, the synthetic lesions and the negative scans."""

    datasets: list[AnyDataset] = ["RODEJA", "MOMENI", "VALDO", "sMOMENI", "CRBneg"]
    epochs: int = Field(197, gt=0)
    batch_size: int = Field(5, gt=0)
    keep: Kept = "count_f1"


class Finetune(Phase):
    """Fine-tuning: the real sets alone.

    Beyond the thesis, of the patches without a CMB the share ``false_alarms`` lies around places
    where the network that fine-tuning starts from is wrong on the training scans
    (`cmbkit.detector.patches.hard_negatives`).
    """

    datasets: list[AnyDataset] = ["RODEJA", "MOMENI", "VALDO"]
    epochs: int = Field(187, gt=0)
    batch_size: int = Field(6, gt=0)
    keep: Kept = "loss"
    false_alarms: float = Field(0.0, ge=0, le=1)


class PretrainTL(Pretrain):
    """Pre-training from carried weights."""

    epochs: int = Field(108, gt=0)


class FinetuneTL(Finetune):
    """Fine-tuning of the transferred model."""

    epochs: int = Field(99, gt=0)
    patience_epochs: int = Field(100, gt=0)


Place = Annotated[str, Field(min_length=1)]
OF_PROFILE = ("train", "frozen")
"""Values of ``networks`` that stand for the profile's own networks."""


class Training(Section):
    """Sections 6.4-6.5 and 7.1: sampling, loss, phases.

    ``networks`` says where trained networks come from: "train" trains ``models`` here (and keeps
    them in the cache), "frozen" reads those of ``weights/<profile>`` (`cmbkit.study.frozen`). A
    folder of weights, the name of shipped ones ("compact"), or a list of such, trains nothing:
    each is called by its folder's name, and the sections ``network``, ``preprocessing`` and
    ``inference`` are the weights' own (`cmbkit.study.given_networks`).
    ``source_weights`` names the source network of transfer learning, ``source_rename`` maps names
    of its layers to this network's (`cmbkit.detector.network.transfer`). ``validation_threshold``
    and ``validation_minimum_voxels`` are those of validation; another threshold of ``inference``
    trains nothing.
    ``seed``: of weights, patches and augmentation (None: the study's), so that the same scans train
    again by chance alone (`benchmarks/ablations.py`).
    ``memory_gb``: scans kept in memory between their visits; the patches do not
    depend on it.
    """

    networks: Place | Annotated[list[Place], Field(min_length=1)] = "train"
    models: list[Literal["scratch", "tl"]] = Field(["scratch", "tl"], min_length=1)
    seed: int | None = Field(None, ge=0, lt=2**32)
    pretrain: Pretrain = Pretrain()
    finetune: Finetune = Finetune()
    pretrain_tl: PretrainTL = PretrainTL()
    finetune_tl: FinetuneTL = FinetuneTL()
    source_weights: str | None = None
    source_rename: dict[str, str] = {}
    source_steps: int = Field(5000, gt=0)
    source_spacing_mm: float = Field(1.0, gt=0)
    patches_per_scan: int = Field(30, gt=0)
    class_proportions: list[float] = Field([0.1, 0.9], min_length=2, max_length=2)
    dark_background: float = Field(0.0, ge=0, le=1)
    queue_patches: int = Field(300, gt=0)
    memory_gb: float = Field(2.5, gt=0)
    validation_share: float = Field(0.5, gt=0, le=1)
    validation_patches_per_scan: int | None = Field(None, gt=0)
    validation_threshold: float = Field(0.5, gt=0, lt=1)
    validation_minimum_voxels: int = Field(1, gt=0)
    tensorboard: bool = True
    cross_entropy_weights: list[float] = Field([0.1, 5.0], min_length=2)
    tversky_alpha: float = Field(0.5, ge=0)
    tversky_beta: float = Field(0.5, ge=0)
    tversky_gamma: float = Field(3.0, gt=0)
    tversky_smooth: float = Field(1.0, ge=0)
    loss_weights: list[float] = Field([1.0, 1.0], min_length=2, max_length=2)
    augmentation: Augmentation = Augmentation()

    @model_validator(mode="after")
    def _given_networks_have_names(self):
        if self.networks in OF_PROFILE:
            return self
        names = [PurePath(place).name for place in self._places]
        taken = {"", "..", *OF_PROFILE, "dark blobs"}
        wrong = [name for name in names if names.count(name) > 1 or name in taken]
        if wrong:
            raise ValueError(f"networks: expected folders of names of their own, found {names}")
        return self

    @property
    def _places(self) -> list[str]:
        return [self.networks] if isinstance(self.networks, str) else self.networks

    @property
    def given(self) -> dict[str, str]:
        """Networks that are neither trained here nor frozen: folder or shipped name, by name."""
        if self.networks in OF_PROFILE:
            return {}
        return {PurePath(place).name: place for place in self._places}

    @property
    def shared(self) -> dict:
        """What every phase depends on besides its own section."""
        phases = ("pretrain", "finetune", "pretrain_tl", "finetune_tl")
        start = ("models", "source_weights", "source_rename", "source_steps", "source_spacing_mm")
        free = ("networks", "seed", "tensorboard", "memory_gb")
        return self.model_dump(mode="json", exclude={*phases, *start, *free})
