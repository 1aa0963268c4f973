"""The full network (params/thesis.yaml) on one whole scan: time and memory of each plan.

Each plan runs in a process of its own, so that its peak memory is its own, and all of them are
asked in turn. ``bench_inference.py full`` prints the table; the weights are random, which says
nothing of agreement and changes nothing in the time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from scipy import ndimage
from timing import table

from cmbkit.detector.inference.cascade import read_screen
from cmbkit.detector.inference.stored import StoredNetwork
from cmbkit.detector.inference.tiled import Predictor, planned_starts, predict_probability
from cmbkit.detector.network.unet import build, logits_model, resized
from cmbkit.params import Inference, Network, read_parameters

SIDE, BRAIN = 400, (280, 340, 280)
SPACING_MM = 0.5
BALLS = ((200, 150, 200), (120, 210, 190), (260, 240, 170), (230, 290, 230), (170, 200, 280))
SEED = 1
PAIR = (153, 96, 96)  # two tiles at overlap 0.4


@dataclass(frozen=True)
class Plan:
    """What is timed; ``sampled`` plans run on a few of their tiles, the others on all."""

    name: str
    inference: Inference
    sampled: bool = False


PLANS = {
    plan.name: plan
    for plan in (
        Plan("reference", Inference(plan="reference", batch_size=1), sampled=True),
        Plan("skip", Inference(plan="skip", batch_size=1), sampled=True),
        Plan("skip bfloat16", Inference(plan="skip bfloat16", batch_size=1), sampled=True),
        Plan("fast", Inference(plan="fast", batch_size=1)),
        Plan("fast, 160^3", Inference(plan="fast", tile_size=[160] * 3, batch_size=1)),
        Plan("box, no overlap", Inference(plan="box", overlap=0.0, batch_size=1)),
        Plan("fast, cascade", Inference(plan="fast", screen="compact", batch_size=1)),
        Plan(
            "skip bfloat16, cascade",
            Inference(plan="skip bfloat16", screen="compact", batch_size=1),
        ),
    )
}


def brain_mask(side: int = SIDE, axes=BRAIN) -> np.ndarray:
    """An ellipsoid with these full axes in the middle of a cube; bool."""
    grid = np.ogrid[:side, :side, :side]
    away = [(g - (side - 1) / 2) / (a / 2) for g, a in zip(grid, axes, strict=True)]
    return sum(a**2 for a in away) <= 1


def drawn_scan() -> tuple[np.ndarray, np.ndarray, float]:
    """Image (z-scored over the cube, as params/thesis.yaml has it), brain, and background.

    The brain has texture and noise, and at `BALLS` dark balls of 1.5 to 3 mm radius.
    """
    rng = np.random.default_rng(0)
    brain = brain_mask()
    coarse = ndimage.gaussian_filter(rng.normal(size=(50, 50, 50)), 1.5)
    image = ndimage.zoom((coarse / coarse.std() * 25).astype(np.float32), 8, order=1)
    image += rng.normal(400, 12, image.shape).astype(np.float32)
    for ball, radius in zip(BALLS, np.linspace(1.5, 3, len(BALLS)), strict=True):
        half = int(radius / SPACING_MM) + 2
        box = tuple(slice(c - half, c + half + 1) for c in ball)
        offsets = np.ogrid[tuple(slice(-half, half + 1) for _ in ball)]
        away = np.sqrt(sum(o**2 for o in offsets)) * SPACING_MM
        image[box] -= 280 * np.clip(radius + 0.5 - away, 0, 1)
    image[~brain] = 0
    mean, sd = float(image.mean(dtype=float)), float(image.std(dtype=float))
    image -= mean
    image /= sd
    return image, brain, -mean / sd


def peak_gib() -> float:
    """Largest resident memory of this process so far, in GiB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20


def full_network() -> Network:
    return read_parameters("params/thesis.yaml").network


def stored(folder: Path, tile) -> StoredNetwork:
    return StoredNetwork(folder / f"full-{tile[0]}.xml", tile)


def convert(folder: Path, tiles: list[int], with_peer: bool) -> dict:
    """Convert the networks for OpenVINO, as `cmbkit predict` keeps them in its cache."""
    network, start = full_network(), time.perf_counter()
    model = build(network, seed=SEED)
    for side in tiles:
        path, sized = stored(folder, [side] * 3).path, resized(model, [side] * 3)
        logits_model(sized).export(str(path), format="openvino", verbose=False)
    if with_peer:
        image = np.random.default_rng(5).normal(size=PAIR).astype(np.float32)
        np.savez(folder / "case.npz", image=image, network=network.model_dump_json())
        model.save_weights(folder / "network.weights.h5")
        params = Inference(engine="keras", weighting="mean", batch_size=1)
        ours = predict_probability(Predictor(model, params), image, background=0.0)
        np.save(folder / "case.ours.npy", ours)
    return {
        "parameters": model.count_params(),
        "seconds": time.perf_counter() - start,
        "peak_gib": peak_gib(),
    }


def set_up(plan: Plan, folder: Path) -> Predictor:
    """The network on Keras, or as it was converted."""
    if plan.inference.engine == "keras":
        return Predictor(build(full_network(), seed=SEED), plan.inference)
    tile = plan.inference.tile_size or full_network().patch_size
    screen = read_screen(plan.inference, SPACING_MM)
    return Predictor(stored(folder, tile), plan.inference, screen=screen)


def count_tiles(predictor: Predictor) -> list[int]:
    """Makes the predictor count the tiles that it looks at; the list grows by one per batch."""
    counts, evidence = [], predictor.evidence

    def counted(patches):
        counts.append(len(patches))
        return evidence(patches)

    predictor.evidence = counted
    return counts


def serve(plan: Plan, folder: Path) -> None:
    """Answer jobs, one line of JSON each: ``{"tile": n}`` of the plan's tiles, or ``{}``: all."""
    predictor = set_up(plan, folder)
    image, brain, background = drawn_scan()
    starts = planned_starts(plan.inference, predictor.tile, image.shape, brain)
    counts = [count_tiles(predictor)]
    if predictor.screen is not None:
        counts.append(count_tiles(predictor.screen.predictor))
    answer = {"tiles": len(starts), "tile": predictor.tile[0]}
    say({**answer, "engine": predictor.engine, "precision": predictor.precision})
    for line in sys.stdin:
        job = json.loads(line)
        start, used = time.perf_counter(), time.process_time()
        for count in counts:
            count.clear()
        if "tile" in job:
            first = starts[job["tile"] % len(starts)]
            cut = tuple(slice(s, s + t) for s, t in zip(first, predictor.tile, strict=True))
            predictor.evidence(predictor.inputs(image[cut][None], first[None], image.shape))
        else:
            predict_probability(predictor, image, brain=brain, background=background)
        spent = {"seconds": time.perf_counter() - start, "processor": time.process_time() - used}
        say({**spent, "peak_gib": peak_gib(), "tiles": [sum(count) for count in counts]})


def say(answer: dict) -> None:
    print(json.dumps(answer), flush=True)


class Worker:
    """A process that answers one line of JSON with another."""

    def __init__(self, command: list, **environment: str):
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, **environment},
        )  # fmt: skip
        self.about = self.hear()

    def hear(self) -> dict:
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit(f"{self.process.args}: ended with code {self.process.wait()}")

    def ask(self, job: dict) -> dict:
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return self.hear()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def child(*arguments) -> list:
    return [sys.executable, Path(__file__).with_name("bench_inference.py"), *arguments]


def run(plans: list[str] | None, rounds: int, peer: str | None, sampled: list[str]) -> None:
    """Time the plans and print the table.

    Each round asks every sampled plan (and the peer) for one tile; whole scans come between
    the rounds, so that the reference is timed around each of them.
    """
    names = [n for n in PLANS if n == "reference" or plans is None or n in plans]
    with tempfile.TemporaryDirectory(prefix="cmbkit-bench-") as temporary:
        folder = Path(temporary)
        sides = {(PLANS[n].inference.tile_size or full_network().patch_size)[0] for n in names}
        jobs = json.dumps({"tiles": sorted(sides), "with_peer": bool(peer)})
        print("converting", file=sys.stderr)
        converter = Worker(child("convert", folder, jobs))
        converter.close()
        made = converter.about
        print(
            f"{made['parameters']:,} parameters (random), converted in {made['seconds']:.0f} s, "
            f"peak {made['peak_gib']:.2f} GiB; image {SIDE}^3, brain {BRAIN}\n"
        )
        workers = {n: Worker(child("serve", folder, n)) for n in names}
        sampled = [n for n in names if PLANS[n].sampled or n in sampled]
        whole = [n for n in names if n not in sampled]
        if peer:
            script = Path(__file__).parent / "peers" / "run_monai.py"
            command = [peer, script, folder / "case.npz", folder / "network.weights.h5", 0.4]
            workers["MONAI"] = Worker(command, PYTHONPATH=os.getcwd())
            sampled.append("MONAI")
        found = measure(workers, sampled, whole, rounds)
        for worker in workers.values():
            worker.close()
        if peer:
            compare(folder)
    unit = scaled(workers["reference"].about, found["reference"])
    rows = [row(n, workers[n].about, found[n], unit, n in whole) for n in found]
    columns = ["plan", "engine", "precision", "tiles", "timed", "s", "processor s"]
    print(table([*columns, "times faster", "times fewer processor s", "peak GiB"], rows))


def measure(workers: dict, sampled: list, whole: list, rounds: int) -> dict[str, list[dict]]:
    """Answers per plan: one per round for a sampled plan, one for a whole scan."""
    found: dict[str, list[dict]] = {name: [] for name in [*sampled, *whole]}
    for name in [*sampled, *whole]:  # untimed: memory is taken, Keras traces its function
        workers[name].ask({"tile": 0})
    waiting = list(whole)
    for number in range(rounds):
        for name in sampled:
            count = workers[name].about["tiles"]
            found[name].append(workers[name].ask({"tile": number * count // rounds}))
            print(name, found[name][-1], file=sys.stderr)
        while waiting and (number + 1) / rounds >= (len(whole) - len(waiting) + 1) / len(whole):
            name = waiting.pop(0)
            found[name].append(workers[name].ask({}))
            print(name, found[name][-1], file=sys.stderr)
    return found


def scaled(about: dict, answers: list[dict]) -> dict[str, float]:
    """Seconds of a whole scan from those of single tiles: their median times the tiles."""
    tiles = about["tiles"] / about.get("per_ask", 1)
    return {key: tiles * median(a[key] for a in answers) for key in ("seconds", "processor")}


def row(name: str, about: dict, answers: list[dict], unit: dict, is_whole: bool) -> list:
    """One line of the table; ``unit``: what the reference takes."""
    if is_whole:
        spent, timed = answers[0], "whole scan"
        own, *screen = answers[0]["tiles"]
        count = f"{own} of {about['tile']}^3" + "".join(f", screen {n}" for n in screen)
    else:
        spent = scaled(about, answers)
        count = f"{about['tiles']} of {about['tile']}^3"
        number = len(answers) * about.get("per_ask", 1)
        timed = f"{number} tiles, {spent['seconds'] / about['tiles']:.2f} s each"
    seconds = [f"{spent[key]:.0f}" for key in unit]
    faster = [f"{unit[key] / spent[key]:.1f}" for key in unit]
    peak = f"{max(a['peak_gib'] for a in answers):.2f}"
    return [name, about["engine"], about["precision"], count, timed, *seconds, *faster, peak]


def compare(folder: Path) -> None:
    """Stop unless MONAI's averaged logits are those of cmbkit with weighting "mean"."""
    theirs = np.load(folder / "case.logits.npy")
    gap = float(np.abs(np.load(folder / "case.ours.npy") - 1 / (1 + np.exp(-theirs))).max())
    print(f"MONAI and cmbkit (weighting mean) on two tiles: probabilities differ by {gap:.1e}\n")
    if gap > 1e-3:
        raise SystemExit("expected the same probabilities")
