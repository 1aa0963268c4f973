"""Detection on the scans' own grids beside the standard grid (a limitation of section 9.4).

Annotated and predicted CMBs are taken back from the standard grid and matched there in mm.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pandas as pd

from cmbkit.params import Evaluation
from cmbkit.preprocessing.grid import to_native
from cmbkit.records import StandardScan
from cmbkit.running.cache import Cache
from cmbkit.running.map_scans import map_scans
from cmbkit.study.scan_results import predicted_file
from cmbkit.volume import Volume

VERSION = 2


def evaluate_native(cache: Cache, params: Evaluation, item: tuple[str, StandardScan, Path]) -> dict:
    """Scan row of one predicted scan, compared on its own grid (see `evaluate.evaluate_scan`)."""
    from cmbkit.evaluation import scan as evaluate

    model, standard, prediction = item
    scan, file = standard.scan, predicted_file(prediction, standard, "desc-cmbpred_dseg.nii.gz")

    def compute(folder: Path) -> None:
        record = standard.record()
        sides = (standard.lesions(), Volume.read(file, "uint16"))
        reference, predicted = (to_native(side, record) for side in sides)
        who = {"uid": scan.uid, "dataset": scan.dataset, "patient": scan.patient}
        matches, row = evaluate.evaluate_scan(reference, predicted, **who, params=params)
        matches.to_csv(folder / "matches.tsv", sep="\t", index=False)
        (folder / "scan.json").write_text(json.dumps(row))

    inputs = {
        "scan": standard.folder / "provenance.json",
        "prediction": prediction / "provenance.json",
        "evaluation": [params.of_scans, evaluate.VERSION],
    }
    folder = cache.get(f"evaluation-native/{model}", scan.uid, VERSION, inputs, compute)
    return json.loads((folder / "scan.json").read_text())


def native_rows(study, model: str) -> pd.DataFrame:
    """One row per validation and test scan, as `study.results.scan_rows` but on its own grid."""
    results = study.results
    step = f"evaluation-native/{model}"
    found = map_scans(
        partial(evaluate_native, study.cache, study.params.evaluation),
        [
            (model, standard, folder)
            for standard, folder in zip(results.scans, results.predictions(model), strict=True)
        ],
        step=f"native grid {model}",
        workers=study.workers_for(step, [standard.scan for standard in results.scans]),
        name=lambda item: item[1].scan.uid,
        cluster=study.params.cluster,
    )
    own = results.scan_rows
    groups = own[own["model"] == model].set_index("uid")[["dataset", "source"]]
    table = pd.DataFrame(found).drop(columns="dataset")
    return table.join(groups, on="uid").assign(model=model)


def comparison(study, models=("scratch", "tl")) -> pd.DataFrame:
    """Detection and Dice on both grids, from summed counts, with 95 % intervals over patients.

    Returns
    -------
    DataFrame
        Dataset, Model, Grid ("standard", "native"), TP, FP, FN, Precision, Recall, F1,
        globDSC_TP, and "Scans that differ": scans whose TP, FP or FN are not the same.
    """
    from cmbkit.chapters.evaluation import both_grids

    scans = study.results.scan_rows
    models = [model for model in models if model in study.results.models]
    native = pd.concat([native_rows(study, model) for model in models], ignore_index=True)
    standard = scans[scans["model"].isin(models)]
    return both_grids(standard, native, study.params.evaluation, seed=study.params.seed)
