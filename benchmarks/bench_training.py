"""A gradient step: the profiles' networks, in float32 and mixed bfloat16, beside PyTorch's.

    python benchmarks/bench_training.py [--torch PYTHON] [--rounds N] [--profiles NAME ...]

PYTHON is that of an environment with benchmarks/peers/requirements-torch.txt. All ways take a step
in turn, on the same kind of batch. What is compared: training.md.
"""

import argparse
import json
import resource
import subprocess
import time
from contextlib import ExitStack
from statistics import median

import numpy as np
from bench_loader import ROOT, Held, seconds_per_step
from timing import machine, ms, table

from cmbkit.detector.network import unet
from cmbkit.detector.network.backend import make_deterministic, use_keras
from cmbkit.detector.network.levels import levels
from cmbkit.detector.network.losses import combined_loss
from cmbkit.detector.training.steps import GradientSteps
from cmbkit.params import read_parameters

OURS = {"cmbkit, float32": "float32", "cmbkit, mixed bfloat16": "mixed_bfloat16"}
BATCH = {"thesis": 1}
"""Where the profile's is too large for three rounds."""
FED_STEPS = 20


def own_steps(params, n):
    """A function per precision that takes one step, and the number of parameters."""
    keras, found = use_keras(), {}
    rng = np.random.default_rng(0)
    images = rng.normal(size=(n, *params.network.patch_size, 1)).astype(np.float32)
    batch = images, (images[..., 0] < -2.5).astype(np.int32)
    for name, precision in OURS.items():
        keras.mixed_precision.set_global_policy(precision)
        model = unet.build(params.network, seed=1)
        steps = GradientSteps(model, 1e-3, combined_loss(params.training))
        found[name] = lambda steps=steps: steps(*batch)
    keras.mixed_precision.set_global_policy("float32")
    return found, model.count_params()


class Peer:
    """PyTorch's ways, in a process of its own."""

    def __init__(self, python, params, n):
        network, training = params.network, params.training
        given = {
            "levels": levels(network),
            "normalization": network.normalization,
            "axis": network.normalization_axis,
            "epsilon": network.normalization_epsilon,
            "slope": network.activation_slope,
            "residual": network.residual_conv_index,
            "batch": n,
            "patch": network.patch_size,
            "weights": training.cross_entropy_weights,
        }
        command = [python, ROOT / "benchmarks/peers/run_training.py", json.dumps(given)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, **pipes)
        self.about = json.loads(self.process.stdout.readline())

    def ask(self, way):
        print(way, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compared(profile, python, rounds):
    """One row per way: median seconds, patches a second, times cmbkit's float32."""
    params = read_parameters(ROOT / f"params/{profile}.yaml")
    n = BATCH.get(profile, params.training.pretrain.batch_size)
    ours, parameters = own_steps(params, n)
    with ExitStack() as stack:
        ways = {name: own_seconds(step) for name, step in ours.items()}
        if python:
            peer = Peer(python, params, n)
            stack.callback(peer.close)
            for way in peer.about["ways"]:
                ways[f"PyTorch {peer.about['torch']}, {way}"] = lambda way=way: peer.ask(way)
        clock = {name: [] for name in ways}
        for i in range(rounds + 1):
            for name, step in ways.items():
                seconds = step()
                if i:
                    clock[name].append(seconds)
    expected = parameters - moving(params)
    if python and peer.about["parameters"] != expected:
        found = peer.about["parameters"]
        raise SystemExit(f"{profile}: expected {expected} parameters in PyTorch, found {found}")
    rows, base = [], clock[next(iter(ours))]
    for name, seconds in clock.items():
        ratio = median(a / b for a, b in zip(seconds, base, strict=True))
        about = [profile, f"{parameters:,}", f"{n} of {params.network.patch_size[0]}^3", name]
        rows.append([*about, ms(median(seconds)), f"{n / median(seconds):.3g}", f"{ratio:.2f}"])
    return rows


def moving(params) -> int:
    """Running statistics, which Keras counts as parameters and PyTorch does not."""
    if params.network.normalization != "batch":
        return 0
    rows = levels(params.network)
    ups = [row["filters"][0] for row in rows if row["side"] == "decoder"]
    return 2 * (1 + sum(ups) + sum(sum(row["filters"]) for row in rows[:-1]))


def own_seconds(step):
    def timed():
        start = time.perf_counter()
        step()
        return time.perf_counter() - start

    return timed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--profiles", nargs="+", default=["demo", "compact", "thesis"])
    given = parser.parse_args()
    make_deterministic(0)
    rows = []
    for profile in given.profiles:
        rows += compared(profile, given.torch, 3 if profile == "thesis" else given.rounds)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{profile}: peak memory of this process so far {peak:.2f} GB", flush=True)
    head = ["network", "parameters", "batch", "way", "step", "patches/s", "times the first"]
    print(machine())
    print(table(head, rows))
    rows = []
    for profile in given.profiles:
        if profile != "thesis":
            found = seconds_per_step(profile, Held(3), FED_STEPS)
            rows.append([profile, *(ms(found[name]) for name in ("alone", "fed", "waits"))])
    print(table(["network", "step alone", "with its loader", "of it waiting"], rows))


if __name__ == "__main__":
    main()
