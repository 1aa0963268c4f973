"""Parameter files: strict models; the defaults are the thesis's published settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from pydantic import Field, ValidationError, model_validator

from cmbkit.params.cluster import Cluster
from cmbkit.params.cohort import Cohort
from cmbkit.params.evaluation import DarkBlobs, Evaluation, SliceExperiment
from cmbkit.params.inference import Inference
from cmbkit.params.network import Network
from cmbkit.params.preprocessing import Preprocessing, Tool
from cmbkit.params.problems import ParameterError, problem_lines
from cmbkit.params.sections import DatasetName, Section
from cmbkit.params.training import Augmentation, Phase, Training
from cmbkit.params.yaml_file import read_keys_and_values


class Parameters(Section):
    """Everything a run depends on."""

    profile: str = Field(pattern=r"^[a-z0-9_-]+$")
    seed: int = Field(2024, ge=0, lt=2**32)
    data_dir: str = Field("data", min_length=1)
    figures_dir: str = Field("figures", min_length=1)
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
        known = self.evaluation.test_datasets
        splits = self.cohort.own_splits.items()
        own = [name for name, split in splits if split == "test" and name not in known]
        if own and "test_datasets" not in self.evaluation.model_fields_set:
            tested = {"test_datasets": [*known, *own]}
            object.__setattr__(self, "evaluation", self.evaluation.model_copy(update=tested))
        return self


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
        lines = [f"{source}: {line}" for line in problem_lines(error, Parameters)]
        raise ParameterError("\n".join(lines)) from None


def read_parameters(path, parts: Mapping | None = None) -> Parameters:
    """Read and check a YAML parameter file, and replace ``parts`` of it (see `replace_parts`).

    Raises
    ------
    ParameterError
        One line per problem: with the file's name where the file alone does not fit, with
        "parameters" where it does not with the parts.
    """
    path = Path(path)
    values = read_keys_and_values(path)
    found = check_parameters(values, path)
    return check_parameters(replace_parts(values, parts)) if parts else found


def replace_parts(values: Mapping, parts: Mapping) -> dict:
    """Return ``values`` with ``parts`` in their place.

    A dict is replaced key by key, at any depth; a list, a number or a text as a whole. Neither
    argument is changed.
    """
    replaced = dict(values)
    for key, part in parts.items():
        old = replaced.get(key)
        if isinstance(old, Mapping) and isinstance(part, Mapping):
            part = replace_parts(old, part)
        replaced[key] = part
    return replaced
