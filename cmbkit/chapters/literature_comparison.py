"""Notebook 07: published results beside one's own (Table 8.4), and the audit of printed numbers."""

import pandas as pd

from cmbkit.chapters.detection import DATASETS, KEYS, MODELS, in_order
from cmbkit.params import Evaluation
from cmbkit.plotting.bars import comparison_bars
from cmbkit.plotting.style import MODEL_NAMES
from cmbkit.published.literature import beside_own
from cmbkit.published.thesis_audit import audit, differences
from cmbkit.published.thesis_cohort import VERDICTS
from cmbkit.reporting.layout import heads, laid_out

FINDING = ["verdict", "where", "finding", "printed", "recomputed", "arithmetic", "reading"]


def table_8_4(
    scans: pd.DataFrame,
    params: Evaluation,
    by_rule: pd.DataFrame | None = None,
    *,
    synthetic: bool,
) -> pd.DataFrame:
    """Published results and, below them, this run's, from summed counts.

    Parameters
    ----------
    scans : DataFrame
        Scans of the models to show: dataset, model, patient, tp, fp, fn; those of the test
        datasets are used.
    by_rule : DataFrame, optional
        Counts of one model by every matching rule (`study.results.calls_by_rule`).
    synthetic : bool
        Whether the scans come from the embedded cohort: the data column then says so.
    """
    tested = scans[scans["dataset"].isin(params.test_datasets)]
    tested = in_order(tested, dataset=DATASETS, model=MODELS)
    own = [
        (
            f"this run, {MODEL_NAMES.get(model, model)}",
            f"{dataset}, synthetic cohort" if synthetic else dataset,
            group,
        )
        for (dataset, model), group in tested.groupby(KEYS, sort=False)
    ]
    return beside_own(own, params, by_rule)


figure_s12 = comparison_bars
"""Rates of `table_8_4` with their intervals, this run's in colour below a line."""


def table_s15(table: pd.DataFrame) -> pd.DataFrame:
    """Averaging, denominators, notes and sources of the published rows of `table_8_4`."""
    columns = heads("method", "data", n_scans="Scans", n_cmb="CMBs", averaging="Averaged")
    columns += heads(fp_denominator="False positives per", note="Notes", source="Source")
    return laid_out(table.loc[~table["own"], [column.key for column in columns]], columns)


audit_of_thesis = audit
"""Every computation on the thesis's printed numbers, a row each."""


def table_s13(findings: pd.DataFrame) -> pd.DataFrame:
    """Findings of `audit_of_thesis` that do not agree, contradictions first.

    Values stay as they are printed: with their digits, ranges and units.
    """
    note = (
        "Contradiction: two numbers of one thing. Ambiguity: numbers of two things that the words "
        "do not tell apart. Rounding: digits cut off. Reading: what would make both right."
    )
    return laid_out(differences(findings)[FINDING], heads(*FINDING), note=note)


def audit_overview(findings: pd.DataFrame) -> pd.DataFrame:
    """How many findings agree and differ, by place in the thesis.

    Returns
    -------
    DataFrame
        Index where; columns agrees, contradiction, ambiguity, rounding.
    """
    counted = pd.crosstab(findings["where"], findings["verdict"])
    return counted.reindex(columns=list(VERDICTS), fill_value=0)
