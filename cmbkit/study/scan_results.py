"""Steps per scan from a map of logits to matches, each with its result in the cache."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from cmbkit.params import DarkBlobs, Evaluation, Inference
from cmbkit.records import StandardScan
from cmbkit.running.cache import Cache
from cmbkit.study.cohort import describe_cached
from cmbkit.volume import Volume

BASELINE = "dark blobs"


def predicted_file(folder: Path, standard: StandardScan, ending: str = "dseg.nii.gz") -> Path:
    """Path of one of a prediction's files: its instance labels, or ``table.tsv``."""
    return folder / f"{standard.scan.bids_name}_desc-cmbpred_{ending}"


def evaluate_cached(
    cache: Cache, params: Evaluation, item: tuple[str, StandardScan, Path]
) -> tuple[pd.DataFrame, dict]:
    """Matches and scan row of one predicted scan."""
    return _evaluated(cache, params, *item, native=False)


def evaluate_native(cache: Cache, params: Evaluation, item: tuple[str, StandardScan, Path]) -> dict:
    """Scan row of one predicted scan, compared on its own grid (a limitation of section 9.4).

    Annotated and predicted CMBs are taken back from the standard grid and matched there in mm.
    """
    return _evaluated(cache, params, *item, native=True)[1]


def _evaluated(
    cache: Cache,
    params: Evaluation,
    model: str,
    standard: StandardScan,
    prediction: Path,
    native: bool,
) -> tuple[pd.DataFrame, dict]:
    from cmbkit.evaluation.scan import evaluate_scan
    from cmbkit.preprocessing.grid import to_native

    scan, file = standard.scan, predicted_file(prediction, standard)
    who = {"uid": scan.uid, "dataset": scan.dataset, "patient": scan.patient}

    def compute(folder: Path) -> None:
        sides, scores = [standard.lesions(), Volume.read(file, "uint16")], None
        if native:
            record = standard.record()
            sides = [to_native(side, record) for side in sides]
        else:
            found = pd.read_csv(predicted_file(prediction, standard, "table.tsv"), sep="\t")
            scores = dict(zip(found["id"], found["score"], strict=True))
        matches, row = evaluate_scan(*sides, **who, scores=scores, params=params)
        matches.to_csv(folder / "matches.tsv", sep="\t", index=False)
        (folder / "scan.json").write_text(json.dumps(row))

    inputs = {
        "scan": standard.folder,
        "prediction": prediction,
        "evaluation": params.of_scans,
        "who": list(who.values()),
    }
    step = f"evaluation{'-native' * native}/{model}"
    folder = cache.get(step, scan.uid, inputs, compute, code=[_evaluated])
    row = json.loads((folder / "scan.json").read_text())
    return pd.read_csv(folder / "matches.tsv", sep="\t"), row


def candidate_features(cache: Cache, item: tuple[str, StandardScan, Path]) -> pd.DataFrame:
    """Features of the candidates of one predicted scan; they do not depend on the matching."""
    model, standard, prediction = item
    file = predicted_file(prediction, standard)
    return describe_cached(cache, "standard", (standard, file, f"features-found/{model}"))


def rules_cached(
    cache: Cache, item: tuple[str, StandardScan, Path]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Counts and found CMBs of one predicted scan by every rule of `evaluation.rules`."""
    from cmbkit.evaluation.instances import from_labels
    from cmbkit.evaluation.rules import calls_by_rule

    model, standard, prediction = item
    scan, file = standard.scan, predicted_file(prediction, standard)
    names = ("counts.tsv", "found.tsv")

    def compute(folder: Path) -> None:
        reference = standard.lesions()
        tables = calls_by_rule(from_labels(reference), from_labels(file), reference.affine)
        for table, name in zip(tables, names, strict=True):
            table.to_csv(folder / name, sep="\t", index=False)

    inputs = {"scan": standard.folder, "prediction": prediction}
    folder = cache.get(f"rules/{model}", scan.uid, inputs, compute, code=[rules_cached])
    who = {"uid": scan.uid, "dataset": scan.dataset, "patient": scan.patient}
    counts, found = (pd.read_csv(folder / name, sep="\t").assign(**who) for name in names)
    return counts, found


def found_cached(cache: Cache, params: Inference, item: tuple[str, StandardScan, Path]) -> Path:
    """Candidates in the logits of one scan; (model, scan, folder of the map)."""
    from cmbkit.detector.inference import files as predict

    model, standard, map_folder = item
    inputs = {
        "map": map_folder,
        "labels": standard.folder,
        "postprocessing": params.of_candidates(),
    }
    return cache.get(
        f"predictions/{model}",
        standard.scan.uid,
        inputs,
        lambda folder: predict.find_in_map(standard, map_folder, params, folder),
        code=[predict.find_in_map],
    )


def baseline_cached(cache: Cache, point: DarkBlobs, standard: StandardScan) -> Path:
    """Candidates of the untrained baseline on one scan."""
    from cmbkit.detector.inference import dark_blob

    return cache.get(
        f"predictions/{BASELINE}",
        standard.scan.uid,
        {"scan": standard.folder, "point": point.model_dump()},
        lambda folder: dark_blob.predict_scan(standard, point, folder),
        code=[dark_blob.predict_scan],
    )
