"""Tables of all matching rules, for the notebook and for ``cmbkit evaluate``."""

import re
from collections.abc import Mapping

import pandas as pd

from cmbkit.evaluation.rules import RULES, changed_calls, compare_rules
from cmbkit.params import Evaluation
from cmbkit.reporting.layout import Column, heads, laid_out

NOTE = (
    "All scans, summed counts [95 % interval, patients as units; method in the CSV]. Where several "
    "candidates may match one microbleed, TP counts microbleeds. Rank: by F1. Kendall's tau: how "
    "far the order of the detectors is that by the first rule; detectors whose intervals overlap "
    "change places by chance, too. More, fewer found: annotated microbleeds, against the first "
    "rule. Median F1 (of scans with microbleeds) and count difference (mean over scans), each with "
    "(its scans), are VALDO's measures. VALDO's code takes its limit as an option, here 5 mm; "
    "BraTS-METS drops annotations of up to 2 mm3, here they count."
)


def rules_table(
    counts: pd.DataFrame, found: pd.DataFrame, params: Evaluation, names: Mapping[str, str]
) -> pd.DataFrame:
    """`evaluation.rules.compare_rules`, laid out; ``names``: what stands for a model."""
    columns = [
        Column("rule", "Rule", names={name: rule.says for name, rule in RULES.items()}),
        Column("model", "Detector", names=names),
        *(Column(name, name.upper()) for name in ("tp", "fp", "fn")),
        Column("pooled_f1", "F1", 3, "max"),
        *heads("rank"),
        Column("tau", "Kendall's tau", 2),
        *heads(gained="More found", lost="Fewer found"),
        Column("median_f1", "Median F1", 3),
        Column("count_difference", "Count difference", 2),
    ]
    return laid_out(compare_rules(counts, found, params), columns, within=("rule",), note=NOTE)


def found_by(rule: str) -> str:
    """Column of what a rule calls found: "found_iou_0_1" of "IoU 0.1"."""
    return "found_" + re.sub(r"\W+", "_", rule.lower())


def changed_table(found: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """`evaluation.rules.changed_calls`, laid out; the column of a rule is named by `found_by`."""
    table = changed_calls(found)
    rules = [name for name in RULES if name in table]
    table = table.rename(columns={name: found_by(name) for name in rules})
    columns = [
        Column("model", "Detector", names=names),
        *heads(uid="Scan", gt_id="CMB", n_rules="Rules that call it found"),
        *(Column(found_by(name), name, names={True: "found", False: "-"}) for name in rules),
    ]
    note = f"Annotated microbleeds; {len(rules)} rules."
    return laid_out(table, columns, note=note, otherwise="All rules call the same ones found.")
