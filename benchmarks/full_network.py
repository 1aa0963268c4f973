"""The full network (params/thesis.yaml) on one whole scan: time and memory of each setting.

Each setting runs in a process of its own, so that its peak memory is its own, and all of them are
asked in turn for single tiles, spread over the scan. ``bench_inference.py full`` prints the
table; the weights are random, which says nothing of agreement and changes nothing in the time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from scipy import ndimage
from timing import table

from cmbkit.detector.inference.engines import engine_from, keep
from cmbkit.detector.inference.tiled import Predictor, predict_logits
from cmbkit.detector.inference.tiles import holds_any, tile_starts
from cmbkit.detector.network.unet import build
from cmbkit.params import Inference, Network, read_parameters

SIDE, BRAIN = 400, (280, 340, 280)
SPACING_MM = 0.5
BALLS = ((200, 150, 200), (120, 210, 190), (260, 240, 170), (230, 290, 230), (170, 200, 280))
SEED = 1
PAIR = (153, 96, 96)  # two tiles at overlap 0.4


SETTINGS = {
    "reference": Inference(
        skip_outside_brain=False, engine="keras", precision="float32", batch_size=1
    ),
    "skip": Inference(engine="openvino", precision="float32", batch_size=1),
    "skip bfloat16": Inference(engine="openvino", batch_size=1),
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


def kept(folder: Path, build_it=None) -> Path:
    """The network as `cmbkit predict` keeps it for OpenVINO in its cache."""
    os.environ["XDG_CACHE_HOME"] = str(folder)
    return keep("0" * 64, full_network(), SETTINGS["skip"], build_it)


def convert(folder: Path, with_peer: bool) -> dict:
    """Convert the network for OpenVINO, and write what the peer needs."""
    network, start = full_network(), time.perf_counter()
    model = build(network, seed=SEED)
    kept(folder, lambda: model)
    if with_peer:
        image = np.random.default_rng(5).normal(size=PAIR).astype(np.float32)
        np.savez(folder / "case.npz", image=image, network=network.model_dump_json())
        model.save_weights(folder / "network.weights.h5")
        params = Inference(engine="keras", weighting="mean", batch_size=1)
        ours = predict_logits(Predictor.of(model, params), image, background=0.0)
        np.save(folder / "case.ours.npy", ours)
    return {
        "parameters": model.count_params(),
        "seconds": time.perf_counter() - start,
        "peak_gib": peak_gib(),
    }


def set_up(params: Inference, folder: Path) -> Predictor:
    """The network on Keras, or as it was converted."""
    if params.engine == "keras":
        return Predictor.of(build(full_network(), seed=SEED), params)
    return Predictor(engine_from(kept(folder), params), params)


def serve(name: str, folder: Path) -> None:
    """Answer jobs, one line of JSON each: ``{"tile": n}`` of the setting's tiles."""
    params = SETTINGS[name]
    predictor = set_up(params, folder)
    image, brain, _ = drawn_scan()
    starts = tile_starts(image.shape, predictor.tile, params.overlap)
    if params.skip_outside_brain:
        starts = starts[holds_any(brain, starts, predictor.tile)]
    engine = predictor.engine
    answer = {"tiles": len(starts), "tile": predictor.tile[0]}
    say({**answer, "engine": engine.name, "precision": engine.precision})
    for line in sys.stdin:
        first = starts[json.loads(line)["tile"] % len(starts)]
        start, used = time.perf_counter(), time.process_time()
        cut = tuple(slice(s, s + t) for s, t in zip(first, predictor.tile, strict=True))
        predictor.evidence(image[cut][None])
        spent = {"seconds": time.perf_counter() - start, "processor": time.process_time() - used}
        say({**spent, "peak_gib": peak_gib()})


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


def run(rounds: int, peer: str | None) -> None:
    """Time the settings, one tile of each (and of the peer) per round, and print the table."""
    with tempfile.TemporaryDirectory(prefix="cmbkit-bench-") as temporary:
        folder = Path(temporary)
        print("converting", file=sys.stderr)
        converter = Worker(child("convert", folder, json.dumps({"with_peer": bool(peer)})))
        converter.close()
        made = converter.about
        print(
            f"{made['parameters']:,} parameters (random), converted in {made['seconds']:.0f} s, "
            f"peak {made['peak_gib']:.2f} GiB; image {SIDE}^3, brain {BRAIN}\n"
        )
        workers = {name: Worker(child("serve", folder, name)) for name in SETTINGS}
        if peer:
            script = Path(__file__).parent / "peers" / "run_monai.py"
            command = [peer, script, folder / "case.npz", folder / "network.weights.h5", 0.4]
            workers["MONAI"] = Worker(command, PYTHONPATH=os.getcwd())
        found = measure(workers, rounds)
        for worker in workers.values():
            worker.close()
        if peer:
            compare(folder)
    unit = scaled(workers["reference"].about, found["reference"])
    rows = [row(name, workers[name].about, found[name], unit) for name in found]
    columns = ["setting", "engine", "precision", "tiles", "timed", "s", "processor s"]
    print(table([*columns, "times faster", "times fewer processor s", "peak GiB"], rows))


def measure(workers: dict, rounds: int) -> dict[str, list[dict]]:
    """Answers per setting, one per round."""
    for worker in workers.values():  # untimed: memory is taken, Keras traces its function
        worker.ask({"tile": 0})
    found: dict[str, list[dict]] = {name: [] for name in workers}
    for number in range(rounds):
        for name, worker in workers.items():
            found[name].append(worker.ask({"tile": number * worker.about["tiles"] // rounds}))
            print(name, found[name][-1], file=sys.stderr)
    return found


def scaled(about: dict, answers: list[dict]) -> dict[str, float]:
    """Seconds of a whole scan from those of single tiles: their median times the tiles."""
    tiles = about["tiles"] / about.get("per_ask", 1)
    return {key: tiles * median(a[key] for a in answers) for key in ("seconds", "processor")}


def row(name: str, about: dict, answers: list[dict], unit: dict) -> list:
    """One line of the table; ``unit``: what the reference takes."""
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
