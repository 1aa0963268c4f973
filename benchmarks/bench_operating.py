"""Which threshold and smallest size detect best, on synthetic scans kept for this choice alone.

Run from the repository's root: ``python benchmarks/bench_operating.py [WEIGHTS ...]``. WEIGHTS are
folders with network.json (`cmbkit train --out`), names of shipped weights, or "dark blobs", the
untrained baseline (it and "compact" if none is given). ``--scans PARAMS ...`` names the parameter
files of the scans (params/operating.yaml). Writes benchmarks/operating.md, or ``--out``. With
``--settle`` the best pair, and what scores mean on these scans, go into each network.json; with
``--calibrate`` the latter alone, at the pair that stands there. ``--judge PARAMS`` only tells how
far the calibration of each holds on scans of PARAMS by both models of the embedded cohort, or with
``--otherworld DIR`` on DOU and VALDO of another generator in that folder.
"""

import argparse
import json
import tempfile
from functools import partial
from pathlib import Path

import pandas as pd
import yaml
from bench_compact import predictor_of, studies
from timing import table

from cmbkit.chapters.evaluation.calibration import table_s43, table_s44
from cmbkit.detector.inference.candidates import candidates, lowered
from cmbkit.detector.inference.dark_blob import confidence, logits_of
from cmbkit.detector.inference.files import map_file, write_candidates, write_logits
from cmbkit.detector.inference.tiled import predict_standard
from cmbkit.detector.network.weights import DESCRIPTION, describe_weights
from cmbkit.evaluation.calibration import Calibration, fit
from cmbkit.evaluation.metrics import per_scan
from cmbkit.params import Inference
from cmbkit.reporting.tables import shown
from cmbkit.study import Study
from cmbkit.study.curves import calls
from cmbkit.study.operating import scan_counts
from cmbkit.study.scan_results import BASELINE

THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999)
MINIMUM_VOXELS = (5, 8, 12, 16, 20, 30)
OUT = Path(__file__).with_name("operating.md")


def finder(name: str):
    """What makes (image, map) of a standard scan, and how candidates are made of the map."""
    if name == BASELINE:

        def sure(scan):
            image = scan.image()
            return image, logits_of(confidence(image.data, scan.brain().data, image.spacing))

        return sure, Inference()
    predictor = predictor_of(name)
    return partial(predict_standard, predictor), predictor.params


def predict(found_in, params, scans, root: Path) -> list[tuple]:
    """Each scan with a folder of its own below ``root`` that holds its map and candidates."""
    placed = [(scan, root / str(number)) for number, scan in enumerate(scans)]
    for scan, folder in placed:
        folder.mkdir()
        image, logits = found_in(scan)
        write_logits(map_file(folder, scan), image, logits)
        found = candidates(logits, scan.labels().data, image.spacing, params)
        write_candidates(folder, scan, image, *found)
    return placed


def summed(placed, params, pairs, evaluation) -> pd.DataFrame:
    """Counts and rates over predicted scans, one row per pair of threshold and smallest size."""
    base = params.model_dump()
    variants = [
        Inference.model_validate({**base, "threshold": threshold, "minimum_voxels": size})
        for threshold, size in pairs
    ]
    total = sum(scan_counts(*one, variants, evaluation) for one in placed)
    keys = pd.DataFrame(pairs, columns=["threshold", "minimum_voxels"])
    return keys.join(per_scan(total))


def settle(name: str, found: pd.DataFrame | None, placed, evaluation) -> Calibration:
    """Write the best pair, if any, and the calibration into a folder of weights."""
    path, described = describe_weights(name)
    pair = {}
    if found is not None:
        best = found.sort_values("f1", ascending=False, kind="stable").iloc[0]
        pair = {"threshold": float(best["threshold"])}
        pair |= {"minimum_voxels": int(best["minimum_voxels"])}
    params = Inference.model_validate({**described.inference.model_dump(), **pair})
    calibration = fit(pd.concat(calls(*one, lowered(params), evaluation) for one in placed))
    assert calibration, "too few candidates to calibrate scores on"
    described = described.model_copy(update={"inference": params, "calibration": calibration})
    text = json.dumps(described.model_dump(mode="json"), indent=1)
    (path / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
    return calibration


def section(name: str, found: pd.DataFrame) -> str:
    """Table of F1 for one set of weights, and the counts at its best pair."""
    best = found.sort_values("f1", ascending=False, kind="stable").iloc[0]
    rows = [
        [f"{threshold:g}", *(f"{f1:.3f}" for f1 in part["f1"])]
        for threshold, part in found.groupby("threshold")
    ]
    return f"""## {Path(name).name}

{table(["probability", *map(str, MINIMUM_VOXELS)], rows)}

Highest: {best["threshold"]:g} and {best["minimum_voxels"]:.0f} voxels, with {best["tp"]:.0f} TP, \
{best["fp"]:.0f} FP, {best["fn"]:.0f} FN.
"""


def for_all(tables: list[pd.DataFrame]) -> str:
    """The pair with the highest mean F1 over several networks, none of which is preferred."""
    means = tables[0].assign(f1=sum(found["f1"] for found in tables) / len(tables))
    best = means.loc[means["f1"].idxmax()]
    return (
        f"For all networks alike, by their mean F1 ({best['f1']:.3f}): {best['threshold']:g} and "
        f"{best['minimum_voxels']:.0f} voxels.\n"
    )


def judged(name: str, params: Path, otherworld: Path | None) -> str:
    """Calibration error and coverage of the range of numbers on scans of other generators."""
    calibration = describe_weights(name)[1].calibration
    found_in, inference = finder(name)
    tables = []
    generators = studies(params, otherworld)
    if otherworld:
        generators = {"otherworld": generators["otherworld"]}
    for generator, study in generators.items():
        scans, evaluation = study.cohort.split("test"), study.params.evaluation
        with tempfile.TemporaryDirectory() as folder:
            placed = predict(found_in, inference, scans, Path(folder))
            found = [calls(*one, lowered(inference), evaluation) for one in placed]
        who = [scan.scan for scan in scans]
        rows = pd.DataFrame(
            {
                "dataset": [f"{generator}, {each.dataset}" for each in who],
                "source": [each.dataset for each in who],
                "model": name,
                "uid": [each.uid for each in who],
                "patient": [each.patient for each in who],
                "n_gt": [len(scan.microbleeds()) for scan in scans],
            }
        )
        named = [
            own.assign(uid=row.uid, dataset=row.dataset, model=name)
            for own, row in zip(found, rows.itertuples(), strict=True)
        ]
        both = pd.concat(named), rows, {name: calibration}
        tables.append([table_s43(*both), table_s44(*both)])
    parts = [pd.concat([shown(table)[0] for table in kind]) for kind in zip(*tables, strict=True)]
    return "\n\n".join(table(list(part), part.to_numpy().tolist()) for part in parts)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("weights", nargs="*", default=[BASELINE, "compact"])
    arguments.add_argument("--scans", type=Path, nargs="+", default=[Path("params/operating.yaml")])
    arguments.add_argument("--out", type=Path, default=OUT)
    arguments.add_argument("--settle", action="store_true")
    arguments.add_argument("--calibrate", action="store_true")
    arguments.add_argument("--judge", type=Path)
    arguments.add_argument("--otherworld", type=Path)
    options = arguments.parse_args()
    if options.judge:
        told = [judged(name, options.judge, options.otherworld) for name in options.weights]
        print("\n\n".join(told))
        return
    studies = [Study(**yaml.safe_load(path.read_text())) for path in options.scans]
    study, scans = studies[0], [scan for one in studies for scan in one.cohort.split("test")]
    pairs = [(threshold, size) for threshold in THRESHOLDS for size in MINIMUM_VOXELS]
    found, made = {}, []
    for name in options.weights:
        found_in, params = finder(name)
        with tempfile.TemporaryDirectory() as folder:
            placed = predict(found_in, params, scans, Path(folder))
            found[name] = summed(placed, params, pairs, study.params.evaluation)
            if options.settle or options.calibrate:
                best = found[name] if options.settle else None
                settled = settle(name, best, placed, study.params.evaluation)
                made.append(f"Calibration of {Path(name).name}: {settled}\n")
    sections = [section(name, table) for name, table in found.items()]
    networks = [table for name, table in found.items() if name != BASELINE]
    sections += [for_all(networks)] if len(networks) > 1 else []
    sections += made
    places = ", ".join(f"`{path}`" for path in options.scans)
    text = f"""# Threshold and smallest size

F1 on {len(scans)} scans of {places}, which are in no training, validation or test:
probability down, smallest size in voxels across. Synthetic cohort.

"""
    text += "\n".join(sections)
    options.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
