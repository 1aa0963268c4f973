"""Inference plans: what each costs and how far it agrees with the reference.

Run from the repository's root, each part by itself:

``python benchmarks/bench_inference.py speed [--peer PYTHON] [--rounds 3]``: seconds per 96^3 tile
of the full network (random weights) in each engine, one after the other within each round, and
from that the seconds of each plan on a brain of 280 x 340 x 280 voxels in 400^3. PYTHON is an
environment with benchmarks/peers/requirements-monai.txt.

``python benchmarks/bench_inference.py agreement DERIVATIVES UID [UID ...]``: each plan against
the reference on standard scans of a finished demo run, with its trained weights; the gate.

``python benchmarks/bench_inference.py scan PLAN``: one whole scan of that size, wall clock and
peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from agreement import Agreement
from timing import table

from cmbkit.detector.inference import Predictor, planned_starts, predict_probability
from cmbkit.detector.network import build
from cmbkit.params import Inference, Network, read_parameters
from cmbkit.params.evaluation import PLANS

SIDE, BRAIN = 400, (280, 340, 280)


def brain_mask(side: int = SIDE, axes=BRAIN) -> np.ndarray:
    """An ellipsoid with these full axes in the middle of a cube; bool."""
    grid = np.ogrid[:side, :side, :side]
    away = [(g - (side - 1) / 2) / (a / 2) for g, a in zip(grid, axes, strict=True)]
    return sum(a**2 for a in away) <= 1


def interleaved(cases: dict, rounds: int) -> dict[str, tuple[float, float]]:
    """Median wall-clock and processor seconds of each case; one untimed round first."""
    seconds = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, run in cases.items():
            start, used = time.perf_counter(), time.process_time()
            run()
            if number:
                seconds[name].append((time.perf_counter() - start, time.process_time() - used))
    return {name: tuple(median(x) for x in zip(*s, strict=True)) for name, s in seconds.items()}


def speed(peer: str | None, rounds: int) -> None:
    """Seconds per tile and per plan."""
    network = Network()
    model = build(network, seed=1)
    tile = np.random.default_rng(0).normal(size=(1, *network.patch_size)).astype(np.float32)
    engines = {
        "Keras, float32": Inference(engine="keras"),
        "OpenVINO, float32": Inference(engine="openvino"),
        "OpenVINO, bfloat16": Inference(engine="openvino", precision="bfloat16"),
    }
    cases = {}
    for name, params in engines.items():
        cases[name] = partial(Predictor(model, params).evidence, tile)
    found = interleaved(cases, rounds)
    rows = [[n, f"{w:.2f}", f"{u:.2f}"] for n, (w, u) in found.items()]
    if peer:
        rows.append(monai(peer, model, network, rounds))
    print(table(["one tile of 96^3", "s by the clock", "s of processors"], rows))
    brain, rows = brain_mask(), []
    whole = len(planned_starts(Inference(plan="reference"), network.patch_size, (SIDE,) * 3, None))
    unit = found["Keras, float32"]
    for name in [*PLANS, "two passes, 0 candidates", "two passes, 5 candidates"]:
        params = Inference(plan=name) if name in PLANS else Inference(plan="skip bfloat16")
        starts = planned_starts(params, network.patch_size, brain.shape, brain)
        count = whole if name == "reference" else len(starts)
        if name not in PLANS:
            first = params.model_copy(update={"overlap": 0.0})
            count = len(planned_starts(first, network.patch_size, brain.shape, brain))
            spots = np.zeros(brain.shape, np.float32)
            places = np.argwhere(brain)
            rng = np.random.default_rng(3)
            for place in rng.permutation(places)[: int(name.split()[2])]:
                spots[tuple(place)] = 1
            count += len(planned_starts(params, network.patch_size, spots.shape, brain, spots))
        engine = "OpenVINO, bfloat16" if params.precision == "auto" else "OpenVINO, float32"
        seconds = found["Keras, float32" if name == "reference" else engine]
        faster = [whole * a / (count * b) for a, b in zip(unit, seconds, strict=True)]
        scaled = [f"{count * s:.0f}" for s in seconds]
        rows.append([name, count, *scaled, *(f"{f:.1f}" for f in faster)])
    names = ["s by the clock", "s of processors", "times faster", "times fewer processor s"]
    print(table(["plan", "tiles", *names], rows))


def monai(peer: str, model, network: Network, rounds: int) -> list:
    """Row of MONAI around the same network; stops unless its averaged logits are the same."""
    shape = (153, 96, 96)  # two tiles at overlap 0.4
    image = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    params = Inference(engine="openvino", weighting="mean", batch_size=1)
    with tempfile.TemporaryDirectory() as folder:
        case, weights = Path(folder) / "case.npz", Path(folder) / "network.weights.h5"
        np.savez(case, image=image, network=network.model_dump_json())
        model.save_weights(weights)
        said = subprocess.run(
            [peer, "benchmarks/peers/run_monai.py", case, weights, "0.4", str(rounds + 1)],
            env={**os.environ, "PYTHONPATH": os.getcwd()}, capture_output=True, text=True,
        )  # fmt: skip
        if said.returncode:
            raise SystemExit(said.stderr[-2000:])
        report = json.loads(said.stdout.strip().splitlines()[-1])
        theirs = np.load(case.with_suffix(".logits.npy"))
    ours = predict_probability(Predictor(model, params), image, background=0.0)
    gap = float(np.abs(ours - 1 / (1 + np.exp(-theirs))).max())
    print(f"MONAI and cmbkit (weighting mean): probabilities differ by at most {gap:.1e}\n")
    if gap > 1e-3:
        raise SystemExit("expected the same probabilities")
    values = [median(report[name][1:]) / 2 for name in ("wall", "used")]
    return [f"MONAI, torch {report['torch']}, float32", *(f"{v:.2f}" for v in values)]


def variants(size: int) -> dict[str, Inference]:
    """Plans that the gate looks at; float32 reference by OpenVINO, identical inside the brain."""
    shared = {"batch_size": size}
    two = {"two_passes": True, "plan": "skip bfloat16", **shared}
    return {
        **{name: Inference(plan=name, **shared) for name in PLANS if name != "reference"},
        "fast, Gaussian": Inference(plan="fast", weighting="gaussian", **shared),
        "two passes from 0.5": Inference(screen_threshold=0.5, **two),
        "two passes from 0.1": Inference(screen_threshold=0.1, **two),
        "two passes from 0.02": Inference(screen_threshold=0.02, **two),
    }


def agreement(root: Path, uids: list[str]) -> None:
    """The gate: every plan against the reference on trained weights."""
    from cmbkit.detector import training
    from cmbkit.detector.postprocessing import candidates
    from cmbkit.records import Acquisition, Annotation, Scan, StandardScan

    params = read_parameters("params/demo.yaml")
    model = training.load(root / "models/scratch-finetune", params.network, "loss")
    plans = variants(params.inference.batch_size)
    predictors = {name: Predictor(model, plan) for name, plan in plans.items()}
    results = {name: Agreement() for name in plans}
    seconds: dict[str, list] = {name: [] for name in plans}
    for uid in uids:
        dataset, name = uid.split("-", 1)
        acquisition = Acquisition((1.0, 1.0), 1.0)
        record = Scan(dataset, name, name, "SWI", Path(), Annotation("none"), acquisition)
        scan = StandardScan(record, root / "preproc" / uid)
        image, brain, labels = scan.image(), scan.brain().data, scan.labels().data
        background, reference = float(scan.record()["background_value"]), None
        for plan, predictor in predictors.items():
            used = time.process_time()
            probability = predict_probability(
                predictor, image.data, brain=brain, background=background
            )
            seconds[plan].append(time.process_time() - used)
            found, _ = candidates(probability, labels, image.spacing, params.inference)
            reference = found if reference is None else reference
            results[plan].add(scan.lesions().data, reference, found, image.spacing)
        print(f"after {uid}:\n{agreement_table(results, seconds)}\n", file=sys.stderr)
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


def scan(plan: str) -> None:
    """One scan of full size with the full network at random weights."""
    params = Inference(plan=plan, batch_size=1)
    predictor = Predictor(build(Network(), seed=1), params)
    print(predictor.line)
    brain = brain_mask()
    rng = np.random.default_rng(0)
    image = np.where(brain, rng.normal(size=brain.shape), -3).astype(np.float32)
    start, used = time.perf_counter(), time.process_time()
    predict_probability(predictor, image, brain=brain, background=-3.0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    spent = [time.perf_counter() - start, time.process_time() - used]
    print(f"{plan}: {spent[0]:.0f} s, {spent[1]:.0f} s of processors, peak {peak:.2f} GiB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    one = parts.add_parser("speed")
    one.add_argument("--peer")
    one.add_argument("--rounds", type=int, default=3)
    two = parts.add_parser("agreement")
    two.add_argument("derivatives", type=Path)
    two.add_argument("uids", nargs="+")
    three = parts.add_parser("scan")
    three.add_argument("plan", choices=list(PLANS))
    given = parser.parse_args()
    if given.part == "speed":
        speed(given.peer, given.rounds)
    elif given.part == "agreement":
        agreement(given.derivatives, given.uids)
    else:
        scan(given.plan)
