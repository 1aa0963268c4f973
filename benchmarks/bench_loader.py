"""How fast patches come, beside a TorchIO queue, and whether the small network waits for them.

    python benchmarks/bench_loader.py [--torchio PYTHON] [--short]

PYTHON is that of an environment with benchmarks/peers/loader_requirements.txt. ``--short`` takes
a tenth of the patches and steps, to see that all of it runs. What is compared: loader.md.
"""

import argparse
import json
import subprocess
import time
from collections import deque
from itertools import chain
from pathlib import Path
from statistics import median

import numpy as np
from timing import machine, ms, table

from cmbkit.detector.network.losses import combined_loss
from cmbkit.detector.network.unet import build
from cmbkit.detector.patches.sampling import SampledScan, ScanMemory
from cmbkit.detector.patches.stream import epoch_batches, prefetched
from cmbkit.detector.training.steps import GradientSteps
from cmbkit.params import Augmentation, Training, read_parameters

ROOT = Path(__file__).parents[1]
SHAPE, BATCH, PER_VISIT = (200, 240, 200), 6, 30
QUARTER_TURNS = dict(spatial=1, affine=1, elastic=0, scaling=0, rotation_rad=0, shear=0)
KINDS = {
    "quarter turns": Augmentation(**QUARTER_TURNS, intensity=0, blur=0),
    "full augmentation": Augmentation(shear=0),
}
CASES = [("quarter turns", 96), ("full augmentation", 96), ("full augmentation", 32)]
PATCHES = {96: 600, 32: 1800}
PEER_PATCHES = {"volume": 1200, "patch": 300}
PROFILES = ("demo", "compact")


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
    image = rng.standard_normal(SHAPE, np.float32)
    lesions = np.zeros(SHAPE, np.uint16)
    lesions[90:96, 110:116, 100:106] = 1
    return SampledScan(
        image=image.astype(np.float16),
        lesions=lesions,
        ids=np.array([1]),
        centres=np.array([[92.5, 112.5, 102.5]]),
        background=-2.0,
        spacing_mm=0.5,
        dark=rng.uniform(20, 180, (50, 3)),
        intensity_range=(float(image.min()), float(image.max())),
    )


def seconds_per_patch(kind, size, n, memory):
    """Processor time of ``n`` patches after a first few."""
    training = Training(augmentation=KINDS[kind], patches_per_scan=PER_VISIT, queue_patches=60)
    first, steps = 60 // BATCH, n // BATCH
    batches = epoch_batches(
        range(3), training, [size] * 3, BATCH, first + steps, seed=0, epoch=1, memory=memory
    )  # fmt: skip
    for _ in range(first):
        next(batches)
    start = time.process_time()
    images, masks = deque(batches, maxlen=1).pop()
    assert images.shape[:-1] == masks.shape == (BATCH, size, size, size)
    return (time.process_time() - start) / n


def seconds_per_step(profile, memory, steps, rounds=3):
    """A profile's training: seconds per batch of its loader alone, and of its gradient steps.

    Returns
    -------
    dict
        ``loader``: processor time of a batch, one thread; ``alone``: a step with one batch over
        and over, ``fed``: with the loader in its thread as in `cmbkit.detector.training.phase`,
        ``waits``: the part of it in which the network waits for the batch; by the clock.
    """
    params = read_parameters(ROOT / f"params/{profile}.yaml")
    training, patch = params.training, params.network.patch_size
    model = build(params.network)
    step = GradientSteps(model, 1e-3, combined_loss(training))

    def epochs():
        return chain.from_iterable(
            epoch_batches(
                range(3), training, patch, training.pretrain.batch_size, steps, seed=0,
                epoch=epoch, memory=memory,
            )
            for epoch in range(1, rounds + 2)
        )  # fmt: skip

    source = epochs()
    same = next(source)
    step(*same)
    start = time.process_time()
    for _ in range(steps):
        next(source)
    found = {"loader": (time.process_time() - start) / steps}
    alone, fed, waits = [], [], []
    with prefetched(epochs()) as stream:
        for _ in range(rounds):
            start = time.perf_counter()
            for _ in range(steps):
                step(*same)
            alone.append((time.perf_counter() - start) / steps)
            start, waited = time.perf_counter(), 0.0
            for _ in range(steps):
                asked = time.perf_counter()
                batch = next(stream)
                waited += time.perf_counter() - asked
                step(*batch)
            fed.append((time.perf_counter() - start) / steps)
            waits.append(waited / steps)
    return found | {"alone": median(alone), "fed": median(fed), "waits": median(waits)}


def peer_seconds(python, share):
    """Versions, and processor seconds per patch by kind, size and where transforms act."""
    cases = [
        [kind, size, where, int(n * share)]
        for kind, size in CASES
        for where, n in PEER_PATCHES.items()
    ]
    command = [python, ROOT / "benchmarks/peers/run_loader.py", json.dumps(cases)]
    said = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return said["versions"], {tuple(row[:3]): row[4] for row in said["found"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torchio")
    parser.add_argument("--short", action="store_true")
    given = parser.parse_args()
    share = 0.1 if given.short else 1
    memory = Held(3)
    versions, peer = peer_seconds(given.torchio, share) if given.torchio else ("", {})
    rows = []
    for kind, size in CASES:
        n = int(PATCHES[size] * share)
        one = seconds_per_patch(kind, size, n, memory)
        row = [kind, f"{size}^3", ms(one), f"{1 / one:.0f}"]
        for where in PEER_PATCHES:
            theirs = peer.get((kind, size, where))
            row.append(f"{ms(theirs)} ({theirs / one:.1f}x)" if theirs else "not run")
        rows.append(row)
    columns = ["transforms", "patch", "cmbkit, per patch", "patches/s, one core"]
    columns += ["TorchIO, whole volume", "TorchIO, patch"]
    print(machine() + (f"; {versions}" if peer else "") + "\n")
    print(table(columns, rows) + "\n")
    rows = []
    for profile in PROFILES:
        found = seconds_per_step(profile, memory, int(60 * share))
        waits = f"{ms(found['waits'])} ({found['waits'] / found['fed']:.1%})"
        rows.append([profile, *(ms(found[name]) for name in ("loader", "alone", "fed")), waits])
    columns = ["network", "loader alone, per batch", "step alone", "step with its loader"]
    print(table([*columns, "of it waiting"], rows))


if __name__ == "__main__":
    main()
