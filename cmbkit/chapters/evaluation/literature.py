"""Table 8.4."""

from __future__ import annotations

import pandas as pd

from cmbkit.chapters.detection import DATASETS, KEYS, MODELS, in_order
from cmbkit.params import Evaluation
from cmbkit.plotting.style import MODEL_NAMES
from cmbkit.published.literature_rows import literature_table


def table_8_4(
    scans: pd.DataFrame,
    params: Evaluation,
    *,
    synthetic: bool,
    seed: int = 0,
    numeric: bool = False,
) -> pd.DataFrame:
    """Published results and, below them, this run's, from summed counts.

    Parameters
    ----------
    scans : DataFrame
        Scan rows; rows of the test datasets are used.
    params : Evaluation
        Names the test datasets and the matching rule, which each row states.
    synthetic : bool
        Whether the scans come from the embedded cohort: the data column then says so.
    seed : int
    numeric : bool
    """
    tested = in_order(
        scans[scans["dataset"].isin(params.test_datasets)], dataset=DATASETS, model=MODELS
    )
    own = [
        (
            f"this run, {MODEL_NAMES.get(model, model)}",
            f"{dataset} (synthetic cohort)" if synthetic else dataset,
            group,
        )
        for (dataset, model), group in tested.groupby(KEYS, sort=False)
    ]
    return literature_table(own, params, seed=seed, numeric=numeric)
