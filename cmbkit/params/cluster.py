"""Section ``cluster``: a Dask cluster to map over scans on."""

from __future__ import annotations

from pydantic import Field, model_validator

from cmbkit.params.sections import Section


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
        Seconds to wait for a worker when there is none.
    """

    address: str | None = Field(None, pattern=r"^[a-z]+://.+")
    slurm: Slurm | None = None
    patience_s: float = Field(300.0, gt=0)

    @model_validator(mode="after")
    def _one_place(self):
        if (self.address is None) == (self.slurm is None):
            raise ValueError("expected either address or slurm")
        return self
