"""95 % intervals: `interval` chooses by what is estimated and how much there is, and says which.

Microbleeds of one patient are alike, so patients are the units. What leaving one patient out
changes (the jackknife) gives the variance; its ratio to that of independent units, the design
effect, is drawn towards an expected one, for a few patients can look alike by chance. The score
interval (Wilson's of a share, Poisson's of a rate) with that many effective units never has zero
width. `benchmarks/interval_coverage.md` shows how often it holds the truth.
"""

import numpy as np
from scipy.special import gammaincinv, ndtri, stdtrit  # scipy.stats takes long to import

from cmbkit.evaluation.metrics import divide

FEWEST_PATIENTS = 6
"""Patients who contribute; with fewer there is no interval."""
FEWEST_FOR_RATES = 10
"""Patients for an interval of a difference of rates, or of precisions."""
ALIKE = 0.12
"""Expected correlation of two microbleeds of one patient, found or not (in the demo: 0 to .43)."""
EXPECTED = {
    "scan_precision": 0.7,
    "scan_recall": 0.6,
    "scan_f1": 0.35,
    "scan_f1_star": 0.35,
    "scan_dice_tp": 0.13,
    "scan_dice": 0.2,
    "pooled_dice_tp": 0.45,
    "fp_scan": 1.6,
    "pooled_fp_cmb": 2.0,
    "scan_fp_cmb": 1.6,
    "merit": 0.6,
}
"""Expected design effects. Means: what SD^2 / (p (1 - p)) is in the thesis's Table 7.2; merit: a
figure of merit of curves (`curves.figures_of_merit`)."""
WEIGHT = 3.0
"""Patients that an expected design effect counts for."""
SAME_PATIENTS = {"pooled_precision": 0.75, "pooled_dice_tp": 0.0}
"""Expected correlation of two detectors on the same patients, `ALIKE_OTHERWISE` of others: they
take the same mimics for microbleeds, and outline differently."""
ALIKE_OTHERWISE = 0.5
RATES = ("fp_scan", "pooled_fp_cmb", "scan_fp_cmb")
INDEPENDENT, CLUSTERED, MEAN, RATE = "Wilson", "Wilson, clustered", "Wilson, mean", "score, rate"
DIFFERENCE, JACKKNIFE = "t, drawn", "jackknife, t"
TOO_FEW, FEW_FP, NO_SPREAD = "too few", "too few FP", "no spread"
METHODS = {
    INDEPENDENT: "Wilson's, one count per patient",
    CLUSTERED: "Wilson's with a design effect, patients as clusters",
    MEAN: "Wilson's with the jackknife's variance over patients and Student's t",
    RATE: "Poisson score with a design effect",
    DIFFERENCE: "Student's t, jackknife variance drawn towards an expected one",
    JACKKNIFE: "jackknife over patients, Student's t",
    NO_SPREAD: "all patients agree, no interval",
    TOO_FEW: f"fewer than {FEWEST_PATIENTS} patients contribute, no interval",
    FEW_FP: "the level allows fewer than two false positives in all scans, no interval",
}


def wilson(successes, trials, z: float | np.ndarray | None = None) -> tuple:
    """Wilson's score interval of a proportion, 95 %.

    ``successes``, ``trials`` (array-like, of the same shape); ``z``: another quantile.

    Returns
    -------
    low, high : ndarray
        NaN where there are no trials. Exactly 0 where nothing succeeded, 1 where all did.
    """
    k, n = np.broadcast_arrays(np.asarray(successes, float), np.asarray(trials, float))
    z = ndtri(0.975) if z is None else z
    with np.errstate(divide="ignore", invalid="ignore"):
        share = k / n
        centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        spread = np.maximum(share * (1 - share), 0)
        half = z / (1 + z**2 / n) * np.sqrt(spread / n + z**2 / (4 * n**2))
    low, high = np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)
    return np.where((k == 0) & (n > 0), 0.0, low), np.where((k == n) & (n > 0), 1.0, high)


def poisson_interval(count, exposure=1.0) -> tuple[np.ndarray, np.ndarray]:
    """Exact 95 % interval of a rate: ``count`` events over an exposure, e.g. scans (Garwood 1936).

    Returns
    -------
    low, high : ndarray
        Events per unit of exposure; NaN where that is 0.
    """
    count = np.asarray(count, float)
    low = np.where(count > 0, gammaincinv(np.maximum(count, 0.5), 0.025), 0.0)
    high = gammaincinv(count + 1, 0.975)
    return divide(low, exposure), divide(high, exposure)


def score_rate(rate, exposure, z) -> tuple[np.ndarray, np.ndarray]:
    """Score interval of a Poisson rate over an (effective) exposure, with quantile ``z``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = rate + z**2 / (2 * exposure)
        half = z * np.sqrt(rate / exposure + z**2 / (4 * exposure**2))
    return np.where(rate == 0, 0.0, np.clip(centre - half, 0, None)), centre + half


def interval(name: str, value, without, units) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """95 % interval of a metric, by the method that fits.

    Parameters
    ----------
    name : str
        As in `metrics.aggregate`, or "merit"; decides between a share, a mean and a rate.
    value : array-like, shape (...)
    without : array-like, shape (..., patients)
        The metric of all patients but one.
    units : array-like, shape (..., patients)
        What each contributes to its denominator: microbleeds, calls, scans; 0 where nothing. Less
        than 1 each: fewer count than there are, as many as their sum.

    Returns
    -------
    low, high : ndarray, shape (...)
        NaN where there are too few.
    method : ndarray of str, shape (...)
        A key of `METHODS`; empty where the value is undefined.

    Notes
    -----
    Kish's design effect 1 + (b - 1) ICC with b the size of clusters weighted by size; degrees of
    freedom after his effective number of clusters and, but for means, the kurtosis of what patients
    contribute, as in Korn and Graubard (1998); drawn together as by Smyth (2004). F1 is taken
    as J = F1 / (2 - F1), the share of TP in TP + FP + FN, and so is its interval.
    """
    value, without, units = (np.asarray(x, float) for x in (value, without, units))
    if name == "pooled_f1":
        ends = interval("pooled_j", value / (2 - value), without / (2 - without), units)
        return 2 * ends[0] / (1 + ends[0]), 2 * ends[1] / (1 + ends[1]), ends[2]
    total, inside = units.sum(-1), units > 0
    size = divide((units**2).sum(-1), total)
    changes, variance = _jackknife(without, inside | _matters(value, without))
    count = np.fmin(inside.sum(-1), np.round(total, 6))
    freedom = np.maximum(np.fmin(divide(total, size), count) - 1, 0)
    if name not in EXPECTED or name in RATES:
        evenness = 3 * divide((changes**2).sum(-1) ** 2, (changes**4).sum(-1))
        freedom = np.fmax(np.fmin(freedom, evenness - 1), 0)
    nominal = (value if name in RATES else value * (1 - value)) / np.where(total > 0, total, 1)
    expected = EXPECTED.get(name, 1 + ALIKE * (size - 1))
    effect = np.where(nominal > 1e-12, divide(variance, nominal), expected)
    effect = (WEIGHT * expected + freedom * effect) / (WEIGHT + freedom)
    z = stdtrit(WEIGHT + freedom, 0.975)
    effective = divide(total, effect)
    share = name not in RATES
    low, high = (
        wilson(value * effective, effective, z) if share else score_rate(value, effective, z)
    )
    method = np.where(share, MEAN if name in EXPECTED else CLUSTERED, RATE)
    if name.startswith("pooled_") and name not in EXPECTED:
        single = (units <= 1).all(-1)
        plain = wilson(value * total, total)
        low, high = (np.where(single, p, end) for p, end in zip(plain, (low, high), strict=True))
        method = np.where(single, INDEPENDENT, method)
    few = count < FEWEST_PATIENTS
    method = np.where(np.isfinite(value), np.where(few, TOO_FEW, method), "")
    low, high = (np.where(few | ~np.isfinite(value), np.nan, end) for end in (low, high))
    return low, high, method


def difference_interval(name: str, first: tuple, second: tuple) -> tuple:
    """95 % interval of first - second, of the same patients, after Student's t.

    ``first``, ``second``: value, without and units of each, as for `interval`. The jackknife
    variance of the difference is drawn towards that of two detectors correlated by
    `SAME_PATIENTS`, from the nearer limits of their own intervals, so that it is never 0. Cut at
    -1 and 1 where both are shares.

    Returns
    -------
    low, high, method : ndarray
    """
    (l1, u1, method), (l2, u2, other) = interval(name, *first), interval(name, *second)
    value, without = (np.subtract(a, b) for a, b in zip(first[:2], second[:2], strict=True))
    inside = (np.asarray(first[2]) > 0) | (np.asarray(second[2]) > 0)
    moved = inside | _matters(value, without)
    variance, freedom = _jackknife(without, moved)[1], inside.sum(-1) - 1
    sides = [
        (np.asarray(f[0]) - low, high - f[0])
        for f, low, high in ((first, l1, u1), (second, l2, u2))
    ]
    reach = [
        np.where(np.minimum(*side) > 0, np.minimum(*side), np.maximum(*side)) for side in sides
    ]
    expected = (reach[0] ** 2 + reach[1] ** 2) / ndtri(0.975) ** 2
    expected = expected * (1 - SAME_PATIENTS.get(name, ALIKE_OTHERWISE))
    variance = (WEIGHT * expected + freedom * variance) / (WEIGHT + freedom)
    half = stdtrit(WEIGHT + freedom, 0.975) * np.sqrt(variance)
    sparse = name in (*RATES, "pooled_precision") and inside.sum(-1) < FEWEST_FOR_RATES
    few, none = (method == TOO_FEW) | (other == TOO_FEW) | sparse, (method == "") | (other == "")
    most = np.inf if name in RATES else 1.0
    low, high = (np.where(few, np.nan, np.clip(value + e, -most, most)) for e in (-half, half))
    return low, high, np.where(few, TOO_FEW, np.where(none, "", DIFFERENCE))


def jackknife_t(value, without, limits=(-np.inf, np.inf)) -> tuple[float, float, str]:
    """95 % interval value -+ t x jackknife error, of a measure of agreement.

    ``without``, shape (patients,); ``limits``: what the measure can be, where the interval is cut.
    No interval where patients are too few or all alike.
    """
    without = np.asarray(without, float)
    known = np.isfinite(without)
    if known.sum() < FEWEST_PATIENTS:
        return np.nan, np.nan, TOO_FEW
    error = np.sqrt(_jackknife(without, known)[1])
    if not error > 1e-9:
        return np.nan, np.nan, NO_SPREAD
    half = stdtrit(known.sum() - 1, 0.975) * error
    low, high = np.clip([value - half, value + half], *limits)
    return float(low), float(high), JACKKNIFE


def _matters(value, without) -> np.ndarray:
    """Who changes the value without adding to its denominator: FP of patients without CMBs."""
    return np.abs(without - np.asarray(value)[..., None]) > 1e-12


def _jackknife(without, inside) -> tuple[np.ndarray, np.ndarray]:
    """How each patient's absence departs from the mean absence, and the variance of the value."""
    n = np.maximum(inside.sum(-1), 1)
    kept = np.where(inside & np.isfinite(without), without, 0.0)
    changes = np.where(inside, kept - (kept.sum(-1) / n)[..., None], 0.0)
    return changes, (n - 1) / n * (changes**2).sum(-1)
