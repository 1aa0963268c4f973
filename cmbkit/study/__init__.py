"""The study: every stage from raw scans to tables, computed once and kept in the cache.

A notebook makes one `Study` from its parameters and asks it for what a cell shows; what is
not in the cache is computed then, so each notebook runs alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from cmbkit import __version__
from cmbkit.params import ParameterError, check_parameters, read_parameters
from cmbkit.params.from_notebook import INPUT_PATH, notebook_parameters
from cmbkit.running.cache import Cache
from cmbkit.running.ledger import parameter_set
from cmbkit.study.cohort import CohortStage
from cmbkit.study.frozen import made_at
from cmbkit.study.given_networks import with_given_networks
from cmbkit.study.models import ModelStage
from cmbkit.study.real_scan import RealScanStage
from cmbkit.study.results import ResultStage
from cmbkit.study.scan_inputs import raw_hash


def find_root(near: str | os.PathLike | None = None) -> Path:
    """The folder that holds data/ and figures/.

    $CMBKIT_ROOT, or the nearest folder with parameter files in params/: above ``near`` (a
    parameter file or a notebook), else above the working directory.

    Raises
    ------
    cmbkit.params.ParameterError
        If there is none, so that nothing begins in a place that nobody meant.
    """
    if "CMBKIT_ROOT" in os.environ:
        return Path(os.environ["CMBKIT_ROOT"]).resolve()
    places = [Path(near).resolve().parent] if near else []
    places.append(Path.cwd())
    for folder in (folder for place in places for folder in (place, *place.parents)):
        if any((folder / "params").glob("*.yaml")):
            return folder
    raise ParameterError(
        f"{places[-1]}: expected a study's folder (parameter files in params/) here or above, "
        "found none; go there (papermill: --cwd), or name it in the variable CMBKIT_ROOT"
    )


class Study:
    """All stages of one run.

    Parameters
    ----------
    root : path-like, optional
        Where ``data/`` and ``figures/`` are; see `find_root` by default.
    **values
        The keys of a parameter file (see `cmbkit.params.Parameters`).

    Attributes
    ----------
    cohort : CohortStage
        Scans, splits, standard grid, microbleed features (notebooks 01-03).
    models : ModelStage
        Source network, training phases, transfer (notebook 04).
    results : ResultStage
        Predictions, matches, metrics (notebooks 05-07).
    real : RealScanStage
        The real T2*-weighted scan that nibabel carries.
    of_file : Parameters or None
        Of the profile's parameter file, without the parts that stand in for some of it.
    slice_experiment : SliceExperimentStage
        The same synthetic brains in slices of several thicknesses (notebook 06).
    """

    def __init__(self, root=None, **values):
        self.root = Path(root).resolve() if root else find_root()
        self.params = with_given_networks(check_parameters(values), self.root)
        file = self.root / "params" / f"{self.params.profile}.yaml"
        self.of_file = self._in_force(file) if file.is_file() else None
        data = self.root / self.params.data_dir
        user = parameter_set(self.params)
        self.cache = Cache(data / "derivatives" / self.params.profile, user)
        self.raw = Cache(data / "raw" / self.params.profile, user)
        self.cache.describe(__version__)
        self.cohort = CohortStage(self)
        self.models = ModelStage(self)
        self.results = ResultStage(self)
        self.real = RealScanStage(self)

    @classmethod
    def read(cls, path, *, root=None, **parts) -> Study:
        """Study of a parameter file, parts of which may be replaced.

        Parameters
        ----------
        path : path-like
            For instance ``"params/demo.yaml"``.
        root : path-like, optional
            See `Study`; by default found from the file's place.
        **parts
            For instance ``seed=7, inference={"threshold": 0.9}``: dicts replace key by key,
            everything else as a whole.

        Raises
        ------
        cmbkit.params.ParameterError
            One line per problem in the file or the parts; no root.

        Examples
        --------
        >>> study = Study.read("params/demo.yaml", inference={"threshold": 0.9})
        >>> study.params.profile, study.params.inference.threshold
        ('demo', 0.9)
        """
        params = read_parameters(path, parts)
        study = cls(root or find_root(path), **params.model_dump(exclude_unset=True))
        study.of_file = study._in_force(path)
        return study

    @classmethod
    def from_notebook(cls, namespace: Mapping) -> Study:
        """Study of a notebook: the file of its ``profile`` with what else its cell gives.

        Parameters
        ----------
        namespace : mapping
            The notebook's ``globals()`` (see `cmbkit.params.from_notebook.notebook_parameters`).
        """
        root = find_root(namespace.get(INPUT_PATH))
        params = notebook_parameters(namespace, root / "params")
        return cls(root, **params.model_dump(exclude_unset=True))

    def _in_force(self, path):
        """Parameters of a file, those of networks that it names among them."""
        return with_given_networks(read_parameters(path), self.root)

    @cached_property
    def slice_experiment(self):
        """The controlled experiment on slice thickness (imported on use)."""
        from cmbkit.study.slice_experiment import SliceExperimentStage

        return SliceExperimentStage(self)

    @property
    def synthetic(self) -> bool:
        """Whether any scan comes from the embedded synthetic cohort."""
        return self.params.cohort.synthetic

    @property
    def note(self) -> str:
        """What every table and figure of this run must say about itself."""
        p = self.params
        filters = ", ".join(map(str, p.network.filters_per_depth))
        origin = "synthetic cohort" if self.synthetic else "real data"
        return (
            f"{origin}; profile {p.profile}: {p.preprocessing.spacing_mm:g} mm grid, "
            f"network of {filters} filters"
        )

    @cached_property
    def made_with(self):
        """Settings of this run and of its profile's file, for the feet of tables and figures."""
        from cmbkit.reporting.made_with import MadeWith

        return MadeWith(
            self.params,
            self.of_file,
            lambda: self.models.weight_hashes,
            # Only what was read: a table of something else must not make a cohort.
            lambda: raw_hash(self.cache, vars(self.cohort).get("scans", ())),
            made_at(self.root),
        )

    @cached_property
    def gallery(self):
        """Where tables and figures are saved under their thesis numbers."""
        from cmbkit.reporting.gallery import Gallery
        from cmbkit.reporting.legends import read_legends
        from cmbkit.reporting.origins import origins

        folder = self.root / self.params.figures_dir / self.params.profile
        about = (self.params.profile, self.synthetic, self.note, self.made_with)
        return Gallery(folder, *about, read_legends(), origins(self.root / "notebooks"))

    def __repr__(self) -> str:
        return f"Study({self.params.profile!r}, seed={self.params.seed})"

    def _repr_html_(self) -> str:
        return f"<b>cmbkit study</b> &middot; {self.note} &middot; seed {self.params.seed}"
