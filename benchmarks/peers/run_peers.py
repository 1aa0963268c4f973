"""What picai_eval and panoptica say about the scenes, and how long they take (JSON to stdout).

Run in an environment with requirements.txt; bench_evaluation.py does so.
"""

import argparse
import contextlib
import io
import json
import logging
import sys
import time

import numpy as np
from panoptica import InputType, Panoptica_Evaluator
from panoptica.instance_approximator import ConnectedComponentsInstanceApproximator
from panoptica.instance_matcher import MaxBipartiteMatching, NaiveThresholdMatching
from panoptica.metrics import Metric
from picai_eval.eval import evaluate_case
from scenes import large_pair, small_pair

# Far below one shared voxel, far above the 1e-8 that picai_eval adds to both terms of its ratio.
TINY = 1e-5


def panoptica(truth, said, matcher):
    """TP, FP, FN, mean Dice of TPs and Dice of the whole scan."""
    evaluator = Panoptica_Evaluator(
        expected_input=InputType.SEMANTIC,
        instance_approximator=ConnectedComponentsInstanceApproximator(),
        instance_matcher=matcher(matching_metric=Metric.IOU, matching_threshold=TINY),
        instance_metrics=[Metric.DSC],
        global_metrics=[Metric.DSC],
    )
    result = evaluator.evaluate(said, truth)["ungrouped"]
    dice = float(result.sq_dsc) if result.tp else None
    return [int(result.tp), int(result.fp), int(result.fn), dice, float(result.global_bin_dsc)]


def picai(truth, said):
    """TP, FP, FN."""
    calls = evaluate_case(
        said.astype(np.float32), truth.astype(np.int32), min_overlap=TINY,
        allow_unmatched_candidates_with_minimal_overlap=False,
    )[0]  # fmt: skip
    tp = sum(1 for lesion, score, _ in calls if lesion and score > 0)
    fp = sum(1 for lesion, _, _ in calls if not lesion)
    fn = sum(1 for lesion, score, _ in calls if lesion and score == 0)
    return [tp, fp, fn]


def timed(function, *arguments):
    start, used = time.perf_counter(), time.process_time()
    result = function(*arguments)
    return [time.perf_counter() - start, time.process_time() - used], result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--time", choices=["panoptica", "picai"])
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    report = {}
    with contextlib.redirect_stdout(io.StringIO()):
        if options.pairs:
            report["pairs"] = [
                {
                    "panoptica greedy": panoptica(*small_pair(seed), NaiveThresholdMatching),
                    "panoptica optimal": panoptica(*small_pair(seed), MaxBipartiteMatching),
                    "picai_eval": picai(*small_pair(seed)),
                }
                for seed in range(options.pairs)
            ]
        if options.time == "panoptica":
            panoptica(*small_pair(0), NaiveThresholdMatching)
            report["seconds"], report["found"] = timed(
                panoptica, *large_pair(), NaiveThresholdMatching
            )
        if options.time == "picai":
            report["seconds"], report["found"] = timed(picai, *large_pair())
    print()
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
