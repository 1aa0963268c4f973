"""What the matching rule does to the result (Tables S42 and S42b)."""

import pandas as pd

from cmbkit.chapters.detection import MODELS, in_order
from cmbkit.params import Evaluation
from cmbkit.plotting.style import MODEL_NAMES
from cmbkit.reporting.rules import changed_table, rules_table


def table_s42(counts: pd.DataFrame, found: pd.DataFrame, params: Evaluation) -> pd.DataFrame:
    """F1 and rank of every model under every rule (`evaluation.rules.compare_rules`).

    ``counts``, ``found``: `study.results.calls_by_rule`.
    """
    return rules_table(in_order(counts, model=MODELS), found, params, MODEL_NAMES)


def table_s42b(found: pd.DataFrame, model: str) -> pd.DataFrame:
    """Annotated CMBs of one model whose call depends on the rule."""
    return changed_table(found[found["model"] == model], MODEL_NAMES)
