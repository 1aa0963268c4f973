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


def predicted_file(folder: Path, standard: StandardScan, ending: str) -> Path:
    """Path of one of a prediction's files, e.g. ``desc-cmbpred_dseg.nii.gz``."""
    return folder / f"{standard.scan.bids_name}_{ending}"


def evaluate_cached(
    cache: Cache, params: Evaluation, item: tuple[str, StandardScan, Path]
) -> tuple[pd.DataFrame, dict]:
    """Matches and scan row of one predicted scan."""
    from cmbkit.evaluation.scan import evaluate_scan

    model, standard, prediction = item
    scan = standard.scan

    def compute(folder: Path) -> None:
        predicted = Volume.read(
            predicted_file(prediction, standard, "desc-cmbpred_dseg.nii.gz"), "uint16"
        )
        table = pd.read_csv(
            predicted_file(prediction, standard, "desc-cmbpred_table.tsv"), sep="\t"
        )
        scores = dict(zip(table["id"], table["score"], strict=True))
        matches, row = evaluate_scan(
            standard.lesions(),
            predicted,
            uid=scan.uid,
            dataset=scan.dataset,
            patient=scan.patient,
            scores=scores,
            params=params,
        )
        matches.to_csv(folder / "matches.tsv", sep="\t", index=False)
        (folder / "scan.json").write_text(json.dumps(row))

    step = f"evaluation/{model}"
    inputs = _inputs(params, standard, prediction)
    folder = cache.get(step, scan.uid, inputs, compute, code=[evaluate_cached])
    row = json.loads((folder / "scan.json").read_text())
    return pd.read_csv(folder / "matches.tsv", sep="\t"), row


def candidate_features(cache: Cache, item: tuple[str, StandardScan, Path]) -> pd.DataFrame:
    """Features of the candidates of one predicted scan; they do not depend on the matching."""
    model, standard, prediction = item
    file = predicted_file(prediction, standard, "desc-cmbpred_dseg.nii.gz")
    return describe_cached(cache, "standard", (standard, file, f"features-found/{model}"))


def _inputs(params: Evaluation, standard: StandardScan, prediction: Path) -> dict:
    scan = standard.scan
    return {
        "scan": standard.folder,
        "prediction": prediction,
        "evaluation": params.of_scans,
        "who": [scan.uid, scan.dataset, scan.patient],
    }


def evaluate_native(cache: Cache, params: Evaluation, item: tuple[str, StandardScan, Path]) -> dict:
    """Scan row of one predicted scan, compared on its own grid (a limitation of section 9.4).

    Annotated and predicted CMBs are taken back from the standard grid and matched there in mm.
    """
    from cmbkit.evaluation.scan import evaluate_scan
    from cmbkit.preprocessing.grid import to_native

    model, standard, prediction = item
    scan, file = standard.scan, predicted_file(prediction, standard, "desc-cmbpred_dseg.nii.gz")

    def compute(folder: Path) -> None:
        record = standard.record()
        sides = (standard.lesions(), Volume.read(file, "uint16"))
        reference, predicted = (to_native(side, record) for side in sides)
        who = {"uid": scan.uid, "dataset": scan.dataset, "patient": scan.patient}
        matches, row = evaluate_scan(reference, predicted, **who, params=params)
        matches.to_csv(folder / "matches.tsv", sep="\t", index=False)
        (folder / "scan.json").write_text(json.dumps(row))

    step = f"evaluation-native/{model}"
    inputs = _inputs(params, standard, prediction)
    folder = cache.get(step, scan.uid, inputs, compute, code=[evaluate_native])
    return json.loads((folder / "scan.json").read_text())


def rules_cached(
    cache: Cache, item: tuple[str, StandardScan, Path]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Counts and found CMBs of one predicted scan by every rule of `evaluation.rules`."""
    from cmbkit.evaluation.instances import from_labels
    from cmbkit.evaluation.rules import calls_by_rule

    model, standard, prediction = item
    scan, file = standard.scan, predicted_file(prediction, standard, "desc-cmbpred_dseg.nii.gz")
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
