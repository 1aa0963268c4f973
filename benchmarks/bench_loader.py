"""How fast patches come, beside a TorchIO queue, and whether the small network waits for them.

    python benchmarks/bench_loader.py [--torchio PYTHON] [--rounds 3]

PYTHON is that of an environment with benchmarks/peers/loader_requirements.txt.
"""

import argparse
import json
import subprocess
import time
from itertools import chain
from pathlib import Path
from statistics import median

import numpy as np
from timing import machine, ms, table

from cmbkit.detector.losses import combined_loss
from cmbkit.detector.network import build, compile_for_training
from cmbkit.detector.sampling import SampledScan, ScanMemory
from cmbkit.detector.stream import Prefetched, epoch_batches
from cmbkit.params import Augmentation, Training, read_parameters

ROOT = Path(__file__).parents[1]
SHAPE = (200, 240, 200)
QUARTER_TURNS = dict(spatial=1, affine=1, elastic=0, scaling=0, rotation_rad=0, shear=0)
KINDS = {
    "crop and flip": Augmentation(**QUARTER_TURNS, intensity=0, blur=0),
    "full augmentation": Augmentation(),
}
CASES = [("crop and flip", 96, 60), ("full augmentation", 96, 60), ("full augmentation", 32, 300)]


class Held(ScanMemory):
    """Scans that are numbers, all in memory: what is timed is the loader, not the disk."""

    def __init__(self, n):
        super().__init__(dark=True)
        self.scans = [noise(i) for i in range(n)]

    def get(self, scan):
        return self.scans[scan]

    def holds(self, scan):
        return True


def noise(seed):
    rng = np.random.default_rng(seed)
    image = rng.standard_normal(SHAPE, np.float32).astype(np.float16)
    lesions = np.zeros(SHAPE, np.uint16)
    lesions[90:96, 110:116, 100:106] = 1
    spots = rng.uniform(20, 180, (50, 3))
    return SampledScan(
        image, lesions, np.array([1]), np.array([[92.5, 112.5, 102.5]]), -2.0, 0.5, spots
    )


def seconds_per_patch(kind, size, n, rounds, memory, workers=0):
    training = Training(augmentation=KINDS[kind], queue_patches=60)
    clock = time.perf_counter if workers else time.process_time
    times = []
    for epoch in range(rounds + 1):
        batches = epoch_batches(
            range(3), training, [size] * 3, 6, n // 6, seed=0, epoch=epoch + 1, memory=memory,
            workers=workers,
        )  # fmt: skip
        start = clock()
        for _ in batches:
            pass
        times.append((clock() - start) / n)
    return median(times[1:])


def seconds_per_step(memory, steps=25, rounds=3):
    """Gradient steps of the demo's network: with its loader, and with one batch over and over."""
    params = read_parameters(ROOT / "params/demo.yaml")
    patch, size = params.network.patch_size, params.training.pretrain.batch_size
    model = build(params.network)
    compile_for_training(model, 1e-3, combined_loss(params.training))
    epochs = chain.from_iterable(
        epoch_batches(range(3), params.training, patch, size, steps, seed=0, epoch=e, memory=memory)
        for e in range(1, 2 * rounds + 2)
    )
    fed, alone = [], []
    with Prefetched(epochs) as stream:
        same = next(stream)
        model.train_on_batch(*same)
        for _ in range(rounds):
            for times, batch in ((fed, lambda: next(stream)), (alone, lambda: same)):
                start = time.perf_counter()
                for _ in range(steps):
                    model.train_on_batch(*batch())
                times.append((time.perf_counter() - start) / steps)
    return median(fed), median(alone)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torchio")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    memory = Held(3)
    peer = {}
    if given.torchio:
        cases = [
            [kind, size, where, 60 if where == "volume" else n]
            for kind, size, n in CASES
            for where in ("volume", "patch")
        ]
        script = ROOT / "benchmarks/peers/run_loader.py"
        command = [given.torchio, script, json.dumps(cases), str(given.rounds)]
        said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        peer = {tuple(row[:3]): row[4] for row in said["found"]}
    rows = []
    for kind, size, n in CASES:
        one = seconds_per_patch(kind, size, n, given.rounds, memory)
        two = seconds_per_patch(kind, size, n, given.rounds, memory, workers=2)
        row = [kind, f"{size}^3", ms(one), f"{1 / one:.0f}", f"{1 / two:.0f}"]
        for where in ("volume", "patch"):
            theirs = peer.get((kind, size, where))
            row.append(f"{ms(theirs)} ({theirs / one:.1f}x)" if theirs else "not run")
        rows.append(row)
    columns = ["transforms", "patch", "cmbkit, per patch", "patches/s, one core"]
    columns += ["patches/s by the clock, 2 threads", "TorchIO, whole volume", "TorchIO, patch"]
    print(machine() + (f"; {said['versions']}" if peer else ""))
    print(table(columns, rows))
    fed, alone = seconds_per_step(memory)
    ratio = f"({fed / alone:.3f}x)"
    print(f"\nDemo network, s/step: {fed:.3f} with its loader, {alone:.3f} without {ratio}")


if __name__ == "__main__":
    main()
