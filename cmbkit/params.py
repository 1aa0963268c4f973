"""Parameter files: strict models; the defaults are the thesis's published settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

DatasetName = Literal["CRB", "CRBneg", "DOU", "MOMENI", "RODEJA", "VALDO", "sMOMENI"]
AnyDataset = str
"""One of the seven, or a name in ``cohort.bids`` (checked in `Parameters`)."""

OwnName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
RESERVED_NAMES = (*get_args(DatasetName), "Valid", "All", "REAL", "thesis")


class ParameterError(ValueError):
    """A parameter file does not fit the model; one line per problem."""


class Section(BaseModel):
    """Base of all sections: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OwnDataset(Section):
    """A dataset of one's own in BIDS (see `cmbkit.datasets.bids`).

    Attributes
    ----------
    root : str
        Its folder. A path alone may stand for the whole section.
    split : {"test", "train", "valid", "train-valid"}
        Where its scans go; "train-valid" draws validation patients as from MOMENI, RODEJA and
        VALDO. Scans that nobody has annotated are excluded whatever the split.
    leave_out : list of str
        Labels of subjects that are not read.
    labels : {"shared", "own"}
        "shared": a subject label names the same person in every such dataset; "own": the labels
        of this one name people of its own.
    """

    root: str = Field(min_length=1)
    split: Literal["test", "train", "valid", "train-valid"] = "test"
    leave_out: list[str] = []
    labels: Literal["shared", "own"] = "shared"

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, values):
        return {"root": values} if isinstance(values, str) else values


class Cohort(Section):
    """Which datasets, and where they are.

    A dataset without an entry in ``roots`` comes from the embedded synthetic cohort, with
    ``phantom_scans`` scans of it. ``bids`` adds datasets of one's own under names of one's own.
    """

    datasets: list[DatasetName] = ["CRB", "CRBneg", "DOU", "MOMENI", "RODEJA", "VALDO", "sMOMENI"]
    roots: dict[DatasetName, str] = {}
    phantom_scans: dict[DatasetName, int] = {}
    bids: dict[OwnName, OwnDataset] = {}
    validation_fraction: float = Field(0.15, gt=0, lt=1)

    @model_validator(mode="after")
    def _every_dataset_has_a_source(self):
        for name in self.datasets:
            if name not in self.roots and not self.phantom_scans.get(name):
                raise ValueError(
                    f"{name} has neither a folder in roots nor a number in phantom_scans"
                )
        return self

    @model_validator(mode="after")
    def _own_names_are_free(self):
        taken = sorted(set(self.bids) & set(RESERVED_NAMES))
        if taken:
            raise ValueError(f"bids: expected names of your own, found {', '.join(taken)}")
        return self

    @property
    def names(self) -> list[str]:
        """All datasets of the cohort, sMOMENI after the dataset that it is made from."""
        published = sorted(self.datasets, key=lambda name: (name == "sMOMENI", name))
        return [*published, *sorted(self.bids)]

    @property
    def own_splits(self) -> dict[str, str]:
        """Split of each dataset in ``bids``."""
        return {name: own.split for name, own in self.bids.items()}

    @property
    def synthetic(self) -> bool:
        """Whether any dataset comes from the embedded cohort."""
        return any(name not in self.roots for name in self.datasets)


class Tool(Section):
    """Where SynthStrip or SynthSeg is.

    Attributes
    ----------
    program : str or None
        Name on the PATH or path of the program (in the image, if there is one); None:
        ``mri_synthstrip`` or ``mri_synthseg``.
    docker_image : str or None
        Run it in this docker image.
    folder : str or None
        Read ``<uid>.nii.gz`` from this folder (of the workers' machine) instead of running it.
    """

    program: str | None = Field(None, min_length=1)
    docker_image: str | None = Field(None, min_length=1)
    folder: str | None = Field(None, min_length=1)

    @property
    def named(self) -> bool:
        """Whether the parameter file says where it is: then it must be there."""
        return any((self.program, self.docker_image, self.folder))

    @model_validator(mode="after")
    def _folder_alone(self):
        if self.folder and (self.program or self.docker_image):
            raise ValueError("expected either folder, or program and docker_image")
        return self


class Preprocessing(Section):
    """Chapter 5: label refinement and the standard grid (lengths in mm unless named).

    ``refinement_grid``: where points and scribbles are grown and their spheres drawn, on the
    scan's ``native`` grid as the thesis did, or on the ``standard`` one as its section 9.4
    recommends. ``atlas_registration``: how SynthSeg's stand-in fits its atlas; ``affine``, by
    the brain's outline alone, is much faster and places fewer CMBs in the right region.
    """

    spacing_mm: float = Field(0.5, gt=0, le=3)
    pad_voxels: int = Field(400, gt=0)
    zscore: Literal["padded", "brain"] = "padded"
    brain_mask: Literal["auto", "synthstrip", "stand-in"] = "auto"
    parcellation: Literal["auto", "synthseg", "stand-in"] = "auto"
    synthstrip: Tool = Tool()
    synthseg: Tool = Tool()
    atlas_registration: Literal["elastic", "affine"] = "elastic"
    refinement_grid: Literal["native", "standard"] = "native"
    growing_connectivities: list[Literal[6, 26]] = [6, 26]
    growing_references: list[Literal["parent", "running"]] = ["parent", "running"]
    growing_differences: list[Literal["absolute", "relative"]] = ["absolute", "relative"]
    growing_max_radius_mm: float = Field(5.0, gt=0)
    growing_max_distance_mm: float = Field(10.0, gt=0)
    scribble_link_mm: float = Field(5.0, gt=0)
    prune_datasets: list[AnyDataset] = ["RODEJA", "CRB", "DOU"]
    prune_tolerance_voxels: dict[AnyDataset, float] = {"RODEJA": 2.0, "CRB": 2.0, "DOU": 1.5}
    closing_iterations: int = Field(2, ge=0)

    @model_validator(mode="after")
    def _tools_are_used(self):
        pairs = {"brain_mask": "synthstrip", "parcellation": "synthseg"}
        for method, tool in pairs.items():
            if getattr(self, tool).named and getattr(self, method) == "stand-in":
                raise ValueError(f"{method} is stand-in, but {tool} says where to find it")
        return self


class Network(Section):
    """Figure A.7: UNetApollo3D.

    ``lesion_prior`` is the probability that the untrained network gives to the lesion classes
    together (None: even odds, as zero biases give them).
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
    hidden_activation: Literal["LeakyReLU", "ReLU", "ELU"] = "LeakyReLU"
    activation_slope: float = Field(0.01, ge=0)
    down_sampling: Literal["strided", "max", "average"] = "strided"
    up_sampling: Literal["transposed", "nearest"] = "transposed"
    normalization_axis: Literal["channel"] | None = None
    normalization_epsilon: float = Field(1.0e-5, gt=0)
    l2: float = Field(1.0e-5, ge=0)
    lesion_prior: float | None = Field(None, gt=0, lt=0.5)

    @model_validator(mode="after")
    def _patch_divides(self):
        factor = 2 ** len(self.filters_per_depth)
        if any(size % factor for size in self.patch_size):
            raise ValueError(
                f"patch_size {self.patch_size}: expected multiples of {factor} "
                f"(2 to the power of {len(self.filters_per_depth)} levels)"
            )
        return self


class Augmentation(Section):
    """Section 6.3 and its probabilities."""

    spatial: float = Field(0.4, ge=0, le=1)
    affine: float = Field(0.6, ge=0, le=1)
    scaling: float = Field(0.05, ge=0)
    rotation_rad: float = Field(0.2, ge=0)
    shear: float = Field(0.01, ge=0)
    rotate90: bool = True
    elastic: float = Field(0.3, ge=0, le=1)
    intensity: float = Field(0.6, ge=0, le=1)
    noise: float = Field(0.25, ge=0, le=1)
    noise_sd_max: float = Field(0.5, ge=0)
    salt_pepper: float = Field(0.25, ge=0, le=1)
    salt_pepper_max: float = Field(0.15, ge=0, le=1)
    gamma: float = Field(0.5, ge=0, le=1)
    inversion: float = Field(0.25, ge=0, le=1)
    blur: float = Field(0.25, ge=0, le=1)
    blur_sigma: list[float] = Field([0.5, 2.5], min_length=2, max_length=2)


class Phase(Section):
    """One training phase. An epoch is a number of gradient steps (section 6.5.3).

    The learning rate is constant, as in the thesis, or falls along a cosine to 2 % of its
    value at the phase's last step; before either it rises over ``warmup_steps``.
    """

    datasets: list[AnyDataset]
    epochs: int = Field(gt=0)
    steps_per_epoch: int = Field(5000, gt=0)
    batch_size: int = Field(gt=0)
    learning_rate: float = Field(5.0e-5, gt=0)
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: int = Field(0, ge=0)
    patience_epochs: int = Field(50, gt=0)
    keep: Literal["loss", "count_f1", "count_precision", "segmentation_f1", "dice"]


class Pretrain(Phase):
    """Pre-training: the real sets, the synthetic lesions and the negative scans."""

    datasets: list[AnyDataset] = ["RODEJA", "MOMENI", "VALDO", "sMOMENI", "CRBneg"]
    epochs: int = Field(197, gt=0)
    batch_size: int = Field(5, gt=0)
    keep: Literal["loss", "count_f1", "count_precision", "segmentation_f1", "dice"] = "count_f1"


class Finetune(Phase):
    """Fine-tuning: the real sets alone."""

    datasets: list[AnyDataset] = ["RODEJA", "MOMENI", "VALDO"]
    epochs: int = Field(187, gt=0)
    batch_size: int = Field(6, gt=0)
    keep: Literal["loss", "count_f1", "count_precision", "segmentation_f1", "dice"] = "loss"


class PretrainTL(Pretrain):
    """Pre-training from carried weights."""

    epochs: int = Field(108, gt=0)


class FinetuneTL(Finetune):
    """Fine-tuning of the transferred model."""

    epochs: int = Field(99, gt=0)
    patience_epochs: int = Field(100, gt=0)


class Training(Section):
    """Sections 6.4-6.5 and 7.1: sampling, loss, phases."""

    models: list[Literal["scratch", "tl"]] = ["scratch", "tl"]
    pretrain: Pretrain = Pretrain()
    finetune: Finetune = Finetune()
    pretrain_tl: PretrainTL = PretrainTL()
    finetune_tl: FinetuneTL = FinetuneTL()
    source_weights: str | None = None
    source_steps: int = Field(5000, gt=0)
    source_spacing_mm: float = Field(1.0, gt=0)
    patches_per_scan: int = Field(30, gt=0)
    class_proportions: list[float] = Field([0.1, 0.9], min_length=2, max_length=2)
    dark_background: float = Field(0.0, ge=0, le=1)
    queue_patches: int = Field(300, gt=0)
    validation_share: float = Field(0.5, gt=0, le=1)
    validation_patches_per_scan: int | None = Field(None, gt=0)
    cross_entropy_weights: list[float] = Field([0.1, 5.0], min_length=2)
    tversky_alpha: float = Field(0.5, ge=0)
    tversky_beta: float = Field(0.5, ge=0)
    tversky_gamma: float = Field(3.0, gt=0)
    tversky_smooth: float = Field(1.0, ge=0)
    loss_weights: list[float] = Field([1.0, 1.0], min_length=2, max_length=2)
    augmentation: Augmentation = Augmentation()


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


class Slurm(Section):
    """Workers as SLURM jobs of one thread each, as many as ``workers`` (package dask-jobqueue).

    ``directives`` are further lines of ``#SBATCH``; ``prologue`` are shell lines before the
    worker starts, e.g. to activate an environment.
    """

    memory: str = Field("8GiB", pattern=r"^[0-9]+(\.[0-9]+)? ?(MB|MiB|GB|GiB)$")
    queue: str | None = None
    account: str | None = None
    walltime: str = Field("08:00:00", pattern=r"^([0-9]+-)?[0-9]+:[0-5][0-9]:[0-5][0-9]$")
    directives: list[str] = []
    prologue: list[str] = []


class Cluster(Section):
    """A Dask cluster for the steps that run scan by scan; exactly one of address and slurm.

    Attributes
    ----------
    address : str or None
        Of a running scheduler, e.g. ``tcp://10.0.0.1:8786``. Its workers must have one thread.
    slurm : Slurm or None
    patience_s : float
        Seconds to wait for a scheduler, and for a worker when there is none.
    """

    address: str | None = Field(None, pattern=r"^[a-z]+://.+")
    slurm: Slurm | None = None
    patience_s: float = Field(300.0, gt=0)

    @model_validator(mode="after")
    def _one_place(self):
        if (self.address is None) == (self.slurm is None):
            raise ValueError("expected either address or slurm")
        return self


class Parameters(Section):
    """Everything a run depends on."""

    profile: str = Field(pattern=r"^[a-z0-9_-]+$")
    seed: int = Field(2024, ge=0)
    data_dir: str = "data"
    figures_dir: str = "figures"
    workers: int = Field(2, gt=0)
    cluster: Cluster | None = None
    cohort: Cohort
    preprocessing: Preprocessing = Preprocessing()
    network: Network = Network()
    training: Training = Training()
    inference: Inference = Inference()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _datasets_are_known(self):
        known = {*get_args(DatasetName), *self.cohort.bids}
        named = {
            f"training.{name}.datasets": getattr(self.training, name).datasets
            for name in ("pretrain", "finetune", "pretrain_tl", "finetune_tl")
        }
        named["preprocessing.prune_datasets"] = self.preprocessing.prune_datasets
        named["preprocessing.prune_tolerance_voxels"] = self.preprocessing.prune_tolerance_voxels
        named["evaluation.test_datasets"] = self.evaluation.test_datasets
        for key, names in named.items():
            unknown = sorted(set(names) - known)
            if unknown:
                raise ValueError(
                    f"{key}: expected one of {', '.join(sorted(known))}; found {unknown[0]!r}"
                )
        return self

    @model_validator(mode="after")
    def _own_test_data_are_tested(self):
        """Own datasets of the test split join ``test_datasets``, unless that is given."""
        own = [name for name, split in self.cohort.own_splits.items() if split == "test"]
        if own and "test_datasets" not in self.evaluation.model_fields_set:
            tested = {"test_datasets": [*self.evaluation.test_datasets, *own]}
            object.__setattr__(self, "evaluation", self.evaluation.model_copy(update=tested))
        return self


def _explain(source, error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "file"
        expected = problem["msg"]
        if problem["type"] == "extra_forbidden":
            expected = "no such parameter"
        given = problem["input"]
        hint = ""
        if isinstance(given, str) and problem["type"] == "float_type":
            hint = " (YAML reads 1e-3 as text; write 1.0e-3)"
        shown = repr(given) if len(repr(given)) < 80 else f"{type(given).__name__}"
        lines.append(f"{source}: {key}: {expected}; found {shown}{hint}")
    return "\n".join(lines)


def check_parameters(values: dict, source="parameters") -> Parameters:
    """Build Parameters from plain values.

    Raises
    ------
    ParameterError
        One line per problem: source, key, what is expected, what was found.
    """
    try:
        return Parameters.model_validate(values)
    except ValidationError as error:
        raise ParameterError(_explain(source, error)) from None


def read_parameters(path) -> Parameters:
    """Read and check a YAML parameter file (see `check_parameters`)."""
    path = Path(path)
    if not path.is_file():
        raise ParameterError(f"{path}: expected a parameter file, found nothing")
    try:
        values = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ParameterError(f"{path}: expected YAML, found: {error}") from None
    if not isinstance(values, dict):
        raise ParameterError(f"{path}: expected keys and values, found {type(values).__name__}")
    return check_parameters(values, path)
