"""What all sections of a parameter file have in common, and the names of datasets."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, StringConstraints

DatasetName = Literal["CRB", "CRBneg", "DOU", "MOMENI", "RODEJA", "VALDO", "sMOMENI"]
AnyDataset = str
"""One of the seven, or a name in ``cohort.bids`` (checked in `Parameters`)."""

OwnName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
RESERVED_NAMES = (*get_args(DatasetName), "Valid", "All", "REAL", "thesis")


class Section(BaseModel):
    """Base of all sections: unknown keys, wrong types, infinity and NaN are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
