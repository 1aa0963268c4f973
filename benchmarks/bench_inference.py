"""Inference plans: what each costs and how far it agrees with the reference.

Run from the repository's root, each part by itself:

``python benchmarks/bench_inference.py full [--peer PYTHON] [--rounds 8] [--plans ...]``: the full
network at random weights on a brain of 280 x 340 x 280 voxels in 400^3; seconds and peak memory
of each plan, in turn. The reference and the plans that are not fast are timed on one tile per
round, spread over the scan, and scaled by their number of tiles; the others run whole (unless
named after ``--sampled``). About ten minutes on two idle cores. PYTHON is an environment with
benchmarks/peers/requirements-monai.txt.

``python benchmarks/bench_inference.py agreement [--weights NAME] [--scans PARAMS] [--split
test] [--count 8]``: each plan against the reference on synthetic scans with microbleeds, with
trained weights; the gate.

``python benchmarks/bench_inference.py int8 PYTHON``: the shipped compact network quantised after
training, on a synthetic scan; PYTHON is an environment with
benchmarks/peers/requirements-nncf.txt.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from itertools import product
from pathlib import Path
from statistics import median

import full_network
import quantised
import yaml
from agreement import Agreement
from timing import table

from cmbkit.detector.inference.tiled import Predictor, predict_probability
from cmbkit.params import Inference
from cmbkit.params.evaluation import PLANS, POSTPROCESSING

LIMITS = (0.5, 0.1, 0.02, 0.005, 0.001)
OWN_REFERENCE = "own, one pass"


def variants(own: Inference, tile: list[int], compact: bool) -> dict[str, Inference]:
    """Plans that the gate looks at; float32 reference by OpenVINO, identical inside the brain."""
    kept = own.model_dump(include={*POSTPROCESSING, "batch_size", "tile_size"})

    def of(plan: str, **changes) -> Inference:
        return Inference(**{**kept, "plan": plan, **changes})

    found = {name: of(name) for name in PLANS if name != "reference"}
    found |= {f"{name}, Gaussian": of(name, weighting="gaussian") for name in ("box", "fast")}
    found["box, no overlap"] = of("box", overlap=0.0)
    for limit in LIMITS:
        two = {"two_passes": True, "screen_threshold": limit}
        found[f"two passes from {limit}"] = of("skip bfloat16", **two)
    if tile[0] >= 96:
        found["fast, 160^3"] = of("fast", tile_size=[160] * 3)
    if compact:
        found[OWN_REFERENCE] = own.model_copy(update={"two_passes": False})
        for limit in (own.screen_threshold, 0.1, 0.02):
            found[f"own from {limit}"] = own.model_copy(update={"screen_threshold": limit})
        return found
    for name, limit in product(("skip bfloat16", "fast"), LIMITS):
        cascade = {"screen": "compact", "screen_threshold": limit}
        found[f"{name}, cascade from {limit}"] = of(name, **cascade)
    return found


def predictors(weights: str, spacing_mm: float) -> tuple[dict[str, Predictor], Inference]:
    """One per variant; a network is compiled once for each tile size and number format."""
    from bench_compact import network_of

    from cmbkit.detector.inference.cascade import read_screen

    model, own = network_of(weights)
    tile = own.tile_size or list(model.input_shape[1:4])
    compiled: dict = {}
    ready = {}
    for name, params in variants(own, tile, weights == "compact").items():
        key = (str(params.tile_size), params.precision)
        if key not in compiled:
            compiled[key] = Predictor(model, params)
        ready[name] = copy.copy(compiled[key])
        ready[name].params = params
        ready[name].screen = read_screen(params, spacing_mm)
    return ready, own


def agreement(weights: str, scans_file: Path, split: str, count: int) -> None:
    """The gate: every plan against the reference on trained weights."""
    from cmbkit.detector.inference.candidates import candidates
    from cmbkit.study import Study

    study = Study(**yaml.safe_load(scans_file.read_text()))
    scans = [scan for scan in study.cohort.split(split) if scan.lesions().data.any()][:count]
    ready, own = predictors(weights, study.params.preprocessing.spacing_mm)
    results = {name: Agreement() for name in ready}
    seconds: dict[str, list] = {name: [] for name in ready}
    for scan in scans:
        image, brain, labels = scan.image(), scan.brain().data, scan.labels().data
        background, found = float(scan.record()["background_value"]), {}
        for plan, predictor in ready.items():
            start, used = time.perf_counter(), time.process_time()
            probability = predict_probability(
                predictor, image.data, brain=brain, background=background
            )
            seconds[plan].append((time.perf_counter() - start, time.process_time() - used))
            found[plan], _ = candidates(probability, labels, image.spacing, own)
            reference = found[OWN_REFERENCE if plan.startswith("own") else "skip"]
            results[plan].add(scan.lesions().data, reference, found[plan], image.spacing)
        print(f"after {scan.scan.uid}:\n{agreement_table(results, seconds)}\n", file=sys.stderr)
    point = f"probability {own.threshold:g}, at least {own.minimum_voxels} voxels"
    print(f"{weights}, {len(scans)} scans of {scans_file} ({split}), {point}\n")
    print(agreement_table(results, seconds))


def agreement_table(results: dict[str, Agreement], seconds: dict[str, list]) -> str:
    """One row per plan; seconds are medians over scans. "own ..." is against "own, one pass"."""
    rows = []
    for plan, a in results.items():
        clock, processor = (median(spent) for spent in zip(*seconds[plan], strict=True))
        rows.append([
            plan, f"{a.dice:.4f}", f"{a.matched} of {a.of_reference}", a.of_plan - a.matched,
            a.changed_calls, f"{a.tp}/{a.fp}/{a.fn}", f"{clock:.1f}", f"{processor:.1f}",
            "passes" if a.passes else "fails",
        ])  # fmt: skip
    names = ["plan", "Dice", "matched", "new", "changed calls", "TP/FP/FN", "s", "processor s"]
    return table([*names, "gate"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    one = parts.add_parser("full")
    one.add_argument("--peer")
    one.add_argument("--rounds", type=int, default=8)
    one.add_argument("--plans", nargs="+", choices=list(full_network.PLANS))
    one.add_argument("--sampled", nargs="*", choices=list(full_network.PLANS), default=[])
    two = parts.add_parser("agreement")
    two.add_argument("--weights", default="compact")
    two.add_argument("--scans", type=Path, default=Path("params/operating.yaml"))
    two.add_argument("--split", choices=["train", "valid", "test"], default="test")
    two.add_argument("--count", type=int, default=8)
    three = parts.add_parser("int8")
    three.add_argument("peer")
    three.add_argument("--scan", choices=["1", "2", "3"], default="1")
    three.add_argument("--rounds", type=int, default=3)
    for name, extra in (("serve", "plan"), ("convert", "jobs")):  # processes that full starts
        hidden = parts.add_parser(name)
        hidden.add_argument("folder", type=Path)
        hidden.add_argument(extra)
    given = parser.parse_args()
    if given.part == "full":
        full_network.run(given.plans, given.rounds, given.peer, given.sampled)
    elif given.part == "serve":
        full_network.serve(full_network.PLANS[given.plan], given.folder)
    elif given.part == "convert":
        full_network.say(full_network.convert(given.folder, **json.loads(given.jobs)))
    elif given.part == "agreement":
        agreement(given.weights, given.scans, given.split, given.count)
    else:
        quantised.run(given.peer, int(given.scan), given.rounds)


if __name__ == "__main__":
    main()
