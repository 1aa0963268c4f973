"""What the tables of detection share: order of rows and columns shown."""

import pandas as pd

from cmbkit.evaluation.intervals import interval
from cmbkit.evaluation.statistics import ratio
from cmbkit.plotting.style import MODEL_NAMES
from cmbkit.reporting.layout import PARTS, THESIS, Column, laid_out

DATASETS = ("CRB", "DOU", "Valid")
MODELS = ("scratch", "tl")
DATASET = Column("dataset", "Dataset")
MODEL = Column("model", "Model", names=MODEL_NAMES)
KEYS = ["dataset", "model"]
BY_KEYS = {"dataset": DATASETS, "model": MODELS}
"""For `in_order`."""
COUNTS = [Column(name, name.upper()) for name in ("tp", "fp", "fn")]
POOLED_RATES = [
    Column("pooled_precision", "Precision", 3, "max"),
    Column("pooled_recall", "Recall", 3, "max"),
    Column("pooled_f1", "F1", 3, "max"),
]
INTERVAL = "[95 % interval, patients as units; method in the CSV]"
POOLED = f"From summed counts {INTERVAL}"


def in_order(table: pd.DataFrame, **first) -> pd.DataFrame:
    """Sort rows by columns whose values have an order of their own.

    ``**first`` (column=sequence of values): values in the order wanted; others follow as they
    come. Rows that agree in all columns keep their order.

    Examples
    --------
    >>> in_order(pd.DataFrame({"dataset": ["MINE", "DOU", "CRB"]}), dataset=DATASETS)
      dataset
    0     CRB
    1     DOU
    2    MINE
    """

    def rank(column: pd.Series) -> pd.Series:
        order = list(dict.fromkeys([*first[column.name], *column]))
        return column.map(order.index)

    return table.sort_values(list(first), key=rank, kind="stable", ignore_index=True)


def share_of(name: str, who, hit) -> dict:
    """``name``: the share of rows that are ``hit``, with _low, _high and _interval.

    ``who``: whose each row is, the units of the interval (`evaluation.intervals.interval`).
    """
    value, *rest = ratio(who, hit, 1.0)
    low, high, method = interval("pooled_recall", value, *rest)
    ends = {"": value, "_low": float(low), "_high": float(high), "_interval": str(method)}
    return {f"{name}{end}": each for end, each in ends.items()}


def result_table(
    table: pd.DataFrame, columns: list[Column], *, within: tuple[str, ...] = (), note: str = ""
) -> pd.DataFrame:
    """Keep what ``columns`` show, with its parts, and the number of scans; attach the layout."""
    endings = ("", *PARTS, THESIS, *(f"{THESIS}{part}" for part in PARTS))
    kept = [f"{column.key}{ending}" for column in columns for ending in endings]
    kept = [name for name in dict.fromkeys([*kept, "n_scans"]) if name in table]
    unknown = [n for n in kept if n.endswith(f"{THESIS}_sd") and table[n].isna().all()]
    return laid_out(table[kept].drop(columns=unknown), columns, within=within, note=note)
