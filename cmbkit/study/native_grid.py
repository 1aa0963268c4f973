"""Detection on the scans' own grids beside the standard grid (a limitation of section 9.4).

Annotated and predicted CMBs are taken back from the standard grid and matched there in mm.
"""

from __future__ import annotations

import json
from pathlib import Path

from cmbkit.params import Evaluation
from cmbkit.preprocessing.grid import to_native
from cmbkit.records import StandardScan
from cmbkit.running.cache import Cache
from cmbkit.study.scan_results import predicted_file
from cmbkit.volume import Volume


def evaluate_native(cache: Cache, params: Evaluation, item: tuple[str, StandardScan, Path]) -> dict:
    """Scan row of one predicted scan, compared on its own grid (see `scan.evaluate_scan`)."""
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
        "scan": standard.folder,
        "prediction": prediction,
        "evaluation": params.of_scans,
        "who": [scan.uid, scan.dataset, scan.patient],
    }
    step = f"evaluation-native/{model}"
    folder = cache.get(step, scan.uid, inputs, compute, code=[evaluate_native])
    return json.loads((folder / "scan.json").read_text())
