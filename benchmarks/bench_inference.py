"""Inference plans: what each costs and how far it agrees with the reference.

Run from the repository's root, each part by itself:

``python benchmarks/bench_inference.py full [--peer PYTHON] [--rounds 8] [--plans ...]``: the full
network at random weights on a brain of 280 x 340 x 280 voxels in 400^3; seconds and peak memory
of each plan, in turn. The reference and the plans that are not fast are timed on one tile per
round, spread over the scan, and scaled by their number of tiles; the others run whole (unless
named after ``--sampled``). About ten minutes on two idle cores. PYTHON is an environment with
benchmarks/peers/requirements-monai.txt.

``python benchmarks/bench_inference.py agreement [--weights NAME] [--scans PARAMS] [--count 8]``:
each plan against the reference on synthetic scans, with trained weights; the gate.

``python benchmarks/bench_inference.py int8 PYTHON``: the shipped compact network quantised after
training, on a synthetic scan; PYTHON is an environment with
benchmarks/peers/requirements-nncf.txt.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median

import full_network
import quantised
import yaml
from agreement import Agreement
from timing import table

from cmbkit.detector.inference import Predictor, predict_probability
from cmbkit.params import Inference
from cmbkit.params.evaluation import PLANS, POSTPROCESSING


def variants(own: Inference) -> dict[str, Inference]:
    """Plans that the gate looks at; float32 reference by OpenVINO, identical inside the brain."""
    kept = own.model_dump(include={*POSTPROCESSING, "batch_size", "tile_size"})
    two = {**kept, "two_passes": True, "plan": "skip bfloat16"}
    return {
        **{name: Inference(**{**kept, "plan": name}) for name in PLANS if name != "reference"},
        "fast, Gaussian": Inference(**{**kept, "plan": "fast", "weighting": "gaussian"}),
        "box, Gaussian": Inference(**{**kept, "plan": "box", "weighting": "gaussian"}),
        "two passes from 0.5": Inference(**two, screen_threshold=0.5),
        "two passes from 0.1": Inference(**two, screen_threshold=0.1),
        "the weights' own": own,
    }


def agreement(weights: str, scans_file: Path, count: int) -> None:
    """The gate: every plan against the reference on trained weights."""
    from bench_compact import network_of

    from cmbkit.detector.postprocessing import candidates
    from cmbkit.study import Study

    scans = Study(**yaml.safe_load(scans_file.read_text())).cohort.split("test")[:count]
    model, own = network_of(weights)
    predictors = {name: Predictor(model, plan) for name, plan in variants(own).items()}
    results = {name: Agreement() for name in predictors}
    seconds: dict[str, list] = {name: [] for name in predictors}
    for scan in scans:
        image, brain, labels = scan.image(), scan.brain().data, scan.labels().data
        background, reference = float(scan.record()["background_value"]), None
        for plan, predictor in predictors.items():
            used = time.process_time()
            probability = predict_probability(
                predictor, image.data, brain=brain, background=background
            )
            seconds[plan].append(time.process_time() - used)
            found, _ = candidates(probability, labels, image.spacing, own)
            reference = found if reference is None else reference
            results[plan].add(scan.lesions().data, reference, found, image.spacing)
        print(f"after {scan.scan.uid}:\n{agreement_table(results, seconds)}\n", file=sys.stderr)
    point = f"probability {own.threshold:g}, at least {own.minimum_voxels} voxels"
    print(f"{weights}, {len(scans)} scans of {scans_file}, {point}\n")
    print(agreement_table(results, seconds))


def agreement_table(results: dict[str, Agreement], seconds: dict[str, list]) -> str:
    """One row per plan."""
    rows = [
        [
            plan, f"{a.dice:.4f}", f"{a.matched} of {a.of_reference}", a.of_plan - a.matched,
            a.changed_calls, f"{a.tp}/{a.fp}/{a.fn}", f"{median(seconds[plan]):.1f}",
            "passes" if a.passes else "fails",
        ]
        for plan, a in results.items()
    ]  # fmt: skip
    names = ["plan", "Dice", "matched", "new", "changed calls", "TP/FP/FN", "processor s", "gate"]
    return table(names, rows)


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
        agreement(given.weights, given.scans, given.count)
    else:
        quantised.run(given.peer, int(given.scan), given.rounds)


if __name__ == "__main__":
    main()
