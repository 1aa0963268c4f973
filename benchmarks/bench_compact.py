"""How well shipped and other weights detect on held-out synthetic scans, side by side.

Run from the repository's root: ``python benchmarks/bench_compact.py [WEIGHTS ...]``. WEIGHTS are
folders with network.json or names of shipped weights ("compact" if none is given); several are
compared in pairs, the first against each other one. ``--scans PARAMS`` names the parameter file of
the scans (params/held_out.yaml). Writes benchmarks/compact.md.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from timing import table

from cmbkit.detector.inference.candidates import candidates
from cmbkit.detector.inference.engines import Engine, engine_for
from cmbkit.detector.inference.tiled import Predictor, predict_standard
from cmbkit.detector.network.weights import describe_weights, read_weights
from cmbkit.evaluation.hypotheses import compare_models
from cmbkit.evaluation.scan import evaluate_scan, join_results
from cmbkit.evaluation.statistics import summary
from cmbkit.params import Evaluation, Inference
from cmbkit.records import StandardScan
from cmbkit.running.cache import Cache
from cmbkit.study import Study
from cmbkit.study.scan_results import baseline_cached, predicted_file
from cmbkit.volume import Volume

METRICS = {"precision": "pooled_precision", "recall": "pooled_recall", "F1": "pooled_f1"}
OUT = Path(__file__).with_name("compact.md")


def engine_with(name: str, params: Inference) -> Engine:
    """Engine of the weights of this name or folder, with other parameters than their own."""
    _, described = describe_weights(name)
    return engine_for(described.sha256, described.network, params, lambda: read_weights(name).model)


def predictor_of(name: str) -> Predictor:
    """The weights of this name or folder, set up as they describe themselves."""
    params = describe_weights(name)[1].inference
    predictor = Predictor(engine_with(name, params), params)
    engine = predictor.engine
    print(f"{name}: engine {engine.name}, precision {engine.precision}")
    return predictor


def scan_rows(name: str, scans: list[StandardScan], params: Evaluation) -> pd.DataFrame:
    """One row per scan with TP, FP and FN of the weights of this name or folder."""
    predictor = predictor_of(name)
    found = []
    for scan in scans:
        image, logits = predict_standard(predictor, scan)
        instances, _ = candidates(logits, scan.labels().data, image.spacing, predictor.params)
        who = {name: getattr(scan.scan, name) for name in ("uid", "dataset", "patient")}
        instances = image.with_data(instances)
        found.append(evaluate_scan(scan.lesions(), instances, **who, params=params))
    return join_results(found)[1]


def baseline_rows(cache: Cache, scans: list[StandardScan], params: Evaluation) -> pd.DataFrame:
    """The same for the untrained dark-blob detector."""
    found = []
    for scan in scans:
        mask = predicted_file(
            baseline_cached(cache, params.dark_blobs, scan), scan, "desc-cmbpred_dseg.nii.gz"
        )
        who = {name: getattr(scan.scan, name) for name in ("uid", "dataset", "patient")}
        found.append(
            evaluate_scan(scan.lesions(), Volume.read(mask, "uint16"), **who, params=params)
        )
    return join_results(found)[1]


def interval(row: dict, name: str) -> str:
    """A value with its 95 % interval."""
    return f"{row[name]:.3f} [{row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f}]"


def detection(results: dict[str, pd.DataFrame], params: Evaluation) -> str:
    """Counts and rates by dataset and weights."""
    rows = []
    for dataset in ("DOU", "CRB"):
        for name, scans in results.items():
            row = summary(scans[scans["dataset"] == dataset], params)
            counts = [row["n_scans"], row["tp"], row["fp"], row["fn"]]
            rates = [interval(row, column) for column in METRICS.values()]
            rows.append([f"{dataset}-like", name, *counts, *rates, interval(row, "fp_scan")])
    return table(["scans", "weights", "n", "TP", "FP", "FN", *METRICS, "FP per scan"], rows)


def pairs(results: dict[str, pd.DataFrame], params: Evaluation, seed: int) -> str:
    """The first weights against each other ones: difference of F1 on the same scans."""
    (first, of_first), *others = results.items()
    rows = []
    for dataset in ("DOU", "CRB"):
        for name, of_other in others:
            sides = [side[side["dataset"] == dataset] for side in (of_first, of_other)]
            row = compare_models(
                *sides, metrics=("pooled_f1",), seed=seed, nan_rule=params.nan_rule
            ).loc["pooled_f1"]
            difference = f"{row['difference']:+.3f} [{row['low']:+.2f}, {row['high']:+.2f}]"
            p = f"{row['p_value']:.4f}" if row["p_value"] >= 0.0001 else "< 0.0001"
            rows.append([f"{dataset}-like", f"{first} - {name}", difference, p])
    return table(["scans", "pair", "difference of F1", "p (paired permutation)"], rows)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("weights", nargs="*", default=["compact"])
    arguments.add_argument("--scans", type=Path, default=Path("params/held_out.yaml"))
    arguments.add_argument("--out", type=Path, default=OUT)
    options = arguments.parse_args()
    study = Study(**yaml.safe_load(options.scans.read_text()))
    params, seed = study.params.evaluation, study.params.seed
    scans = study.cohort.split("test")
    results, seconds = {}, {}
    for name in options.weights:
        started = time.perf_counter()
        results[name] = scan_rows(name, scans, params)
        seconds[name] = (time.perf_counter() - started) / len(scans)
    results["dark blobs (untrained)"] = baseline_rows(study.cache, scans, params)
    lesions = int(np.sum([len(scan.microbleeds()) for scan in scans]))
    text = f"""# The compact weights on held-out synthetic scans

{len(scans)} scans of `{options.scans}` with {lesions} microbleeds, of another seed than
the scans that the shipped weights were trained on. Synthetic cohort: nothing is said about
patients. 95 % intervals with patients as units; centres under 5 mm apart match.

{detection(results, params)}

{pairs(results, params, seed)}

Seconds a scan, from the standard grid to candidates: \
{", ".join(f"{name} {value:.1f}" for name, value in seconds.items())}.
"""
    options.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
