"""Inference: what each setting costs and how far it agrees with the reference.

Run from the repository's root, each part by itself:

``python benchmarks/bench_inference.py full [--peer PYTHON] [--rounds 8]``: the full network at
random weights on a brain of 280 x 340 x 280 voxels in 400^3; seconds and peak memory of each
setting, timed on one tile per round, spread over the scan, and scaled by their number of tiles.
PYTHON is an environment with benchmarks/peers/requirements-monai.txt.

``python benchmarks/bench_inference.py agreement [--weights NAME] [--scans PARAMS] [--split
test] [--count 8]``: each setting against the reference on synthetic scans with microbleeds, with
trained weights; the gate.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median

import full_network
import yaml
from agreement import Agreement
from timing import table

from cmbkit.detector.inference.tiled import Predictor, predict_logits
from cmbkit.params import Inference
from cmbkit.params.inference import POSTPROCESSING

LIMITS = (0.5, 0.1, 0.02, 0.005, 0.001)
OWN_REFERENCE = "own, one pass"


def variants(own: Inference, compact: bool) -> dict[str, Inference]:
    """Settings that the gate looks at; float32 reference by OpenVINO, same inside the brain."""
    kept = own.model_dump(include={*POSTPROCESSING, "batch_size"})
    found = {
        "skip": Inference(**kept, precision="float32"),
        "skip bfloat16": Inference(**kept),
    }
    for limit in LIMITS:
        two = {"two_passes": True, "screen_threshold": limit}
        found[f"two passes from {limit}"] = Inference(**kept, **two)
    if compact:
        found[OWN_REFERENCE] = own.model_copy(update={"two_passes": False})
        for limit in (own.screen_threshold, 0.1, 0.02):
            found[f"own from {limit}"] = own.model_copy(update={"screen_threshold": limit})
    return found


def predictors(weights: str) -> tuple[dict[str, Predictor], Inference]:
    """One per variant; a network is compiled once for each number format."""
    from cmbkit.detector.inference.ready import predictor_for
    from cmbkit.detector.network.weights import describe_weights

    own = describe_weights(weights)[1].inference
    engines: dict = {}
    ready = {}
    for name, params in variants(own, weights == "compact").items():
        if params.precision not in engines:
            engines[params.precision] = predictor_for(weights, params)
        made = engines[params.precision]
        ready[name] = Predictor(made.engine, params, made.look)
    return ready, own


def agreement(weights: str, scans_file: Path, split: str, count: int) -> None:
    """The gate: every setting against the reference on trained weights."""
    from cmbkit.detector.inference.candidates import candidates
    from cmbkit.study import Study

    study = Study(**yaml.safe_load(scans_file.read_text()))
    scans = [scan for scan in study.cohort.split(split) if scan.lesions().data.any()][:count]
    ready, own = predictors(weights)
    results = {name: Agreement() for name in ready}
    seconds: dict[str, list] = {name: [] for name in ready}
    for scan in scans:
        image, brain, labels = scan.image(), scan.brain().data, scan.labels().data
        background, found = float(scan.record()["background_value"]), {}
        for name, predictor in ready.items():
            start, used = time.perf_counter(), time.process_time()
            logits = predict_logits(predictor, image.data, brain=brain, background=background)
            seconds[name].append((time.perf_counter() - start, time.process_time() - used))
            found[name], _ = candidates(logits, labels, image.spacing, own)
            reference = found[OWN_REFERENCE if name.startswith("own") else "skip"]
            results[name].add(scan.lesions().data, reference, found[name], image.spacing)
        print(f"after {scan.scan.uid}:\n{agreement_table(results, seconds)}\n", file=sys.stderr)
    point = f"probability {own.threshold:g}, at least {own.minimum_voxels} voxels"
    print(f"{weights}, {len(scans)} scans of {scans_file} ({split}), {point}\n")
    print(agreement_table(results, seconds))


def agreement_table(results: dict[str, Agreement], seconds: dict[str, list]) -> str:
    """One row per setting; seconds are medians over scans. "own ..." is against "own, one pass"."""
    rows = []
    for setting, a in results.items():
        clock, processor = (median(spent) for spent in zip(*seconds[setting], strict=True))
        rows.append([
            setting, f"{a.dice:.4f}", f"{a.matched} of {a.of_reference}", a.of_plan - a.matched,
            a.changed_matches, f"{a.tp}/{a.fp}/{a.fn}", f"{clock:.1f}", f"{processor:.1f}",
            "passes" if a.passes else "fails",
        ])  # fmt: skip
    names = ["setting", "Dice", "matched", "new", "changed calls", "TP/FP/FN", "s", "processor s"]
    return table([*names, "gate"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    one = parts.add_parser("full")
    one.add_argument("--peer")
    one.add_argument("--rounds", type=int, default=8)
    two = parts.add_parser("agreement")
    two.add_argument("--weights", default="compact")
    two.add_argument("--scans", type=Path, default=Path("params/operating.yaml"))
    two.add_argument("--split", choices=["train", "valid", "test"], default="test")
    two.add_argument("--count", type=int, default=8)
    for name, extra in (("serve", "setting"), ("convert", "job")):  # processes that full starts
        hidden = parts.add_parser(name)
        hidden.add_argument("folder", type=Path)
        hidden.add_argument(extra)
    given = parser.parse_args()
    if given.part == "full":
        full_network.run(given.rounds, given.peer)
    elif given.part == "serve":
        full_network.serve(given.setting, given.folder)
    elif given.part == "convert":
        full_network.say(full_network.convert(given.folder, **json.loads(given.job)))
    else:
        agreement(given.weights, given.scans, given.split, given.count)


if __name__ == "__main__":
    main()
