"""How often the package's 95 % intervals hold the truth, beside the percentile bootstrap's.

    python benchmarks/interval_coverage.py    # three minutes; also makes evaluation/coverage.csv

Three detectors on simulated cohorts: a fifth of the patients has no microbleed, the others one and
more (negative binomial, a few have dozens); a patient's microbleeds share a chance of being found
(beta, correlation `World.alike`); false positives are negative binomial. Truth: the same averages
of 400,000 patients. All cohorts of one size are computed at once. Without the bootstrap: other
differences, Dice (beta), ``scans_`` (patients sorted by `MANY` microbleeds or more), and of curves
figures of merit and ``froc_`` (sensitivity at so many FP per scan), for which scores are normal and
a patient's share a shift; their truth is the mean over 200 cohorts of 300 patients.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from simulated_cohorts import SHAPE, WITHOUT_CMB, WORLDS, cohorts, microbleeds

from cmbkit.evaluation import curves
from cmbkit.evaluation.intervals import FEW_FP, TOO_FEW, difference_interval, interval
from cmbkit.evaluation.metrics import divide, harmonic_mean
from cmbkit.evaluation.sensitivity import reached_without, sensitivity_interval

SEED, COHORTS, SAMPLES = 2024, 2000, 1000
OF_CURVES = 2000
"""Cohorts for figures of merit, one by one."""
SIZES = (3, 5, 6, 8, 20, 50)
DETECTORS = {"demo": (0.5, 0.6), "thesis": (0.7, 0.6), "good": (0.9, 0.2)}
"""Recall, and false positives per scan."""
SHIFTS = {"demo": 0.5, "thesis": 1.2, "good": 2.2}
"""Mean score of a microbleed less that of a false positive, of which there are four per scan."""
HEADINGS = {
    "usual": "The cohorts that the expected design effects were set on (correlation .15)",
    "alike": "A patient's microbleeds are more alike (correlation .4)",
    "half_healthy": "Half of the patients have no microbleed, and as many false positives",
    "uneven_fp": "False positives of few patients (negative binomial of shape .15)",
    "all_or_none": "All microbleeds of a patient are found, or none (correlation .98)",
    "a_few_with_40": "A patient of seven has 40 microbleeds, the others one or two. A quarter of "
    "the cohorts of 8 has no such patient and says nothing of them: no interval of the same "
    "patients can hold their share",
}
DICE = 0.55, 10.0
"""Mean, and sum of the parameters of its beta distribution."""
MANY = 3
FROC = [f"froc_{level:g}" for level in curves.FROC_LEVELS]
HERE = Path(__file__).parent
CSV = HERE.parent / "cmbkit" / "evaluation" / "coverage.csv"


def parts(counts: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Numerator and denominator of each patient for every metric that is a ratio of sums."""
    tp, fp, fn = counts
    rates = {"precision": divide(tp, tp + fp), "recall": divide(tp, tp + fn)}
    rates |= {"f1": harmonic_mean(*rates.values()), "fp_cmb": divide(fp, tp + fn)}
    found = {
        f"scan_{name}": (np.nan_to_num(rate), np.isfinite(rate).astype(float))
        for name, rate in rates.items()
    }
    found |= {"fp_scan": (fp, np.ones_like(fp)), "pooled_fp_cmb": (fp, tp + fn)}
    found |= {"pooled_precision": (tp, tp + fp), "pooled_recall": (tp, tp + fn)}
    return found | {"pooled_f1": (tp, tp + (fp + fn) / 2)}


def more_parts(counts: np.ndarray, dice: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """`parts` of the metrics that are compared without the bootstrap."""
    tp, fp, fn = counts
    many, said = tp + fn >= MANY, tp + fp >= MANY
    both, some = (many & said) * 1.0, (tp > 0) * 1.0
    found = {"scan_dice_tp": (dice * some, some), "pooled_dice_tp": (dice * tp, tp)}
    found |= {"scans_precision": (both, said * 1.0), "scans_recall": (both, many * 1.0)}
    return found | {"scans_f1": (both, (many * 1.0 + said) / 2)}


def estimates(pieces: dict) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Value, values without each patient, and contributions, as `interval` wants them."""
    found = {}
    for name, (top, bottom) in pieces.items():
        a, b = top.sum(-1, keepdims=True), bottom.sum(-1, keepdims=True)
        units = 2 * bottom - top if name in ("pooled_f1", "scans_f1") else bottom
        found[name] = divide(a, b)[..., 0], divide(a - top, b - bottom), units
    if {"scan_precision", "scan_recall"} <= set(found):
        p, r = found["scan_precision"], found["scan_recall"]
        star = [harmonic_mean(p[i], r[i]) for i in (0, 1)]
        either = np.maximum(p[2], r[2])
        fewer = np.minimum(p[2].sum(-1), r[2].sum(-1)) / np.maximum(either.sum(-1), 1)
        found |= {"scan_f1_star": (*star, either * fewer[..., None])}
    return found


def resampled(counts: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Every metric in each bootstrap sample of patients, shape (cohorts, samples)."""
    found = {n: divide(a @ weights.T, b @ weights.T) for n, (a, b) in parts(counts).items()}
    return found | {"scan_f1_star": harmonic_mean(found["scan_precision"], found["scan_recall"])}


def row(name: str, truth: float, chosen: tuple, drawn, value: np.ndarray) -> dict:
    """Coverage in per cent of the chosen interval and of percentiles; width; share without."""
    low, high, method = chosen
    known = np.isfinite(value)
    given = known & np.isfinite(low)
    bootstrap = {}
    if drawn is not None:
        with np.errstate(all="ignore"):
            ends = np.nanquantile(drawn[known], [0.025, 0.975], axis=1)
        bootstrap["bootstrap"] = 100 * ((ends[0] <= truth) & (truth <= ends[1])).mean()
        bootstrap["bootstrap_zero_width"] = 100 * (ends[0] == ends[1]).mean()
    return {
        "metric": name,
        "truth": truth,
        "coverage": 100 * ((low <= truth) & (truth <= high))[given].mean()
        if given.any()
        else np.nan,
        "width": np.median((high - low)[given]) if given.any() else np.nan,
        "zero_width": int((low == high)[given].sum()),
        "too_few": 100 * np.isin(method, (TOO_FEW, FEW_FP))[known].mean(),
    } | bootstrap


def study(name_of_world: str) -> pd.DataFrame:
    """One row per detector, number of patients and metric."""
    world = WORLDS[name_of_world]
    rng, rows = np.random.default_rng([SEED, *name_of_world.encode()]), []
    for detector, rates in DETECTORS.items():
        true = [estimates(parts(side)) for side in cohorts(rng, (400_000,), *rates, world)]
        for patients in SIZES if name_of_world == "usual" else SIZES[3:]:
            sides = cohorts(rng, (COHORTS, patients), *rates, world)
            weights = rng.multinomial(patients, [1 / patients] * patients, SAMPLES).astype(float)
            first, second = (estimates(parts(side)) for side in sides)
            draws = [resampled(side, weights) for side in sides]
            for name, own in first.items():
                start = {"detector": detector, "patients": patients}
                truth = float(true[0][name][0])
                rows.append(start | row(name, truth, interval(name, *own), draws[0][name], own[0]))
                if name in ("pooled_f1", "scan_f1", "fp_scan"):
                    ends = difference_interval(name, own, second[name])
                    gap = draws[0][name] - draws[1][name]
                    truth -= float(true[1][name][0])
                    of = row(f"difference of {name}", truth, ends, gap, own[0] - second[name][0])
                    rows.append(start | of)
    return pd.DataFrame(rows).assign(cohorts=name_of_world)


def study_of_more() -> pd.DataFrame:
    """`study` of more metrics and differences, without the bootstrap."""
    rng, rows = np.random.default_rng([SEED, 1]), []
    alike = DICE[0] * DICE[1], (1 - DICE[0]) * DICE[1]
    differences = ("pooled_precision", "pooled_recall", "scan_f1_star", "pooled_dice_tp")

    def drawn(shape, rates):
        sides = [(side, rng.beta(*alike, shape)) for side in cohorts(rng, shape, *rates)]
        return [(estimates(parts(s)), estimates(more_parts(s, dice))) for s, dice in sides]

    for detector, rates in DETECTORS.items():
        true = [a | b for a, b in drawn((400_000,), rates)]
        for patients in SIZES:
            (a, first), (b, second) = drawn((COHORTS, patients), rates)
            start = {"detector": detector, "patients": patients}
            for name, own in first.items():
                ends = interval(name.replace("scans_", "pooled_"), *own)
                rows.append(start | row(name, float(true[0][name][0]), ends, None, own[0]))
            for name in differences:
                sides = (a | first)[name], (b | second)[name]
                truth = float(true[0][name][0] - true[1][name][0])
                ends, gap = difference_interval(name, *sides), sides[0][0] - sides[1][0]
                rows.append(start | row(f"difference of {name}", truth, ends, None, gap))
    return pd.DataFrame(rows)


def merits(rng, n: int, shift: float, weights, all_scans: bool) -> tuple[dict, int, np.ndarray]:
    """Figures of merit, and sensitivities, of a cohort under every weighting.

    With the size of the smaller of its two groups, and every patient's microbleeds.
    """
    n_gt = microbleeds(rng, n, 0.0 if all_scans else WITHOUT_CMB)
    n_fp = rng.negative_binomial(SHAPE, SHAPE / (SHAPE + 4.0), n)
    owner, false = np.repeat(np.arange(n), n_gt), np.repeat(np.arange(n), n_fp)
    score = rng.normal(size=owner.size) + (shift + rng.normal(0, 0.7, n))[owner]
    score[score < -0.5] = -np.inf
    other, noise = rng.normal(size=false.size), np.full(n, -np.inf)
    np.maximum.at(noise, false, other)
    called = np.isfinite(score)
    who, z = np.append(owner[called], false), np.append(score[called], other)
    counts = curves.counted(z, np.arange(z.size) < called.sum(), weights[:, who])
    total = weights @ n_gt
    found = {
        f"{word}afroc{'1' if all_scans else ''}": curves.afroc_area(
            noise, owner, score, weights, weighted=bool(word), all_scans=all_scans
        )
        for word in ("w", "")
    }
    if not all_scans:
        sensitivity = curves.reached(*counts, total, weights.sum(axis=1))
        each = [sensitivity[:, :1]]
        if len(weights) > 1:
            each.append(reached_without(*counts, total, weights.sum(axis=1)))
        found |= dict(zip(FROC, np.hstack(each), strict=True))
        found["cad_score"] = sensitivity.mean(axis=0)
        found["average_precision"] = curves.precision_area(*counts, total)
    return found, n if all_scans else min((n_gt > 0).sum(), (n_gt == 0).sum()), n_gt


def study_of_merit() -> pd.DataFrame:
    """`study` of the figures of merit and FROC sensitivities, without the bootstrap."""
    rng, rows = np.random.default_rng([SEED, 2]), []
    for (detector, shift), all_scans in ((d, a) for d in SHIFTS.items() for a in (False, True)):
        whole = [merits(rng, 300, shift, np.ones((1, 300)), all_scans)[0] for _ in range(200)]
        truth = pd.DataFrame([{k: v[0] for k, v in each.items()} for each in whole]).mean()
        for n in SIZES:
            weights = np.vstack([np.ones(n), 1 - np.eye(n)])
            made = [merits(rng, n, shift, weights, all_scans) for _ in range(OF_CURVES)]
            smaller, n_gt = np.array([m[1] for m in made]), np.stack([m[2] for m in made])
            for name in truth.index:
                each = np.stack([m[0][name] for m in made])
                if name in FROC:
                    level = curves.FROC_LEVELS[FROC.index(name)]
                    sides = each[:, 0], each[:, 1:], n_gt
                    ends = sensitivity_interval(*sides, level * n)
                else:
                    count = smaller if name.endswith("afroc") else np.full(OF_CURVES, n)
                    units = np.repeat(count[:, None] / n, n, axis=1)
                    ends = interval("merit", each[:, 0], each[:, 1:], units)
                about = {"detector": detector, "patients": n}
                rows.append(about | row(name, truth[name], ends, None, each[:, 0]))
    return pd.DataFrame(rows)


def main() -> None:
    """Write both files."""
    usual = pd.concat([study_of_more(), study_of_merit()]).assign(cohorts="usual")
    write(pd.concat([*map(study, WORLDS), usual], ignore_index=True))


def write(table: pd.DataFrame) -> None:
    """`CSV`, and the same as a table to read."""
    table.to_csv(CSV, index=False, float_format="%.4g")
    lines = [
        f"# Coverage of the 95 % intervals\n\n{COHORTS} cohorts each, {OF_CURVES} of figures of "
        "merit (afroc, wafroc, cad_score, average_precision) and FROC sensitivities (froc_, at so "
        "many FP per scan); package / percentile "
        "bootstrap, per cent; a dash: too few, or no bootstrap. In brackets: over half of the "
        "cohorts have too few patients for an interval, the others are few.\n"
    ]
    for world, rows in table.groupby("cohorts", sort=False):
        lines += [f"## {HEADINGS[world]}\n", *_table(rows), ""]
    (HERE / "interval_coverage.md").write_text("\n".join(lines).rstrip() + "\n")


def _table(rows: pd.DataFrame) -> list[str]:
    wide = rows.pivot_table(
        index=["metric", "detector"],
        columns="patients",
        values=["coverage", "bootstrap", "too_few"],
        dropna=False,
    )
    sizes = sorted(rows["patients"].unique())
    lines = [
        "| metric | detector | " + " | ".join(f"n = {n}" for n in sizes) + " |",
        "|---" * (2 + len(sizes)) + "|",
    ]
    for (metric, detector), values in wide.iterrows():
        cells = []
        for n in sizes:
            own, other = (
                "–" if np.isnan(v) else f"{v:.1f}"
                for v in (values["coverage", n], values["bootstrap", n])
            )
            own = f"({own})" if own != "–" and values["too_few", n] > 50 else own
            cells.append(f"{own} / {other}")
        lines.append(f"| {metric} | {detector} | " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    main()
