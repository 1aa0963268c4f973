"""Section ``cohort``: which datasets, and where they are."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from cmbkit.params.sections import RESERVED_NAMES, DatasetName, OwnName, Section

Split = Literal["test", "train", "valid", "train-valid"]


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
    split: Split = "test"
    leave_out: list[str] = []
    labels: Literal["shared", "own"] = "shared"

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, values):
        return {"root": values} if isinstance(values, str) else values


class Cohort(Section):
    """Which datasets, and where they are.

    A dataset without an entry in ``roots`` comes from the embedded synthetic cohort, with
    ``phantom_scans`` scans of it, made by ``phantom_model``: "contrast" takes a drawn share of the
    signal and averages magnitudes, "physical" follows susceptibility, echo time and field to a
    complex signal (`cmbkit.phantom.physical`), "wide" draws one of them and a protocol for each
    scan, to train on (`cmbkit.phantom.wide`). Without ``datasets``, all that are named in either.
    ``bids`` adds datasets of one's own under names of one's own.
    ``splits`` moves a published dataset out of the split that section 7.1.2 gives it.
    With ``folds`` and ``fold`` the patients that would be drawn for validation are cut into so
    many parts instead, and part ``fold`` (from 1) is validation (see `cmbkit.datasets.folds`).
    """

    datasets: list[DatasetName] = ["CRB", "CRBneg", "DOU", "MOMENI", "RODEJA", "VALDO", "sMOMENI"]
    roots: dict[DatasetName, str] = {}
    phantom_scans: dict[DatasetName, Annotated[int, Field(ge=0)]] = {}
    phantom_model: Literal["contrast", "physical", "wide"] = "contrast"
    bids: dict[OwnName, OwnDataset] = {}
    splits: dict[DatasetName, Split] = {}
    validation_fraction: float = Field(0.15, gt=0, lt=1)
    folds: int | None = Field(None, gt=1)
    fold: int | None = Field(None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _datasets_are_those_with_a_source(cls, values):
        if not isinstance(values, dict) or "datasets" in values:
            return values
        named = {*(values.get("roots") or {}), *(values.get("phantom_scans") or {})}
        return values | {"datasets": [name for name in get_args(DatasetName) if name in named]}

    @model_validator(mode="after")
    def _every_dataset_has_a_source(self):
        if not self.names:
            raise ValueError("expected a dataset in roots, phantom_scans or bids, found none")
        for name in self.datasets:
            if name not in self.roots and not self.phantom_scans.get(name):
                raise ValueError(
                    f"{name} has neither a folder in roots nor a number in phantom_scans"
                )
        return self

    @model_validator(mode="after")
    def _no_brain_on_both_sides(self):
        """SMOMENI holds MOMENI's own brains: it may train, or go where all of MOMENI goes."""
        own, source = self.splits.get("sMOMENI", "train"), self.splits.get("MOMENI", "train-valid")
        both = {"MOMENI", "sMOMENI"} <= {*self.datasets}
        if both and own != "train" and (own != source or own == "train-valid"):
            raise ValueError(
                "splits: sMOMENI has the brains of MOMENI: expected sMOMENI: train (its scans of "
                "patients who are not in training are then left out), or both in one split; "
                f"found sMOMENI: {own}, MOMENI: {source}"
            )
        return self

    @model_validator(mode="after")
    def _folds_and_own_names(self):
        if self.fold is not None and not self.fold <= (self.folds or 0):
            raise ValueError(f"fold: expected 1 to folds ({self.folds}), found {self.fold}")
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
        """Split of each dataset in ``bids``, and of those in ``splits``."""
        named = {str(name): str(split) for name, split in self.splits.items()}
        return named | {name: own.split for name, own in self.bids.items()}

    @property
    def synthetic(self) -> bool:
        """Whether any dataset comes from the embedded cohort."""
        return any(name not in self.roots for name in self.datasets)
