"""A gradient step with the normalisation of the package, and with Keras's own.

    python benchmarks/bench_training.py [--rounds N]

Same data and start in one process, the two steps in turn. What is compared: training.md.
"""

import argparse
import resource
import time
from statistics import median

import numpy as np
from bench_loader import ROOT
from timing import machine, ms, table

from cmbkit.detector.network import unet
from cmbkit.detector.network.backend import make_deterministic, use_keras
from cmbkit.detector.network.losses import combined_loss
from cmbkit.detector.training.steps import GradientSteps
from cmbkit.params import read_parameters

KINDS = {
    "Keras's": lambda: use_keras().layers.BatchNormalization,
    "fused": unet.batch_normalization,
}


def gradient_steps(params, kind):
    unet.batch_normalization = KINDS[kind]
    return GradientSteps(unet.build(params.network, seed=1), 1e-3, combined_loss(params.training))


def batch(params):
    rng = np.random.default_rng(0)
    shape = params.training.pretrain.batch_size, *params.network.patch_size
    images = rng.normal(size=(*shape, 1)).astype(np.float32)
    return images, (images[..., 0] < -2.5).astype(np.int32)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    make_deterministic(0)
    params = read_parameters(ROOT / "params/compact.yaml")
    images, masks = batch(params)
    rows, cases = [], {kind: gradient_steps(params, kind) for kind in KINDS}
    clock, cores = {kind: [] for kind in KINDS}, {kind: [] for kind in KINDS}
    for i in range(given.rounds + 2):
        for kind, step in cases.items():
            started, spent = time.perf_counter(), time.process_time()
            step(images, masks)
            if i >= 2:
                clock[kind].append(time.perf_counter() - started)
                cores[kind].append(time.process_time() - spent)
    for kind in KINDS:
        rate = len(images) / median(clock[kind])
        rows.append([kind, ms(median(clock[kind])), ms(median(cores[kind])), f"{rate:.1f}"])
    before, after = KINDS
    for name, found in (("clock", clock), ("processor", cores)):
        ratios = [a / b for a, b in zip(found[before], found[after], strict=True)]
        print(f"{before} / {after}, {name}: {median(ratios):.3f}, {np.round(ratios, 2).tolist()}")
    print(machine())
    print(table(["normalisation", "step, clock", "step, processor", "patches/s"], rows))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory of the process: {peak:.2f} GB")


if __name__ == "__main__":
    main()
