"""What ``cmbkit predict`` and ``cmbkit.predict`` do, as functions."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from cmbkit.atomic import OutputError, require_free, sweep, write_whole
from cmbkit.evaluation.calibration import LEVEL
from cmbkit.prediction.fitness import DOUBTFUL, FIT, UNFIT, UnfitScan
from cmbkit.prediction.one_scan import code_hashes, detect
from cmbkit.prediction.settings import PredictOptions, make_settings
from cmbkit.prediction.sources import OURS, Source, find_sources
from cmbkit.prediction.stage_clock import STEP
from cmbkit.running.faults import explained
from cmbkit.running.file_hashes import file_hash
from cmbkit.running.ledger import held
from cmbkit.running.map_scans import ScanFailures, map_scans
from cmbkit.running.report import report_stage
from cmbkit.running.steps import counted

SUMMARY = "scans.tsv"
LOCK = ".scans.lock"
DONE, KEPT, FAILED, REFUSED = "done", "kept", "failed", "unfit"


@dataclass(frozen=True)
class Outcome:
    """What became of one scan.

    Attributes
    ----------
    status : {"done", "kept", "failed", "unfit"}
        ``kept``: the same result was there already; ``unfit``: nothing was counted on it.
    fitness : str
        "fit", "doubtful" or "unfit" where that was found out.
    notes : str
        Doubts about the scan, and which echo was taken.
    low, high : int or None
        Range of the number of microbleeds (`cmbkit.prediction.number`); None without a calibration.
    problem : str
        One line where it failed, or was unfit.
    """

    name: str
    path: str
    status: str
    microbleeds: int | None = None
    low: int | None = None
    high: int | None = None
    fitness: str = ""
    notes: str = ""
    seconds: float = 0.0
    problem: str = ""


def predict_into(source: Source, settings: PredictOptions, out: Path, force: bool) -> Outcome:
    """Predict one scan into ``out/<name>``; a failure becomes an outcome, not an exception."""
    began = time.perf_counter()

    def end(status: str, record: dict | None = None, problem: str = "") -> Outcome:
        seconds = round(time.perf_counter() - began, 2)
        return _outcome(source, status, record, seconds, problem)

    if source.problem:
        return end(FAILED, problem=source.problem)
    try:
        folder = out / source.name
        earlier = None if force else _earlier(folder, source, settings)
        if earlier is not None:
            return end(KEPT, earlier)
        require_free(folder, ours=OURS, force=force)
        found = detect(source, settings)
        report_stage(STEP, f"{source.name}: writing")
        try:
            found.write(folder, force=force)
        except OutputError:  # another run may have been quicker
            if force or (earlier := _earlier(folder, source, settings)) is None:
                raise
            return end(KEPT, earlier)
        return end(DONE, found.record)
    except UnfitScan as error:
        return end(REFUSED, problem=str(error))
    except Exception as error:
        return end(FAILED, problem=explained(error).splitlines()[0])


def _outcome(source: Source, status: str, record: dict | None, seconds=0.0, problem="") -> Outcome:
    """Outcome of a scan, with count and doubts if there is a record of its result."""
    verdict, notes, count = UNFIT if status == REFUSED else "", "", None
    number: dict[str, int] = {}
    if record is not None:
        verdict, count = record["fitness"]["verdict"], int(record["microbleeds"])
        notes = "; ".join([*record["fitness"]["reasons"], *record["notes"]])
        number = record["number"] or {}
    ends = number.get("low"), number.get("high")
    path = str(source.path)
    return Outcome(source.name, path, status, count, *ends, verdict, notes, seconds, problem)


def _earlier(folder: Path, source: Source, settings: PredictOptions) -> dict | None:
    """Record of a finished result of the same scan, weights and parameters.

    Raises
    ------
    OutputError
        If one of its files is not as it was written; the message names it.
    """
    try:
        record = json.loads((folder / OURS).read_text(encoding="utf-8"))
        same = record["key"] == settings.key(list(source.files), code_hashes())
        unfit = record["fitness"]["verdict"] == UNFIT and not settings.anyway
        written = record["written"].items() if same and not unfit else None
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    for name, hash in written or ():
        path = folder / name
        found = file_hash(path) if path.is_file() else "nothing"
        if found != hash:
            raise OutputError(
                f"{path}: expected the file of hash {hash}, found {found}; --force replaces it"
            )
    return record if written else None


def predict_many(
    sources: Sequence[Source],
    settings: PredictOptions,
    out,
    *,
    jobs: int = 1,
    force: bool = False,
) -> list[Outcome]:
    """Predict scans, each into a folder of its name; one that fails does not stop the others.

    Parameters
    ----------
    sources : sequence of Source
    settings : PredictOptions
    out : path-like
        Gets a folder per scan, and ``scans.tsv`` with all outcomes; those of other scans that
        stand there stay.
    jobs : int
        Processes.
    force : bool
        Do again what is there, and replace results made otherwise.

    Returns
    -------
    list of Outcome
        In the order of the sources.

    Raises
    ------
    OutputError
        If ``out`` is a file.
    """
    out = Path(out).absolute()
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: expected a folder, found a file")
    out.mkdir(parents=True, exist_ok=True)
    sweep(out)
    function = partial(predict_into, settings=settings, out=out, force=force)
    try:
        outcomes = map_scans(function, sources, step=STEP, workers=jobs, name=lambda s: s.name)
    except ScanFailures as error:  # a worker died; what the others did is on disk
        outcomes = [_after_loss(source, settings, out, error) for source in sources]
    _summarise(outcomes, out)
    return outcomes


def _summarise(outcomes: list[Outcome], out: Path) -> None:
    """Enter outcomes into ``scans.tsv``; several runs may do so at once."""
    table = pd.DataFrame([vars(outcome) for outcome in outcomes])
    counts = ["microbleeds", "low", "high"]
    table[counts] = table[counts].astype("Int64")
    with held(out / LOCK):
        if (out / SUMMARY).is_file():
            before = pd.read_csv(out / SUMMARY, sep="\t", dtype="str", keep_default_na=False)
            if list(before) == list(table):
                table = pd.concat([before[~before["name"].isin(table["name"])], table])
        write_whole(out / SUMMARY, table.to_csv(sep="\t", index=False, na_rep="n/a"))
        (out / LOCK).unlink()


def _after_loss(
    source: Source, settings: PredictOptions, out: Path, error: ScanFailures
) -> Outcome:
    if source.problem:
        return Outcome(source.name, str(source.path), FAILED, problem=source.problem)
    try:
        record = _earlier(out / source.name, source, settings)
    except Exception:
        record = None
    if record is not None:
        return _outcome(source, DONE, record)
    failure = error.failures.get(source.name)
    problem = explained(failure).splitlines()[0] if failure else "not finished"
    return Outcome(source.name, str(source.path), FAILED, problem=problem)


def predict_command(scans, out, *, jobs=1, force=False, say=print, **options) -> int:
    """Run ``cmbkit predict``: progress, one line per scan at the end, an exit code.

    Parameters
    ----------
    scans : sequence of path-like
        See `find_sources`.
    out : path-like
    jobs, force
        See `predict_many`.
    say : callable
        Gets the lines.
    **options
        See `make_settings`.

    Returns
    -------
    int
        0: all scans have a result; 1: some failed or were unfit.

    Raises
    ------
    WeightsError, ParameterError, OutputError
        Before any scan is looked at.
    """
    settings = make_settings(**options)
    sources = find_sources(scans, leave_out=Path(out), tell=say)
    outcomes = predict_many(sources, settings, out, jobs=jobs, force=force)
    for outcome in outcomes:
        say(_said(outcome, Path(out)))
    failed, unfit = (sum(o.status == status for o in outcomes) for status in (FAILED, REFUSED))
    doubtful = sum(outcome.fitness == DOUBTFUL for outcome in outcomes)
    have = len(outcomes) - failed - unfit
    more = "".join(f"; {n} {what}" for n, what in ((unfit, UNFIT), (doubtful, DOUBTFUL)) if n)
    if any(outcome.high is not None for outcome in outcomes):
        say("Ranges hold where a scan is like those that the scores were calibrated on.")
    say(f"{have} of {len(outcomes)} scans have a result; {failed} failed{more}")
    return int(failed + unfit > 0)


def _said(outcome: Outcome, out: Path) -> str:
    if outcome.status in (FAILED, REFUSED):
        return f"{outcome.name}: {outcome.status}: {outcome.problem}"
    kept = " (was there already)" if outcome.status == KEPT else f" in {outcome.seconds:.0f} s"
    count = outcome.microbleeds
    doubt = f", {outcome.fitness}" if outcome.fitness != FIT else ""
    notes = f" ({outcome.notes})" if outcome.notes else ""
    # a range that a doubtful scan does not deserve is left out
    sure = outcome.high is not None and outcome.fitness == FIT
    span = f" ({outcome.low} to {outcome.high} with {LEVEL:.0%})" if sure else ""
    return (
        f"{outcome.name}: {counted(count, 'microbleed')}{span}{doubt}{notes}{kept}: "
        f"{out / outcome.name / 'report.html'}"
    )
