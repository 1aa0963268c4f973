"""Why a result of the cache is made anew, as the parameters and the code are now."""

from __future__ import annotations

from pathlib import Path

from cmbkit.params import read_parameters
from cmbkit.records import Scan, StandardScan
from cmbkit.running.ledger import newest
from cmbkit.running.provenance import Asked, read_record
from cmbkit.study import Study
from cmbkit.study.cohort import describe_cached, preprocess_cached
from cmbkit.study.operating import counts_cached, pairs, steps
from cmbkit.study.real_scan import VARIANTS
from cmbkit.study.refinement import trials_cached
from cmbkit.study.scan_results import (
    BASELINE,
    candidate_features,
    evaluate_cached,
    evaluate_native,
    rules_cached,
)

REAL = "REAL-"
OF_NETWORKS = (
    *("features-found", "maps", "predictions", "evaluation", "evaluation-native"),
    *("rules", "curves", "operating", "experiments"),
)
"""Steps whose names go on with the name of a network, such as ``maps/scratch``."""


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
        If there is no such profile, or it asks for no such result.
    """
    params = read_parameters(root / "params" / f"{profile}.yaml")
    study = Study(root, **{**params.model_dump(exclude_unset=True), "workers": 1, "cluster": None})
    study.cache.not_made = study.raw.not_made = missing = []
    study.cache.looked_for = study.raw.looked_for = looked_for = set()
    study.cache.user = study.raw.user = ""
    try:
        _ask(study, step, item)
    except RuntimeError:
        if not missing:
            raise
    wanted = next((a for a in missing if (a.step, a.item) == (step, item)), None)
    if wanted:
        return _told(study, wanted)
    if (step, item) in looked_for:
        return [f"{step} {item} is in the cache; nothing has changed"]
    if missing:
        return [f"{step} {item} depends on what has to be made first", *_told(study, missing[0])]
    networks = f" (training.networks: {params.training.networks})" if step == "models" else ""
    why_not = f"expected a result that {profile} asks for, found none{networks}"
    raise ValueError(f"{step} {item}: {why_not}")


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
        if item in study.params.cohort.datasets:
            study.cohort.folder(item)
    elif kind == "real":
        if item == "example4d":
            study.real.scan("implanted")
    elif kind == "models":
        _ask_model(study, item)
    elif kind == "experiments":
        _ask_experiment(study, model, item)
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
    phase = item.partition("-fold")[0]
    alarms = phases.get(phase.removesuffix("-alarms"))
    if alarms and getattr(study.models.phase(*alarms), "false_alarms", 0):
        phase = phase.removesuffix("-alarms")
    if item == "size":
        study.models.parameter_count()
    elif item == "source":
        study.models.source()
    elif phase in phases:
        study.models.folder(*phases[phase])
    else:
        known = ", ".join(["size", "source", *phases])
        raise ValueError(f"{item}: expected an item such as {known}")


def _ask_experiment(study: Study, part: str, item: str) -> None:
    kind, _, model = part.partition("-")
    ways = {"maps": study.slice_experiment.map_folder, "slices": study.slice_experiment.matches_of}
    if kind not in ways:
        raise ValueError(f"experiments/{part}: expected a step of maps or slices, found {kind!r}")
    items = study.slice_experiment.items
    if item not in items:
        raise ValueError(f"{item}: expected an item such as {next(iter(items), 'none')}")
    ways[kind](model, items[item])


def _ask_scan(study: Study, step: str, uid: str) -> None:
    kind, _, model = step.partition("/")
    cache, params, results = study.cache, study.params, study.results

    def item(scan):
        return model, scan, results.candidate_folder(model, scan)

    ways = {
        "preproc": lambda scan: None,
        "features": lambda scan: describe_cached(cache, "standard", (scan, None, step)),
        "features-native": lambda scan: describe_cached(cache, "native", (scan, None, step)),
        "features-found": lambda scan: candidate_features(cache, item(scan)),
        "maps": lambda scan: results.logit_map(model, scan),
        "predictions": lambda scan: results.candidate_folder(model, scan),
        "evaluation": lambda scan: evaluate_cached(cache, params.evaluation, item(scan)),
        "evaluation-native": lambda scan: evaluate_native(cache, params.evaluation, item(scan)),
        "rules": lambda scan: rules_cached(cache, item(scan)),
        "curves": lambda scan: results.calls(model, scan),
        "operating": lambda scan: _ask_operating(study, step, scan),
    }
    if kind == "refinement":
        trials_cached(cache, params.preprocessing, _scan(study, uid))
    elif kind in ways:
        ways[kind](_standard(study, uid))
    else:
        raise ValueError(f"{step}: expected a step such as {', '.join(ways)}")


def _ask_operating(study: Study, step: str, scan: StandardScan) -> None:
    _, model, variants = step.split("/") if step.count("/") == 2 else (*step.split("/"), "")
    params = study.params
    known = {
        f"{len(each)} variants": list(each.values())
        for each in (pairs(params.inference), steps(params.inference))
    }
    if variants not in known:
        names = " or ".join(f"operating/{model}/{name}" for name in known)
        raise ValueError(f"{step}: expected a step such as {names}")
    item = model, scan, study.results.logit_map(model, scan)
    counts_cached(study.cache, known[variants], params.evaluation, item)


def _scan(study: Study, uid: str) -> Scan:
    scan = next((scan for scan in study.cohort.scans if scan.uid == uid), None)
    if scan is None:
        raise ValueError(f"{uid}: expected a scan of the cohort, found none of this name")
    return scan


def _standard(study: Study, uid: str) -> StandardScan:
    if uid.startswith(REAL) and uid.removeprefix(REAL) in VARIANTS:
        return study.real.standard(uid.removeprefix(REAL))
    scan, params = _scan(study, uid), study.params.preprocessing
    return StandardScan(scan, preprocess_cached(study.cache, params, scan, root=study.root))
