"""How well shipped and other weights detect on held-out scans of several generators.

Run from the repository's root: ``python benchmarks/bench_compact.py [WEIGHTS ...]``. WEIGHTS are
folders with network.json or names of shipped weights ("compact" if none is given); several are
compared in pairs, the first against each other one. ``--scans PARAMS`` names the parameter file of
the scans (params/held_out.yaml), ``--otherworld DIR`` a folder with DOU and VALDO of another
generator. Writes benchmarks/compact.md.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from timing import table

from cmbkit.detector.inference.candidates import candidates
from cmbkit.detector.inference.ready import predictor_for
from cmbkit.detector.inference.tiled import Predictor, predict_standard
from cmbkit.evaluation.hypotheses import compare_models
from cmbkit.evaluation.scan import evaluate_scan, join_results
from cmbkit.evaluation.statistics import summary
from cmbkit.params import Evaluation
from cmbkit.records import StandardScan
from cmbkit.running.cache import Cache
from cmbkit.study import Study
from cmbkit.study.scan_results import BASELINE, baseline_cached, predicted_file
from cmbkit.volume import Volume

METRICS = {"precision": "pooled_precision", "recall": "pooled_recall", "F1": "pooled_f1"}
OUT = Path(__file__).with_name("compact.md")


def predictor_of(name: str) -> Predictor:
    """The weights of this name or folder, set up as they describe themselves."""
    predictor = predictor_for(name)
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
        mask = predicted_file(baseline_cached(cache, params.dark_blobs, scan), scan)
        who = {name: getattr(scan.scan, name) for name in ("uid", "dataset", "patient")}
        found.append(
            evaluate_scan(scan.lesions(), Volume.read(mask, "uint16"), **who, params=params)
        )
    return join_results(found)[1]


def interval(row: dict, name: str) -> str:
    """A value with its 95 % interval, or "too few"."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    span = "too few" if np.isnan(low) else f"[{low:.2f}, {high:.2f}]"
    return f"{row[name]:.3f} {span}"


def studies(scans: Path, otherworld: Path | None) -> dict[str, Study]:
    """By generator: the scans of a parameter file by both models, and the ones made elsewhere."""
    values = yaml.safe_load(scans.read_text())
    found = {
        model: Study(**{**values, "cohort": values["cohort"] | {"phantom_model": model}})
        for model in ("contrast", "physical")
    }
    if otherworld:
        names = ["DOU", "VALDO"]
        roots = {name: str((otherworld / name).resolve()) for name in names}
        cohort = {"datasets": names, "roots": roots, "splits": dict.fromkeys(names, "test")}
        found["otherworld"] = Study(**{**values, "cohort": cohort})
    return found


def detection(results: dict[tuple[str, str], pd.DataFrame], params: Evaluation) -> str:
    """Counts and rates by generator, dataset and weights."""
    rows = []
    for (generator, name), scans in results.items():
        for dataset, part in scans.groupby("dataset"):
            row = summary(part, params)
            counts = [row["n_scans"], row["tp"], row["fp"], row["fn"]]
            rates = [interval(row, column) for column in METRICS.values()]
            rows.append(
                [generator, f"{dataset}-like", name, *counts, *rates, interval(row, "fp_scan")]
            )
    rows.sort(key=lambda row: row[:2])
    return table(
        ["generator", "scans", "weights", "n", "TP", "FP", "FN", *METRICS, "FP per scan"], rows
    )


def pairs(results, names: list[str], params: Evaluation, seed: int) -> str:
    """The first weights against each other ones: difference of F1 on the same scans."""
    rows = []
    for generator in dict.fromkeys(generator for generator, _ in results):
        for name in names[1:]:
            both = [results[generator, side] for side in (names[0], name)]
            for dataset in sorted(both[0]["dataset"].unique()):
                row = compare_models(
                    *(side[side["dataset"] == dataset] for side in both),
                    metrics=("pooled_f1",), seed=seed, nan_rule=params.nan_rule,
                ).loc["pooled_f1"]  # fmt: skip
                difference = f"{row['difference']:+.3f} [{row['low']:+.2f}, {row['high']:+.2f}]"
                p = f"{row['p_value']:.4f}" if row["p_value"] >= 0.0001 else "< 0.0001"
                rows.append([generator, f"{dataset}-like", f"{names[0]} - {name}", difference, p])
    head = ["generator", "scans", "pair", "difference of F1", "p (paired permutation)"]
    return table(head, rows)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("weights", nargs="*", default=["compact"])
    arguments.add_argument("--scans", type=Path, default=Path("params/held_out.yaml"))
    arguments.add_argument("--otherworld", type=Path)
    arguments.add_argument("--out", type=Path, default=OUT)
    options = arguments.parse_args()
    results, seconds, lesions = {}, {}, []
    for generator, study in studies(options.scans, options.otherworld).items():
        params, seed = study.params.evaluation, study.params.seed
        scans = study.cohort.split("test")
        lesions += [len(scan.microbleeds()) for scan in scans]
        for name in options.weights:
            started = time.perf_counter()
            results[generator, Path(name).name] = scan_rows(name, scans, params)
            seconds[name] = (time.perf_counter() - started) / len(scans)
        results[generator, BASELINE] = baseline_rows(study.cache, scans, params)
    names = [Path(name).name for name in options.weights] + [BASELINE]
    text = f"""# The compact weights on scans of several generators

{len(lesions)} scans with {sum(lesions)} microbleeds. contrast, physical: the models of the embedded
cohort, scans of `{options.scans}`, of another seed than those that the shipped weights were
trained on. otherworld: anatomy and models written apart from the project, looked at during
development. Synthetic all: nothing is said about patients. 95 % intervals with patients as units;
centres under 5 mm apart match. The baseline stands at the point that the demo gives it.

{detection(results, params)}

{pairs(results, names, params, seed)}

Seconds a scan, from the standard grid to candidates: \
{", ".join(f"{Path(name).name} {value:.1f}" for name, value in seconds.items())}.
"""
    options.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
