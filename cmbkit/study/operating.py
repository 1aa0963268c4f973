"""What thresholds, sizes and the steps of post-processing do, on stored maps of logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit

from cmbkit.boxes import bounding_box
from cmbkit.params import Evaluation, Inference
from cmbkit.records import StandardScan
from cmbkit.running.cache import Cache

THRESHOLDS = (0.5, 0.9, 0.98, 0.995, 0.999, 0.9999)
MINIMUM_VOXELS = (1, 5, 12, 20, 30)


def pairs(base: Inference) -> dict[tuple[float, int], Inference]:
    """Post-processing for pairs of threshold and smallest size, that of ``base`` among them."""
    return {
        (threshold, size): _changed(base, threshold=threshold, minimum_voxels=size)
        for threshold in sorted({*THRESHOLDS, base.threshold})
        for size in sorted({*MINIMUM_VOXELS, base.minimum_voxels})
    }


def steps(base: Inference) -> dict[tuple[str, float], Inference]:
    """Post-processing as its steps are added: (step, value of its parameter or NaN).

    Each on top of those before: "components" of the threshold, those in "brain_tissue", those of
    "minimum_voxels" or more.
    """
    every = {"minimum_voxels": 1}
    return {
        ("components", np.nan): _changed(base, **every, drop_outside_brain_labels=False),
        ("brain_tissue", np.nan): _changed(base, **every),
        ("minimum_voxels", base.minimum_voxels): base,
    }


def _changed(params: Inference, **changes) -> Inference:
    return Inference.model_validate({**params.model_dump(), **changes})


def counts_cached(
    cache: Cache,
    variants: list[Inference],
    evaluation: Evaluation,
    item: tuple[str, StandardScan, Path],
) -> pd.DataFrame:
    """`scan_counts` of one scan, from the cache where it is there; (model, scan, map folder)."""
    model, standard, map_folder = item
    inputs = {
        "map": map_folder,
        "scan": standard.folder,
        "variants": [params.of_candidates() for params in variants],
        "matching": evaluation.of_matching,
    }
    return cache.table(
        f"operating/{model}/{len(variants)} variants",
        standard.scan.uid,
        inputs,
        lambda: scan_counts(standard, map_folder, variants, evaluation),
        code=[scan_counts],
        name="counts.tsv",
    )


def scan_counts(
    standard: StandardScan, map_folder: Path, variants: list[Inference], evaluation: Evaluation
) -> pd.DataFrame:
    """TP, FP and FN of one scan for each variant of post-processing.

    Returns
    -------
    DataFrame
        One row per variant, in their order: tp, fp, fn.
    """
    from cmbkit.detector.inference.candidates import candidates
    from cmbkit.detector.inference.files import map_file, read_logits
    from cmbkit.evaluation.instances import from_labels, to_affine
    from cmbkit.evaluation.matching import match_instances

    stored = read_logits(map_file(map_folder, standard))
    lesions, labels = standard.lesions().data, standard.labels().data
    cut = _occupied(stored.data, lesions, min(params.threshold for params in variants))
    logits, lesions, labels = stored.data[cut], lesions[cut], labels[cut]
    affine = to_affine(stored.spacing)
    reference = from_labels(lesions, affine, "reference")
    found: dict[str, tuple] = {}
    rows = []
    for params in variants:
        every = _changed(params, minimum_voxels=1)  # sizes are cut off below: one search for all
        key = every.model_dump_json()
        if key not in found:
            found[key] = candidates(logits, labels, stored.spacing, every)
        instances, table = found[key]
        small = table.loc[table["n_voxels"] < params.minimum_voxels, "id"]
        kept = np.arange(int(table["id"].max() if len(table) else 0) + 1, dtype=np.uint16)
        kept[small] = 0
        predicted = from_labels(kept[instances], affine, "predicted")
        matches = match_instances(
            reference,
            predicted,
            rule=evaluation.matching,
            max_distance_mm=evaluation.max_distance_mm,
            assignment=evaluation.assignment,
        )["match"]
        rows.append({name.lower(): int((matches == name).sum()) for name in ("TP", "FP", "FN")})
    return pd.DataFrame(rows)


def _occupied(logits, lesions, lowest: float, margin: int = 10):
    """Box around everything that can count, with room for a component's surroundings."""
    which = (logits >= logit(lowest)) | (lesions > 0)
    return bounding_box(which, margin=margin) if which.any() else (slice(0, 1),) * 3
