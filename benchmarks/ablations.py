"""Does one way of training detect better than another, or was it the seed?

    python benchmarks/ablations.py [--claims NAME ...] [--seeds 5]

Trains each arm of the claims with several seeds on the demo's scans (not those that ablations.csv
has: remove its rows to train them anew, as after a change of the training), takes for every network
the pair of threshold and smallest size with the highest F1 on the validation scans, and counts on
the test scans. The two arms of a claim are compared as two methods that several readers used on the
same patients: seeds are the readers, both they and the patients are drawn at random
(`cmbkit.evaluation.multireader`). Writes ablations.csv, one row per arm, seed and scan, after each
network, and ablations.md in the end, of the claims whose arms have equally many seeds, two or more.

The rule, from before the first training: a claim is confirmed if p < 0.05 by that test of pooled
F1 over all test scans, corrected after Holm for the claims (not for the null comparison).
"""

from __future__ import annotations

import argparse
import os
import shlex
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import Manager, get_context
from pathlib import Path

import numpy as np
import pandas as pd
from timing import table

from cmbkit.atomic import write_whole
from cmbkit.evaluation.hypotheses import holm
from cmbkit.evaluation.metrics import aggregate
from cmbkit.evaluation.multireader import jackknife_covariance, obuchowski_rockette
from cmbkit.study import Study

HERE = Path(__file__).parent
ROWS = HERE / "ablations.csv"
PARAMS = Path("params/demo.yaml")
ANALYSIS = "random readers, random patients"


@dataclass(frozen=True)
class Arm:
    """A way of training: model of the study, what replaces parts of its ``training``."""

    model: str = "scratch"
    changes: dict = field(default_factory=dict)
    first_seed: int = 1


ARMS = {
    "scratch": Arm(),
    "scratch, other seeds": Arm(first_seed=101),
    "transfer": Arm("tl"),
    "no false alarms": Arm(changes={"finetune": {"false_alarms": 0}}),
    "no thick slices": Arm(changes={"augmentation": {"thick_slices": 0}}),
}
CLAIMS = {
    "null": ("scratch", "scratch, other seeds"),
    "transfer": ("transfer", "scratch"),
    "false alarms": ("scratch", "no false alarms"),
    "thick slices": ("scratch", "no thick slices"),
}
"""Name of a claim: the arm that is said to be better, the one that it is compared with."""


def counted(arm: str, number: int) -> pd.DataFrame:
    """Counts of one network on the test scans, at its own operating point."""
    from cmbkit.study.operating import scan_counts

    way = ARMS[arm]
    seed = way.first_seed + number
    own = {"networks": "train", "models": [way.model], "seed": seed}
    study = Study.read(PARAMS, training={**own, **way.changes})
    model, cohort = way.model, study.cohort.table.set_index("uid")
    points = study.results.operating_points(model)
    best = points.loc[points["f1"].fillna(0).idxmax()]
    pair = {"threshold": best["threshold"], "minimum_voxels": int(best["minimum_voxels"])}
    inference = type(study.params.inference)
    point = inference.model_validate({**study.params.inference.model_dump(), **pair})
    rows = []
    for scan, folder in zip(study.results.scans, study.results.logit_maps(model), strict=True):
        uid = scan.scan.uid
        if cohort.loc[uid, "split"] == "test":
            counts = scan_counts(scan, folder, [point], study.params.evaluation).iloc[0]
            who = {"uid": uid, "dataset": scan.scan.dataset, "patient": scan.scan.patient}
            rows.append({"arm": arm, "seed": seed, **who, **counts, **pair})
    return pd.DataFrame(rows)


def on_a_core(free, *job) -> pd.DataFrame:
    """What `counted` gives, made on one of the free cores.

    As many networks at once as there are cores need about three quarters of the time of one after
    the other.
    """
    core = free.get()
    os.sched_setaffinity(0, {core})
    try:
        return counted(*job)
    finally:
        free.put(core)


def compared(rows: pd.DataFrame, first: str, second: str) -> dict:
    """F1 of two arms, their difference with interval, and the test over seeds and patients."""
    figures, without = [], []
    for arm in (first, second):
        own = rows[rows["arm"] == arm]
        pairs = [f1_with_one_left_out(scans) for _, scans in own.groupby("seed")]
        figures.append([f1 for f1, _ in pairs])
        without.append([left for _, left in pairs])
    test = obuchowski_rockette(figures, jackknife_covariance(without)).loc[ANALYSIS]
    apart = np.subtract(*figures)
    return {
        "first": np.mean(figures[0]),
        "second": np.mean(figures[1]),
        "sd_first": np.std(figures[0], ddof=1),
        "sd_second": np.std(figures[1], ddof=1),
        "difference": apart.mean(),
        "low": apart.mean() - test["half"],
        "high": apart.mean() + test["half"],
        "better": int((apart > 0).sum()),
        "seeds": len(apart),
        "p_value": test["p_value"],
    }


def f1_with_one_left_out(scans: pd.DataFrame) -> tuple[float, np.ndarray]:
    """Pooled F1 of a network's test scans, and with each patient left out (in their order)."""
    codes, patients = pd.factorize(scans["dataset"] + "/" + scans["patient"], sort=True)
    weights = np.vstack([np.ones(len(scans)), codes != np.arange(len(patients))[:, None]])
    f1 = aggregate(scans, weights)["pooled_f1"]
    return f1[0], f1[1:]


def ledger(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per claim and set of test scans: "all" decides, each dataset's is told."""
    found, seeds = [], rows.groupby("arm")["seed"].nunique()
    for claim, arms in CLAIMS.items():
        first, second = (seeds.get(arm, 0) for arm in arms)
        if first != second or first < 2:
            print(f"{claim}: left out, its arms have {first} and {second} seeds")
            continue
        for scans in ("all", *sorted(rows["dataset"].unique())):
            part = rows if scans == "all" else rows[rows["dataset"] == scans]
            found.append({"claim": claim, "scans": scans, **compared(part, *arms)})
    made = pd.DataFrame(found)
    judged = (made["scans"] == "all") & (made["claim"] != "null")
    made["corrected"] = made["p_value"].where(made["scans"] == "all")
    made.loc[judged, "corrected"] = holm(made.loc[judged, "p_value"])
    return made


def page(made: pd.DataFrame, rows: pd.DataFrame) -> str:
    """The ledger as Markdown."""
    lines = []
    for _, row in made.iterrows():
        first, second = CLAIMS[row["claim"]]
        decided = "confirmed" if row["corrected"] < 0.05 and row["difference"] > 0 else (
            "not confirmed")  # fmt: skip
        lines.append([
            row["claim"], f"{first} - {second}", row["scans"],
            f"{row['first']:.3f} ({row['sd_first']:.3f})",
            f"{row['second']:.3f} ({row['sd_second']:.3f})",
            f"{row['difference']:+.3f} [{row['low']:+.2f}, {row['high']:+.2f}]",
            f"{row['better']} of {row['seeds']}", f"{row['p_value']:.3f}",
            decided if row["scans"] == "all" else "",
        ])  # fmt: skip
    head = ["claim", "arms", "test scans", "F1 (SD over seeds)", "F1 of the other",
            "difference", "seeds better", "p", "verdict"]  # fmt: skip
    scans = rows.drop_duplicates("uid").groupby("dataset").size()
    sizes = ", ".join(f"{n} {name}-like" for name, n in scans.items())
    claims = shlex.join(made["claim"].unique())
    training = Study.read(PARAMS).params.training
    phases = (training.pretrain, training.finetune)
    steps = " + ".join(str(phase.epochs * phase.steps_per_epoch) for phase in phases)
    return f"""# Ways of training, over seeds

`python benchmarks/ablations.py --claims {claims}`: the demo's synthetic cohort ({sizes}
test scans), its settings and its steps ({steps} of each network); arms differ by the one thing
named. Each network at its own best pair of threshold and smallest size on the validation scans.
Seeds are readers, patients are cases (Obuchowski and Rockette, both at random); 95 % intervals.
Decided before the first training: confirmed if p < 0.05 on all test scans, after Holm's correction
for the claims. The null comparison, the same training with other seeds, should not be confirmed.

{table(head, lines)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--claims", nargs="+", choices=CLAIMS, default=list(CLAIMS))
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    rows = pd.read_csv(ROWS) if ROWS.exists() else pd.DataFrame(columns=["arm", "seed"])
    arms = dict.fromkeys(arm for claim in given.claims for arm in CLAIMS[claim])
    there = set(zip(rows["arm"], rows["seed"], strict=True))
    jobs = [(arm, number) for number in range(given.seeds) for arm in arms]
    jobs = [job for job in jobs if (job[0], ARMS[job[0]].first_seed + job[1]) not in there]
    cores = sorted(os.sched_getaffinity(0))
    pool = ProcessPoolExecutor(len(cores), get_context("spawn"), max_tasks_per_child=1)
    with Manager() as manager, pool:
        free = manager.Queue()
        for core in cores:
            free.put(core)
        for done in as_completed([pool.submit(on_a_core, free, *job) for job in jobs]):
            found = done.result()
            print(found.groupby(["arm", "seed"])[["tp", "fp", "fn"]].sum(), flush=True)
            rows = pd.concat([rows, found], ignore_index=True)
            rows = rows.sort_values(["arm", "seed", "uid"], kind="stable", ignore_index=True)
            write_whole(ROWS, rows.to_csv(index=False))
    (HERE / "ablations.md").write_text(page(ledger(rows), rows), encoding="utf-8")


if __name__ == "__main__":
    main()
