"""What thresholds, sizes and the steps of post-processing do, on stored probability maps."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.boxes import bounding_box
from cmbkit.params import Evaluation, Inference
from cmbkit.records import StandardScan
from cmbkit.running.cache import Cache
from cmbkit.running.map_scans import map_scans

VERSION = 1
THRESHOLDS = (0.5, 0.9, 0.98, 0.995, 0.999, 0.9999)
MINIMUM_VOXELS = (1, 5, 12, 20, 30)


def operating_points(study, model: str = "scratch") -> pd.DataFrame:
    """Detection on the validation scans for pairs of threshold and smallest size.

    Returns
    -------
    DataFrame
        threshold (as text, in full), minimum_voxels, tp, fp, fn, precision, recall, f1, and
        ``chosen``: whether the study's parameters are this pair. Sorted by F1, best first.
    """
    base = study.params.inference
    pairs = {
        (threshold, size): _changed(base, threshold=threshold, minimum_voxels=size)
        for threshold in sorted({*THRESHOLDS, base.threshold})
        for size in sorted({*MINIMUM_VOXELS, base.minimum_voxels})
    }
    keys = pd.DataFrame(list(pairs), columns=["threshold", "minimum_voxels"])
    table = keys.join(_summed(study, model, list(pairs.values()), ("valid",)))
    chosen = [pair == (base.threshold, base.minimum_voxels) for pair in pairs]
    table = table.assign(chosen=np.where(chosen, "yes", ""))
    table["threshold"] = table["threshold"].map("{:g}".format)
    return table.sort_values("f1", ascending=False, kind="stable", ignore_index=True)


def steps(study, model: str = "scratch") -> pd.DataFrame:
    """Detection on validation and test scans as each step of post-processing is added.

    Returns
    -------
    DataFrame
        step, tp, fp, fn, precision, recall, f1.
    """
    base = study.params.inference
    variants = {
        "components of the threshold": _changed(
            base, minimum_voxels=1, drop_outside_brain_labels=False
        ),
        "without those outside brain tissue (6.6)": _changed(base, minimum_voxels=1),
        f"at least {base.minimum_voxels} voxels": base,
    }
    counts = _summed(study, model, list(variants.values()), ("valid", "test"))
    return pd.DataFrame({"step": list(variants)}).join(counts)


def _changed(params: Inference, **changes) -> Inference:
    return Inference.model_validate({**params.model_dump(), **changes})


def _summed(study, model: str, variants: list[Inference], splits) -> pd.DataFrame:
    """Counts over scans and the rates from them, one row per variant."""
    from cmbkit.evaluation.metrics import per_scan

    split = study.cohort.table.set_index("uid")["split"]
    results = study.results
    items = [
        (model, standard, folder)
        for standard, folder in zip(results.scans, results.maps(model), strict=True)
        if split[standard.scan.uid] in splits
    ]
    counts = map_scans(
        partial(counts_cached, study.cache, variants, study.params.evaluation),
        items,
        step=f"operating points {model}",
        workers=study.workers_for(_step(model, variants), [item[1].scan for item in items]),
        name=lambda item: item[1].scan.uid,
    )
    return per_scan(sum(counts)).drop(columns="fp_cmb")


def _step(model: str, variants: list[Inference]) -> str:
    return f"operating/{model}/{len(variants)} variants"


def counts_cached(
    cache: Cache,
    variants: list[Inference],
    evaluation: Evaluation,
    item: tuple[str, StandardScan, Path],
) -> pd.DataFrame:
    """`scan_counts` of one scan, from the cache where it is there; (model, scan, map folder)."""
    model, standard, map_folder = item
    inputs = {
        "map": map_folder / "provenance.json",
        "scan": standard.folder / "provenance.json",
        "variants": [params.of_candidates() for params in variants],
        "evaluation": evaluation,
    }
    folder = cache.get(
        _step(model, variants),
        standard.scan.uid,
        VERSION,
        inputs,
        lambda folder: scan_counts(standard, map_folder, variants, evaluation).to_csv(
            folder / "counts.tsv", sep="\t", index=False
        ),
    )
    return pd.read_csv(folder / "counts.tsv", sep="\t")


def _counts(lesions, predicted, params: Evaluation) -> dict[str, int]:
    from cmbkit.evaluation.matching import match_instances

    matches = match_instances(
        lesions,
        predicted,
        rule=params.matching,
        max_distance_mm=params.max_distance_mm,
        assignment=params.assignment,
    )["match"]
    return {name.lower(): int((matches == name).sum()) for name in ("TP", "FP", "FN")}


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
    from cmbkit.detector.inference.files import read_probability
    from cmbkit.evaluation.instances import from_labels, to_affine

    stored = read_probability(map_folder / f"{standard.scan.bids_name}_desc-cmb_probseg.nii.gz")
    lesions, labels = standard.lesions().data, standard.labels().data
    cut = _occupied(stored.data, lesions, min(params.threshold for params in variants))
    probability, lesions, labels = stored.data[cut], lesions[cut], labels[cut]
    affine = to_affine(stored.spacing)
    reference = from_labels(lesions, affine, "reference")
    found: dict[str, tuple] = {}
    rows = []
    for params in variants:
        every = _changed(params, minimum_voxels=1)  # sizes are cut off below: one search for all
        key = every.model_dump_json()
        if key not in found:
            found[key] = candidates(probability, labels, stored.spacing, every)
        instances, table = found[key]
        small = table.loc[table["n_voxels"] < params.minimum_voxels, "id"]
        kept = np.arange(int(table["id"].max() if len(table) else 0) + 1, dtype=np.uint16)
        kept[small] = 0
        predicted = from_labels(kept[instances], affine, "predicted")
        rows.append(_counts(reference, predicted, evaluation))
    return pd.DataFrame(rows)


def _occupied(probability, lesions, lowest: float, margin: int = 10):
    """Box around everything that can count, with room for a component's surroundings."""
    which = (probability >= lowest) | (lesions > 0)
    return bounding_box(which, margin=margin) if which.any() else (slice(0, 1),) * 3
