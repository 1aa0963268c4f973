"""What ``cmbkit cache`` does: sizes of what is kept, why a result is made anew, and removal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from cmbkit.params import ParameterError, Parameters, read_parameters
from cmbkit.params.names import no_such_name
from cmbkit.records import StandardScan
from cmbkit.running.ledger import entries, newest, parameter_set
from cmbkit.running.provenance import Asked, read_record
from cmbkit.study import Study, find_root
from cmbkit.study.cohort import describe_cached, preprocess_cached
from cmbkit.study.given_networks import with_given_networks
from cmbkit.study.refinement import trials_cached
from cmbkit.study.scan_results import (
    BASELINE,
    candidate_features,
    evaluate_cached,
    evaluate_native,
)

KINDS = ("raw", "derivatives")
OF_NETWORKS = (
    *("features-found", "maps", "predictions", "evaluation", "evaluation-native"),
    *("operating", "experiments"),
)
"""Steps whose names go on with the name of a network, such as ``maps/scratch``."""


def parameter_files(root: Path) -> dict[Path, Parameters]:
    """Parameter files of a study's root, read.

    Raises
    ------
    ParameterError
        If there are none, or one is not valid.
    """
    files = sorted((root / "params").glob("*.yaml"))
    if not files:
        raise ParameterError(f"{root / 'params'}: expected parameter files, found none")
    return {file: with_given_networks(read_parameters(file), root) for file in files}


def kept(root: Path, profile: str | None = None) -> pd.DataFrame:
    """Everything in the caches of the parameter files in ``params/``.

    Parameters
    ----------
    root : Path
    profile : str, optional
        Only of this one.

    Returns
    -------
    DataFrame
        One row per result: profile, kind (raw or derivatives), step, item, size (bytes),
        finished, reached (by a parameter file), entry.
    """
    files = parameter_files(root).values()
    users = {parameter_set(params) for params in files}
    data = {params.data_dir for params in files}
    rows = [
        {
            "profile": folder.name,
            "kind": folder.parent.name,
            **{name: getattr(entry, name) for name in ("step", "item", "size", "finished")},
            "reached": entry.reached(users),
            "entry": entry,
        }
        for folder in _folders(root, data, profile)
        for entry in entries(folder)
    ]
    columns = ["profile", "kind", "step", "item", "size", "finished", "reached", "entry"]
    return pd.DataFrame(rows, columns=columns)


def _folders(root: Path, data: set[str], profile: str | None) -> Iterator[Path]:
    for place in (root / name / kind for name in sorted(data) for kind in KINDS):
        yield from sorted(path for path in place.glob(profile or "*") if path.is_dir())


def remove(table: pd.DataFrame) -> pd.DataFrame:
    """Delete the results of `kept` that no parameter file reaches; returns their rows."""
    gone = table[~table["reached"].astype(bool)]
    for entry in gone["entry"]:
        entry.remove()
    return gone


def why(root: Path, profile: str, step: str, item: str) -> list[str]:
    """What changed since a result was made last, as its parameter file and the code are now.

    Nothing is computed: where another result would have to be made first, it is told of that.

    Parameters
    ----------
    root : Path
    profile : str
        Name of the parameter file.
    step, item : str
        For instance ``"maps/scratch"`` and ``"DOU-07"``.

    Returns
    -------
    list of str
        First what it is about, then a line for each input, definition and package that differs.

    Raises
    ------
    ParameterError, ValueError
        If there is no such profile, or no such step or item.
    """
    params = read_parameters(root / "params" / f"{profile}.yaml")
    study = Study(root, **{**params.model_dump(exclude_unset=True), "workers": 1, "cluster": None})
    study.cache.not_made = study.raw.not_made = missing = []
    study.cache.user = study.raw.user = ""
    try:
        _ask(study, step, item)
    except RuntimeError:
        if not missing:
            raise
    wanted = next((a for a in missing if (a.step, a.item) == (step, item)), None)
    if wanted:
        return _told(study, wanted)
    if missing:
        return [f"{step} {item} depends on what has to be made first", *_told(study, missing[0])]
    return [f"{step} {item} is in the cache; nothing has changed"]


def _told(study: Study, asked: Asked) -> list[str]:
    items = [cache.root / asked.step / asked.item for cache in (study.raw, study.cache)]
    last = next(filter(None, map(newest, items)), None)
    if last is None:
        return [f"{asked.step} {asked.item} has never been made"]
    changes = asked.differences(read_record(last))
    return [f"{asked.step} {asked.item} will be made anew; since {last.name}:", *changes]


def _ask(study: Study, step: str, item: str) -> None:
    """Ask the study for an item of a step."""
    kind, _, model = step.partition("/")
    if kind in OF_NETWORKS:
        _require_network(study, step, model)
    if kind == "synthetic":
        study.cohort.folder(item)
    elif kind == "real":
        study.real.scan("implanted")
    elif kind == "models":
        _ask_model(study, item)
    elif kind == "operating":
        study.results.operating_points(model.partition("/")[0])
        study.results.postprocessing_steps(model.partition("/")[0])
    elif kind == "experiments":
        study.slice_experiment.matches(model.partition("-")[2])
    else:
        _ask_scan(study, step, item)


def _require_network(study: Study, step: str, named: str) -> None:
    """Raise if what a step's name says behind the stroke is no network of the study."""
    known = (BASELINE, *study.models.names)
    model = named.partition("-")[2] if step.startswith("experiments/") else named.partition("/")[0]
    if model not in known:
        raise ValueError(f"{step}: expected a step of {', '.join(known)}, found one of {model!r}")


def _ask_model(study: Study, item: str) -> None:
    phases = {"-".join(phase): phase for phase in study.models.phases}
    if item == "size":
        study.models.parameter_count()
    elif item == "source":
        study.models.source()
    elif item in phases:
        study.models.folder(*phases[item])
    else:
        known = ", ".join(["size", "source", *phases])
        raise ValueError(f"{item}: expected an item such as {known}")


def _ask_scan(study: Study, step: str, uid: str) -> None:
    kind, _, model = step.partition("/")
    cache, params, results = study.cache, study.params, study.results

    def item(scan):
        return model, scan, results.candidate_folder(model, scan)

    ways = {
        "preproc": lambda scan: None,
        "refinement": lambda scan: trials_cached(cache, params.preprocessing, scan.scan),
        "features": lambda scan: describe_cached(cache, "standard", (scan, None, step)),
        "features-native": lambda scan: describe_cached(cache, "native", (scan, None, step)),
        "features-found": lambda scan: candidate_features(cache, item(scan)),
        "maps": lambda scan: results.logit_map(model, scan),
        "predictions": lambda scan: results.candidate_folder(model, scan),
        "evaluation": lambda scan: evaluate_cached(cache, params.evaluation, item(scan)),
        "evaluation-native": lambda scan: evaluate_native(cache, params.evaluation, item(scan)),
    }
    if kind not in ways:
        raise ValueError(f"{step}: expected a step such as {', '.join(ways)}")
    ways[kind](_standard(study, uid))


def _standard(study: Study, uid: str) -> StandardScan:
    if uid.startswith("REAL-"):
        return study.real.standard(uid.removeprefix("REAL-"))
    scan = next((scan for scan in study.cohort.scans if scan.uid == uid), None)
    if scan is None:
        raise ValueError(f"{uid}: expected a scan of the cohort, found none of this name")
    params = study.params.preprocessing
    return StandardScan(scan, preprocess_cached(study.cache, params, scan, root=study.root))


def cache_command(
    profile: str | None, *, remove_unreached: bool, asked: tuple[str, str] | None, console
) -> None:
    """List what is kept; or say why a result is made anew; or remove what is not reached.

    Parameters
    ----------
    profile : str, optional
        Of one parameter file in ``params/``; for ``asked`` demo by default.
    remove_unreached : bool
    asked : (str, str), optional
        Step and item.
    console : rich.console.Console
    """
    root = find_root()
    if asked:
        for line in why(root, profile or "demo", *asked):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        return
    table = kept(root, profile)
    names = {file.stem for file in (root / "params").glob("*.yaml")}
    if profile and table.empty and profile not in names:
        raise ParameterError(f"{profile}: {no_such_name(profile, names, 'profile')}")
    if remove_unreached:
        table = remove(table)
        console.print(f"removed {len(table)} results that no file in params/ reaches:")
    console.print(_listed(table))


def _listed(table: pd.DataFrame):
    """Sizes by step, as a table for the terminal."""
    from rich.table import Table

    shown = Table("profile", "step", box=None)
    for name in ("items", "results", "MB", "not reached", "MB "):
        shown.add_column(name, justify="right")
    for (profile, kind, step), part in table.groupby(["profile", "kind", "step"], sort=True):
        rest = part[~part["reached"].astype(bool)]
        counts = [part["item"].nunique(), len(part), part["size"], len(rest), rest["size"]]
        cells = [str(c) if isinstance(c, int) else f"{c.sum() / 1e6:,.1f}" for c in counts]
        shown.add_row(profile, f"{kind}: {step}" if kind == "raw" else step, *cells)
    shown.add_section()
    rest = table.loc[~table["reached"].astype(bool), "size"]
    sizes = [f"{size.sum() / 1e6:,.1f}" for size in (table["size"], rest)]
    shown.add_row("all", "", "", str(len(table)), sizes[0], str(len(rest)), sizes[1])
    return shown
