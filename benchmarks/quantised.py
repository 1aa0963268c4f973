"""int8 for the shipped compact network: agreement with float32 and time, on synthetic scans."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from agreement import Agreement
from timing import table

from cmbkit import phantom
from cmbkit.datasets.registry import read_dataset
from cmbkit.detector.inference.candidates import candidates
from cmbkit.detector.inference.stored import StoredNetwork
from cmbkit.detector.inference.tiled import Predictor, planned_starts, predict_probability
from cmbkit.detector.network.unet import logits_model
from cmbkit.detector.network.weights import read_weights
from cmbkit.params import Inference
from cmbkit.preprocessing.pipeline import Prepared, prepare

DATASET, SCANS, SEED = "DOU", 4, 77  # the first scan calibrates
CALIBRATION_TILES = 300


@dataclass(frozen=True)
class Variant:
    """A converted network and the number format of what is not quantised in it."""

    file: str
    precision: str


VARIANTS = {
    "float32": Variant("float", "float32"),
    "bfloat16": Variant("float", "bfloat16"),
    "int8, else float32": Variant("int8", "float32"),
    "int8, else bfloat16": Variant("int8", "bfloat16"),
    "int8 but for first and last, else float32": Variant("int8-mixed", "float32"),
    "int8 but for first and last, else bfloat16": Variant("int8-mixed", "bfloat16"),
}


def synthetic_scans(folder: Path, preprocessing, which: list[int]) -> list[Prepared]:
    """Scans of the phantom on the network's grid; not those that the demo trains or tests on."""
    phantom.build(DATASET, SCANS, SEED, folder)
    scans = read_dataset(DATASET, folder)
    params = preprocessing.model_copy(update={"brain_mask": "stand-in"})
    return [prepare(scans[number], params) for number in which]


def calibration_tiles(done: Prepared, inference: Inference, tile) -> np.ndarray:
    """Tiles of one scan, shape (n, x, y, z, 1): drawn at random from those that hold brain."""
    starts = planned_starts(inference, tile, done.image.shape, done.brain.data)
    chosen = np.random.default_rng(SEED).permutation(starts)[:CALIBRATION_TILES]
    cuts = [tuple(slice(s, s + t) for s, t in zip(c, tile, strict=True)) for c in chosen]
    return np.stack([done.image.data[cut] for cut in cuts]).astype(np.float32)[..., None]


def predictors(peer: str, folder: Path, weights, calibrating: Prepared) -> dict[str, Predictor]:
    """One per variant; the peer quantises."""
    network, inference = weights.description.network, weights.description.inference
    tile = network.patch_size
    path = folder / "float.xml"
    logits_model(weights.model).export(str(path), format="openvino", verbose=False)
    np.savez(folder / "tiles.npz", tiles=calibration_tiles(calibrating, inference, tile))
    script = Path(__file__).parent / "peers" / "quantise.py"
    command = [peer, script, path, folder / "tiles.npz", folder]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return {
        name: Predictor(
            StoredNetwork(folder / f"{variant.file}.xml", tile),
            inference.model_copy(update={"engine": "openvino", "precision": variant.precision}),
        )
        for name, variant in VARIANTS.items()
    }


def run(peer: str, scans: int, rounds: int) -> None:
    """Print the gate and the times: each variant against float32, on ``scans`` scans."""
    weights = read_weights("compact")
    operating = weights.description.inference
    points = {
        f"{p:g}, {n}": operating.model_copy(
            update={"threshold": p, "minimum_voxels": n, "drop_outside_brain_labels": False}
        )
        for p, n in ((operating.threshold, operating.minimum_voxels), (0.5, 1))
    }
    results = {point: {name: Agreement() for name in VARIANTS} for point in points}
    seconds: dict[str, list] = {name: [] for name in VARIANTS}
    gaps = dict.fromkeys(VARIANTS, 0.0)
    with tempfile.TemporaryDirectory(prefix="cmbkit-int8-") as temporary:
        folder = Path(temporary)
        preprocessing = weights.description.preprocessing
        which = list(range(scans + 1))
        calibrating, *looked_at = synthetic_scans(folder / "dou", preprocessing, which)
        ready = predictors(peer, folder, weights, calibrating)
        for done in looked_at:
            maps = timed_maps(ready, done, rounds, seconds)
            reference = {
                point: candidates(maps["float32"], None, done.image.spacing, params)[0]
                for point, params in points.items()
            }
            for name, found in maps.items():
                gaps[name] = max(gaps[name], float(np.abs(found - maps["float32"]).max()))
                for point, params in points.items():
                    mask = candidates(found, None, done.image.spacing, params)[0]
                    results[point][name].add(
                        done.lesions.data, reference[point], mask, done.image.spacing
                    )
            print(f"{done.image.shape}: {maps.keys()}", file=sys.stderr)
    print(
        table(
            ["variant", "s", "processor s", "largest difference of a probability"]
            + [f"{what} ({point})" for point in points for what in ("Dice", "matched", "changed")],
            [
                [name, *(f"{median(s):.2f}" for s in zip(*seconds[name], strict=True)),
                 f"{gaps[name]:.3f}", *told(results, name)]
                for name in VARIANTS
            ],
        )
    )  # fmt: skip


def told(results: dict, name: str) -> list[str]:
    """Cells of one variant: Dice, matched candidates and changed calls at each point."""
    cells = []
    for of_point in results.values():
        a = of_point[name]
        cells += [f"{a.dice:.4f}", f"{a.matched} of {a.of_reference}", str(a.changed_calls)]
    return cells


def timed_maps(ready: dict, done: Prepared, rounds: int, seconds: dict) -> dict[str, np.ndarray]:
    """Probability map of each variant; ``seconds`` gets a pair (clock, processor) per round."""
    background = float(done.record["background_value"])
    maps = {}
    for number in range(rounds + 1):
        for name, predictor in ready.items():
            start, used = time.perf_counter(), time.process_time()
            maps[name] = predict_probability(
                predictor, done.image.data, brain=done.brain.data, background=background
            )
            spent = (time.perf_counter() - start, time.process_time() - used)
            if number:
                seconds[name].append(spent)
    return maps
