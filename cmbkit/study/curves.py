"""Candidates of the stored maps of logits down to a low threshold, for curves and calibration."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cmbkit.detector.inference.candidates import candidates, lowered
from cmbkit.params import Evaluation, Inference
from cmbkit.records import StandardScan
from cmbkit.running.cache import Cache


def calls_cached(
    cache: Cache, params: Inference, evaluation: Evaluation, item: tuple[str, StandardScan, Path]
) -> pd.DataFrame:
    """`calls` of one scan, from the cache where they are there; (model, scan, map folder)."""
    model, standard, map_folder = item
    low = lowered(params)
    inputs = {"map": map_folder, "scan": standard.folder, "variant": low.of_candidates()}
    table = cache.table(
        f"curves/{model}",
        standard.scan.uid,
        inputs | {"matching": evaluation.of_matching},
        lambda: calls(standard, map_folder, low, evaluation),
        code=[calls],
        name="calls.tsv",
    )
    return table.assign(uid=standard.scan.uid)


def calls(
    standard: StandardScan, map_folder: Path, params: Inference, evaluation: Evaluation
) -> pd.DataFrame:
    """Candidates and missed CMBs of one scan: match, score and adds (`matching`)."""
    from cmbkit.detector.inference.files import map_file, read_logits
    from cmbkit.evaluation.instances import from_labels
    from cmbkit.evaluation.matching import match_instances

    stored = read_logits(map_file(map_folder, standard))
    labels = standard.labels().data
    instances, table = candidates(stored.data, labels, stored.spacing, params)
    found = match_instances(
        from_labels(standard.lesions().data, stored.spacing, "reference"),
        from_labels(instances, stored.spacing, "predicted"),
        rule=evaluation.matching,
        max_distance_mm=evaluation.max_distance_mm,
        assignment=evaluation.assignment,
        scores=table.loc[table["kept"], "score"],
    )
    return found[["match", "score", "adds"]]
