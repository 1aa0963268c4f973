"""Matching and metrics beside picai_eval and panoptica: same answers, and how fast.

    python benchmarks/bench_evaluation.py --peers-python PEERS/bin/python [--pairs 200] [--picai]

PEERS is an environment with benchmarks/peers/requirements.txt. Peers and cmbkit run in turns,
each in a fresh process, so that a busy machine slows all of them; medians and their ratios are
printed. Without --peers-python, cmbkit alone is timed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

PEERS = Path(__file__).parent / "peers"
sys.path.insert(0, str(PEERS))

from scenes import large_pair, small_pair  # noqa: E402

from cmbkit.evaluation.instances import from_mask  # noqa: E402
from cmbkit.evaluation.scan import evaluate_scan  # noqa: E402
from cmbkit.params import Evaluation  # noqa: E402

WHO = {"uid": "x", "dataset": "x", "patient": "x"}


def ours(truth, said, assignment="greedy", matching="overlap"):
    """TP, FP, FN, mean Dice of TPs, Dice of the whole scan."""
    params = Evaluation(matching=matching, assignment=assignment)
    sides = from_mask(truth, 1.0, 26), from_mask(said, 1.0, 26)
    row = evaluate_scan(*sides, **WHO, params=params)[1]
    return [row["tp"], row["fp"], row["fn"], row["dice_tp"], row["dice_scan"]]


def seconds(repeats=3):
    """Median wall and CPU time of components, matching and metrics of the large pair."""
    truth, said = large_pair()
    taken = []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        ours(truth, said, matching="distance")
        taken.append((time.perf_counter() - start, time.process_time() - used))
    return [statistics.median(times) for times in zip(*taken, strict=True)]


def peers(python, *options):
    command = [python, "run_peers.py", *options]
    done = subprocess.run(command, cwd=PEERS, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def same(first, second):
    """Whether two Dice agree, nothing (None or NaN) being the same as nothing."""
    first, second = (np.nan if value is None else value for value in (first, second))
    return bool(np.isclose(first, second, atol=1e-6, equal_nan=True))


def compare(python, n_pairs):
    """Print on how many pairs the counts and Dice agree, and where they do not."""
    report = peers(python, "--pairs", str(n_pairs))["pairs"]
    for name, assignment in (
        ("panoptica greedy", "greedy"),
        ("panoptica optimal", "optimal"),
        ("picai_eval", "optimal"),
    ):
        counts, dices, whole, odd = 0, 0, 0, []
        for seed, found in enumerate(report):
            truth, said = small_pair(seed)
            own, theirs = ours(truth, said, assignment), found[name]
            counts += own[:3] == theirs[:3]
            if own[:3] != theirs[:3]:
                odd.append(f"seed {seed}: {own[:3]} against {theirs[:3]}")
            if len(theirs) > 3:
                dices += same(own[3], theirs[3])
                whole += same(own[4], theirs[4]) or not (truth.any() or said.any())
        line = f"{name} against {assignment}: TP/FP/FN agree on {counts} of {len(report)}"
        if name != "picai_eval":
            line += f", Dice of TPs on {dices}, Dice of the scan on {whole}"
        print(line, *odd, sep="\n  ")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers-python")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--picai", action="store_true", help="time picai_eval too (a minute)")
    options = parser.parse_args()
    if not options.peers_python:
        print("cmbkit, 400^3 pair with 20 lesions: {:.3f} s, CPU {:.3f} s".format(*seconds()))
        return
    if options.pairs:
        compare(options.peers_python, options.pairs)
    taken = {"cmbkit": [], "panoptica": [], "picai_eval": []}
    for turn in range(options.repeats):
        taken["cmbkit"].append(seconds())
        taken["panoptica"].append(peers(options.peers_python, "--time", "panoptica")["seconds"])
        if options.picai and turn == 0:
            taken["picai_eval"].append(peers(options.peers_python, "--time", "picai")["seconds"])
            taken["cmbkit"].append(seconds())
    own = [statistics.median(times) for times in zip(*taken["cmbkit"], strict=True)]
    for name, times in taken.items():
        if times:
            wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
            print(
                f"{name}: {wall:.2f} s, CPU {cpu:.2f} s; {wall / own[0]:.1f} and "
                f"{cpu / own[1]:.1f} times cmbkit"
            )


if __name__ == "__main__":
    main()
