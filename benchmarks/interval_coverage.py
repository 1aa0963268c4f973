"""How often the package's 95 % intervals hold the truth, beside the percentile bootstrap's.

    python benchmarks/interval_coverage.py    # a minute; also makes evaluation/coverage.csv

Three detectors on simulated cohorts: a fifth of the patients has no microbleed, the others one and
more (negative binomial, a few have dozens); a patient's microbleeds share a chance of being found
(beta, correlation `ALIKE`); false positives are negative binomial. Truth: the same averages
of 400,000 patients. All cohorts of one size are computed at once.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.evaluation.intervals import TOO_FEW, difference_interval, interval
from cmbkit.evaluation.metrics import divide, harmonic_mean

SEED, COHORTS, SAMPLES = 2024, 2000, 1000
SIZES = (3, 5, 8, 20, 50)
DETECTORS = {"demo": (0.5, 0.6), "thesis": (0.7, 0.6), "good": (0.9, 0.2)}
"""Recall, and false positives per scan."""
ALIKE, WITHOUT_CMB, MORE_CMBS, SHAPE = 0.15, 0.2, 4.0, 0.65
HERE = Path(__file__).parent
CSV = HERE.parent / "cmbkit" / "evaluation" / "coverage.csv"


def cohorts(rng, shape, recall: float, fp_scan: float) -> list[np.ndarray]:
    """TP, FP and FN of each patient, ``shape``, one scan each, of two detectors of one kind."""
    more = rng.negative_binomial(SHAPE, SHAPE / (SHAPE + MORE_CMBS), shape)
    n = np.where(rng.random(shape) < WITHOUT_CMB, 0, 1 + more)
    spread = 1 / ALIKE - 1
    chance = rng.beta(recall * spread, (1 - recall) * spread, shape)
    sides = []
    shared = rng.negative_binomial(SHAPE, SHAPE / (SHAPE + fp_scan / 2), shape)
    for easier in (0.0, 0.05):
        own = rng.negative_binomial(SHAPE, SHAPE / (SHAPE + fp_scan / 2), shape)
        tp = rng.binomial(n, np.clip(chance - easier, 0, 1))
        sides.append(np.stack([tp, shared + own, n - tp]).astype(float))
    return sides


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


def estimates(counts: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Value, values without each patient, and contributions, as `interval` wants them."""
    found = {}
    for name, (top, bottom) in parts(counts).items():
        a, b = top.sum(-1, keepdims=True), bottom.sum(-1, keepdims=True)
        units = counts.sum(0) if name == "pooled_f1" else bottom
        found[name] = divide(a, b)[..., 0], divide(a - top, b - bottom), units
    p, r = found["scan_precision"], found["scan_recall"]
    star = [harmonic_mean(p[i], r[i]) for i in (0, 1)]
    return found | {"scan_f1_star": (*star, np.maximum(p[2], r[2]))}


def resampled(counts: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Every metric in each bootstrap sample of patients, shape (cohorts, samples)."""
    found = {n: divide(a @ weights.T, b @ weights.T) for n, (a, b) in parts(counts).items()}
    return found | {"scan_f1_star": harmonic_mean(found["scan_precision"], found["scan_recall"])}


def row(name: str, truth: float, chosen: tuple, drawn: np.ndarray, value: np.ndarray) -> dict:
    """Coverage in per cent of the chosen interval and of percentiles; width; share without."""
    low, high, method = chosen
    known = np.isfinite(value)
    given = known & np.isfinite(low)
    with np.errstate(all="ignore"):
        ends = np.nanquantile(drawn[known], [0.025, 0.975], axis=1)
    old = (ends[0] <= truth) & (truth <= ends[1])
    return {
        "metric": name,
        "truth": truth,
        "coverage": 100 * ((low <= truth) & (truth <= high))[given].mean()
        if given.any()
        else np.nan,
        "width": np.median((high - low)[given]) if given.any() else np.nan,
        "zero_width": int((low == high)[given].sum()),
        "too_few": 100 * (method == TOO_FEW)[known].mean(),
        "bootstrap": 100 * old.mean(),
        "bootstrap_zero_width": 100 * (ends[0] == ends[1]).mean(),
    }


def study() -> pd.DataFrame:
    """One row per detector, number of patients and metric."""
    rng, rows = np.random.default_rng(SEED), []
    for detector, rates in DETECTORS.items():
        true = [estimates(side) for side in cohorts(rng, (400_000,), *rates)]
        for patients in SIZES:
            sides = cohorts(rng, (COHORTS, patients), *rates)
            weights = rng.multinomial(patients, [1 / patients] * patients, SAMPLES).astype(float)
            first, second = (estimates(side) for side in sides)
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
    return pd.DataFrame(rows)


def main() -> None:
    """Write both files."""
    table = study()
    table.to_csv(CSV, index=False, float_format="%.4g")
    wide = table.pivot_table(
        index=["metric", "detector"],
        columns="patients",
        values=["coverage", "bootstrap"],
        dropna=False,
    )
    lines = [
        f"# Coverage of the 95 % intervals\n\n{COHORTS} cohorts each; package / percentile "
        "bootstrap, per cent; a dash: too few.\n",
        "| metric | detector | " + " | ".join(f"n = {n}" for n in SIZES) + " |",
        "|---" * (2 + len(SIZES)) + "|",
    ]
    for (metric, detector), values in wide.iterrows():
        cells = [
            f"{'–' if np.isnan(values['coverage', n]) else format(values['coverage', n], '.1f')} / "
            f"{values['bootstrap', n]:.1f}"
            for n in SIZES
        ]
        lines.append(f"| {metric} | {detector} | " + " | ".join(cells) + " |")
    (HERE / "interval_coverage.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
