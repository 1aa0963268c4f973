"""What ``cmbkit evaluate`` and ``cmbkit audit`` do, as functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from cmbkit.atomic import require_free
from cmbkit.params import Evaluation, ParameterError, read_parameters
from cmbkit.params.problems import problem_lines
from cmbkit.published.any_table import AS_MEANS, CANNOT, audit_rows, read_table
from cmbkit.published.counts import AuditError
from cmbkit.published.thesis_audit import audit
from cmbkit.published.thesis_cohort import CONTRADICTION
from cmbkit.reporting.one_page import PAGE
from cmbkit.running.report import shortened
from cmbkit.running.steps import counted
from cmbkit.scoring.page import add_rules, add_uncertain, build_page, remark_lines
from cmbkit.scoring.page_readers import add_readers
from cmbkit.scoring.pairing import PairingError, Pairs, pair_files
from cmbkit.scoring.readers import findings_of_files, reader_names
from cmbkit.scoring.rules import calls_of_files
from cmbkit.scoring.run import EvaluateOptions, Result, evaluate_files
from cmbkit.scoring.sides import Labelled
from cmbkit.scoring.uncertain import WORDS

SHOWN = 20


def _parameters(path, given: dict) -> Evaluation:
    start = read_parameters(path).evaluation if path else Evaluation()
    try:
        return Evaluation.model_validate(start.model_dump() | given)
    except ValidationError as error:
        raise ParameterError("\n".join(problem_lines(error, Evaluation))) from None


def _complete(pairs: Pairs, skip_unpaired: bool) -> Pairs:
    if pairs.alone and not skip_unpaired:
        lines = "\n".join(f"  {line}" for line in pairs.alone)
        raise PairingError(
            f"{counted(len(pairs.alone), 'file')} without a partner "
            f"(--skip-unpaired goes on without):\n{lines}"
        )
    return pairs


def _same_scans(pairs: Pairs, path, reference, skip_unpaired: bool, **how) -> Pairs:
    others = _complete(pair_files(path, reference, **how), skip_unpaired)
    if list(others.listing["uid"]) != list(pairs.listing["uid"]):
        raise PairingError(f"{path}: expected files of the same scans as the predictions")
    return others


def evaluate_command(
    predictions,
    reference,
    out,
    *,
    scan_table=None,
    labels=None,
    probabilities=None,
    against=None,
    names: tuple[str, str] = ("this detector", "the other"),
    patterns: tuple[str | None, ...] = (None,) * 4,
    parameters=None,
    given: dict | None = None,
    labelled: Labelled = "by name",
    connectivity: int = 6,
    rules: str = "own",
    uncertain: str = "counted",
    readers: tuple = (),
    by: tuple[str, ...] = (),
    skip_unpaired: bool = False,
    seed: int = 2024,
    workers: int = 1,
    force: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Path:
    """Evaluate two folders and write one page; nothing is written unless all went well.

    What the parameters mean ``cmbkit evaluate --help`` says, but for those named here.

    Parameters
    ----------
    names : (str, str)
        Of the two detectors.
    patterns : (str, str, str, str)
        Of the file names of predictions, annotations, labels and probabilities; of the first two
        also the word of a layout (`cmbkit.scoring.layouts`).
    given : dict
        Values of `cmbkit.params.Evaluation` that replace those of the parameter file.
    labelled, connectivity
        See `sides.read_pair`.
    uncertain : {"counted", "ignored", "both"}
        See `scoring.uncertain`.
    tell : callable
        Gets what was compared, what was not used, and what makes one doubt a scan's files.

    Returns
    -------
    Path
        The page.
    """
    require_free(out, ours=PAGE, force=force)
    if against is not None and names[0] == names[1]:
        raise PairingError(f"names: expected two different names of detectors, found {names[0]!r}")
    if connectivity not in (6, 18, 26):
        raise ParameterError(f"connectivity: expected 6, 18 or 26, found {connectivity}")
    if rules not in ("own", "all"):
        raise ParameterError(f"rules: expected 'own' or 'all', found {rules!r}")
    if uncertain not in WORDS:
        raise ParameterError(f"uncertain: expected one of {', '.join(WORDS)}, found {uncertain!r}")
    params = _parameters(parameters, given or {})
    how = {"labelled": labelled, "connectivity": connectivity}
    options = EvaluateOptions(
        params, **how, by=tuple(by), name=names[0], other=names[1], uncertain=uncertain, seed=seed
    )
    how |= {"workers": workers}
    extra = {"labels": (labels, patterns[2]), "probability": (probabilities, patterns[3])}
    extra = {name: given for name, given in extra.items() if given[0] is not None}
    shared = {"scan_table": scan_table, "patterns": patterns[:2]}
    pairs = _complete(pair_files(predictions, reference, extra=extra, **shared), skip_unpaired)
    lost = [name for name in by if name not in pairs.listing]
    if lost:
        raise PairingError(f"by: expected columns of the scan table, found {', '.join(lost)}")
    second = None
    if against is not None:
        second = _same_scans(pairs, against, reference, skip_unpaired, **shared)
    shared["patterns"] = (patterns[1], patterns[1])
    more = [_same_scans(pairs, path, reference, skip_unpaired, **shared) for path in readers]
    both = zip(names, (pairs, second), strict=True)
    detectors = {name: each.listing["predicted"] for name, each in both if each}
    raters = reader_names(reference, readers, tuple(detectors)) if readers else []
    reading = {"params": params, "ignore_uncertain": uncertain == "ignored", **how}
    result = evaluate_files(pairs.listing, **reading)
    other = evaluate_files(second.listing, **reading) if second is not None else None
    unused = list(dict.fromkeys([*pairs.unused, *(second.unused if second else ())]))
    for line in _told(result, other, unused):
        tell(line)
    page = build_page(result, options, pairs.alone, other, unused)
    if uncertain == "both":
        reading["ignore_uncertain"] = True
        add_uncertain(page, result, evaluate_files(pairs.listing, **reading), params)
    if readers:
        files = (pairs.listing["reference"], *(each.listing["predicted"] for each in more))
        marked = dict(zip(raters, files, strict=True))
        found = findings_of_files(marked, detectors, pairs.listing, params=params, **how)
        add_readers(page, found, result.scans, raters, list(detectors), params)
    if rules == "all":
        sides = zip((pairs, second), names, strict=True)
        add_rules(page, [calls_of_files(p.listing, name, **how) for p, name in sides if p], params)
    return page.write(out, force=force)


def _told(result: Result, other: Result | None, unused: list[Path]) -> list[str]:
    scans = result.scans
    lines = [
        f"{counted(len(scans), 'scan')}: {(scans['n_gt'] > 0).sum()} with annotated microbleeds "
        f"({scans['n_gt'].sum()}), {(scans['n_gt'] == 0).sum()} without"
    ]
    if unused:
        lines.append(f"not used: {shortened([path.name for path in unused])}")
    said = remark_lines(result.scans) + (remark_lines(other.scans) if other else [])
    lines += said[:SHOWN]
    return [*lines, f"and {len(said) - SHOWN} more lines on the page"] if said[SHOWN:] else lines


def audit_lines(table=None, decimals: int | None = None) -> tuple[list[str], bool]:
    """Findings about a table of results as lines of text, and whether any is a contradiction.

    Without a table: the statements and tables of the thesis that do not fit each other.
    """
    if table is None:
        found = audit(only_differences=True)
        lines = [
            f"{row.verdict}: {row.where}: {row.finding}: printed {row.printed}, recomputed "
            f"{row.recomputed} ({'; '.join(filter(None, (row.arithmetic, row.reading)))})"
            for row in found.itertuples()
        ]
        return lines, CONTRADICTION in set(found["verdict"])
    read = read_table(table)
    try:
        rows = audit_rows(read, decimals)
    except AuditError as error:
        raise AuditError(f"{table}: {error}") from None
    parts = (
        (label, found.verdict, "; ".join(filter(None, (found.text, found.arithmetic))))
        for label, found in rows
    )
    lines = [": ".join(filter(None, each)) for each in parts]
    wrong = sum(found.verdict == CANNOT for _, found in rows)
    lines.append(f"{wrong} of {len(rows)} rows do not fit")
    unsure = sum(found.verdict == AS_MEANS for _, found in rows)
    if unsure:
        lines.append(
            f"{unsure} fit no pooled counts; a column averaging (pooled or scan) would tell"
        )
    return lines, wrong > 0
