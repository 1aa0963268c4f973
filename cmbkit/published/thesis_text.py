"""The audit's checks of what the text says against the tables, figures and code (see `audit`)."""

from collections.abc import Iterator

from cmbkit.anatomy.rating_scales import GROUPINGS
from cmbkit.evaluation.metrics import harmonic_mean
from cmbkit.evaluation.rules import RULES
from cmbkit.published.counts import Claim, printed, solutions
from cmbkit.published.numbers import OWN_METHOD, literature, stated, statements, thesis_table
from cmbkit.published.thesis_cohort import (
    AMBIGUITY,
    AT_LEAST,
    CONTRADICTION,
    DATASETS,
    N_SCANS,
    THRESHOLDS,
    TRAINED_ON,
    cut_off,
    finding_row,
    numbers,
)

TWO_THINGS = {
    ("DOU", "slice thickness (mm)"): "slices of 2 mm, one every 1 mm: thickness and spacing",
    ("matching", "rule"): "the code has both rules; the text names the one of its tables",
}
"""What two statements mean that differ but do not contradict each other."""

ASSUMED = (
    "means over scans or folds, another set or another matching: summed counts of these CMBs are "
    "the thesis's assumption"
)
"""Of rates that other papers print."""


def _number(where: str, subject: str, quantity: str) -> float:
    return printed(stated(where, subject, quantity)).value


def said_twice() -> Iterator[dict]:
    """Quantities that are stated in two places."""
    groups = statements().groupby(["subject", "quantity"], sort=False)
    for (subject, quantity), rows in groups:
        if len(rows) < 2:
            continue
        yield finding_row(
            " and ".join(rows["where"]),
            f"{subject}: {quantity}",
            rows["value"].iloc[0],
            rows["value"].iloc[1],
            f"{rows['where'].iloc[0]} against {rows['where'].iloc[1]}",
            len(set(rows["value"])) == 1,
            kind=AMBIGUITY if (subject, quantity) in TWO_THINGS else CONTRADICTION,
            reading=TWO_THINGS.get((subject, quantity), ""),
        )


def abstract_rates() -> Iterator[dict]:
    """Precision and recall of the abstract against Table 7.3."""
    table = numbers("7.3").query("model == 'scratch'").set_index("dataset")
    for name in ("DOU", "CRB"):
        for rate in ("precision", "recall"):
            said = printed(stated("Abstract", name, rate))
            yield finding_row(
                "Abstract",
                f"{name}: {rate}",
                said.text,
                f"{table.loc[name, rate]:.1%}",
                "Table 7.3, Scratch",
                said.holds(table.loc[name, rate]),
            )


def sequences_of_crb() -> Iterator[dict]:
    """Section 8.1.3: false negatives per scan and per CMB of both sequences."""
    counts = numbers("8.1").query("dataset == 'CRB'").groupby("sequence")[["tp", "fn"]].sum()
    scans = {name: int(_number("Section 4.1", "CRB", f"scans {name}")) for name in counts.index}
    for name, row in counts.iterrows():
        for quantity, base, unit in (
            ("FN per scan", scans[name], "scans (section 4.1)"),
            ("FN per CMB", row["tp"] + row["fn"], "CMBs"),
        ):
            said = printed(stated("Section 8.1.3", f"CRB {name}", quantity))
            value = row["fn"] / base
            need = f"; {said.text} needs {row['fn'] / said.value:.1f}"
            yield finding_row(
                "Section 8.1.3",
                f"CRB, {name}: {quantity}",
                said.text,
                f"{value:.2f}",
                f"{row['fn']} FN / {base} {unit}" + ("" if said.holds(value) else need),
                said.holds(value),
                **cut_off(said.text, value),
            )


def glob_f1_of_groups() -> Iterator[dict]:
    """Sections 8.1.1 and 8.1.3: globF1 of groups of scans against the counts of Table 8.1."""
    sums = numbers("8.1").groupby(["dataset", "sequence"])[["tp", "fp", "fn"]].sum()
    shape = numbers("8.3").query("call == 'FP' and dataset == 'Valid'")["n"].iloc[0]
    needed, rows = 0, []
    for (name, sequence), (tp, fp, fn) in sums.iterrows():
        if name not in ("CRB", "Valid"):
            continue
        said = printed(stated("Section 8.1.3", f"{name} {sequence}", "globF1"))
        f1 = 2 * tp / (2 * tp + fp + fn)
        found = [fp for _, fp, _ in solutions(Claim({"f1": said}, tp=tp, fn=fn))]
        arithmetic = f"2*{tp} / (2*{tp} + {fp} + {fn})"
        if not said.holds(f1):
            needed_fp = " or ".join(map(str, found))
            arithmetic += f"; {said.text} needs {needed_fp} FP" if found else "; no FP give that"
        if name == "Valid":
            needed += found[0] if len(found) == 1 else 0
        title = f"{name}, {sequence}: globF1 from the counts of Table 8.1"
        row = ("Section 8.1.3", title, said.text, f"{f1:.4f}", arithmetic, said.holds(f1))
        rows.append((name, row, cut_off(said.text, f1)))
    without = {"kind": AMBIGUITY, "reading": "with scans without CMBs, which Table 8.1 leaves out"}
    for name, row, kind in rows:
        yield finding_row(*row, **(without if name == "Valid" and needed == shape else kind))
    yield finding_row(
        "Section 8.1.3, Table 8.3",
        "Valid: FP that the two globF1 need, over both sequences",
        shape,
        needed,
        "so the text counts the scans without CMBs, which Table 8.1 leaves out",
    )
    total = numbers("8.1").query("dataset == 'CRB'")[["tp", "fp", "fn"]].sum()
    thick, thin = (
        printed(stated("Section 8.1.1", "CRB", f"globF1 {side}"))
        for side in ("from 3 mm on", "below 3 mm")
    )
    ways = _two_groups(total["tp"], total["fp"], total["fn"], thick, thin)
    same = numbers("8.1").query("dataset == 'CRB' and sequence == 'T2S'")[["tp", "fp", "fn"]].sum()
    yield finding_row(
        "Section 8.1.1",
        "CRB: globF1 of thick and of thin slices",
        f"{thick.text} and {thin.text}",
        f"{ways} ways to share out the counts",
        "TP {}, FP {}, FN {} shared between two groups; the first alone is also globF1 of all T2S "
        "scans, 2*{}/(2*{} + {} + {})".format(*total, same["tp"], *same),
        ways > 0,
    )


def _two_groups(tp: int, fp: int, fn: int, first, second) -> int:
    """Ways to split errors (FP + FN) and TP in two groups with the two printed F1."""
    errors = fp + fn
    return sum(
        first.holds(2 * hits / (2 * hits + wrong))
        and second.holds(2 * (tp - hits) / (2 * (tp - hits) + errors - wrong))
        for hits in range(1, tp)
        for wrong in range(errors + 1)
    )


def many_cmbs() -> Iterator[dict]:
    """Section 8.1.2: leaving out scans of more than 10 CMBs."""
    star = numbers("7.2").set_index(["dataset", "model"])["f1_star"]
    for name in DATASETS:
        after, gain = (
            printed(stated("Section 8.1.2", name, quantity))
            for quantity in ("scanF1* without them", "gain in scanF1*")
        )
        delta, against_tl = (after.value - star[name, model] for model in ("scratch", "tl"))
        yield finding_row(
            "Section 8.1.2",
            f"{name}: gain in scanF1* without scans of more than 10 CMBs",
            f"{gain.value:+.3f}",
            f"{delta:+.3f}",
            f"{after.text} - {star[name, 'scratch']} (Table 7.2, Scratch); "
            f"against TL {against_tl:+.3f}",
            abs(delta - gain.value) < 0.0015,
            reading="" if abs(against_tl - gain.value) >= 0.0015 else "against TL",
        )
        said = int(_number("Section 8.1.2", name, "scans of more than 10 CMBs"))
        high = AT_LEAST[name][THRESHOLDS.index(11)]
        yield finding_row(
            "Section 8.1.2",
            f"{name}: scans with more than 10 CMBs",
            said,
            high,
            "Table 7.5 at 11 CMBs and section 7.3",
        )


def cohort_totals() -> Iterator[dict]:
    """Section 8.3.1: patients, scans and CMBs against Table 7.1."""
    table = numbers("7.1").set_index("dataset")
    columns = {"patients": "patients_total", "scans": "scans_total", "CMBs": "total_cmb"}
    for subject, names, quantities in (
        ("train and validation", list(TRAINED_ON), ("patients", "scans")),
        ("test", ["CRB", "DOU"], ("scans", "CMBs")),
    ):
        for quantity in quantities:
            said = int(_number("Section 8.3.1", subject, quantity))
            parts = table.loc[names, columns[quantity]].tolist()
            yield finding_row(
                "Section 8.3.1",
                f"{subject}: {quantity}",
                said,
                sum(parts),
                f"{' + '.join(map(str, parts))} ({', '.join(names)}, Table 7.1)",
            )
    said = int(_number("Section 4.4", "MOMENI", "scans without CMBs"))
    total, with_cmb = table.loc["MOMENI", ["scans_total", "scans_with_cmb"]]
    yield finding_row(
        "Section 4.4",
        "MOMENI: scans without CMBs",
        said,
        total - with_cmb,
        f"{total} - {with_cmb} (Table 7.1)",
    )


def slices_of_crb() -> Iterator[dict]:
    """Section 4.1.1: the slice thickness of CRB against Table 4.1."""
    ends = numbers("4.1").query("dataset == 'CRB'").filter(like="slice_thickness_mm")
    low, high = (
        _number("Section 4.1.1", "CRB", f"slice thickness {end} (mm)") for end in ("from", "to")
    )
    yield finding_row(
        "Section 4.1.1",
        "CRB: slice thickness (mm)",
        f"{low:g} to {high:g}",
        f"{ends.min(axis=None):g} to {ends.max(axis=None):g}",
        "Table 4.1: "
        + ", ".join(f"{a:g}-{b:g}" if a < b else f"{a:g}" for a, b in ends.to_numpy()),
    )


def location_groups() -> Iterator[dict]:
    """Table 4.2: its groups of regions against those of the rating scale it names."""
    table = thesis_table("4.2")
    group_of = {region: group for group, names in GROUPINGS["bombs"].items() for region in names}
    for row in table.to_dict("records"):
        group = group_of[row["bombs_region"]]
        yield finding_row(
            "Table 4.2",
            f"{row['bombs_region']}: group in BOMBS",
            row["bombs_group"],
            group,
            "Cordonnier et al. 2009",
        )


def literature_rules() -> Iterator[dict]:
    """Table 8.4: rows set beside each other were matched alike."""
    own = stated("Section 6.7.1", "matching", "predictions per CMB")
    table = literature().query("data == 'DOU' and not of_thesis")
    for row in table.to_dict("records"):
        several = row["rule"] in RULES and RULES[row["rule"]].assignment == "several"
        yield finding_row(
            "Table 8.4",
            f"matching of {row['method']}: predictions that one CMB takes",
            own,
            "several" if several else row["matching"],
            f"printed beside rates of one-to-one matching; its own rule: {row['matching']}",
            not several,
            AMBIGUITY,
            "each by its own rule: two measures",
        )


def literature_rates() -> Iterator[dict]:
    """Table 8.4: false positives per scan that precision and recall imply on DOU."""
    for row in numbers("8.4").to_dict("records"):
        if row["method"] == OWN_METHOD:
            continue
        p, r = row["glob_precision"], row["glob_recall"]
        tp = r * 74
        implied = tp * (1 / p - 1) / N_SCANS["DOU"]
        rounding = tp * (1 / (p - 0.005) - 1) / N_SCANS["DOU"]
        yield finding_row(
            "Table 8.4",
            f"{row['method']}: FPscan (F1 {float(harmonic_mean(p, r)):.2f} as printed)",
            row["fp_scan"],
            f"{implied:.2f}",
            f"74 CMBs, 20 scans: {tp:.1f} TP, {tp * (1 / p - 1):.1f} FP, were the matching one "
            "to one",
            implied - 0.05 <= row["fp_scan"] <= max(rounding, implied) + 0.05,
            AMBIGUITY,
            ASSUMED,
        )
