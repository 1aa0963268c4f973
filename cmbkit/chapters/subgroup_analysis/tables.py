"""Tables 8.1 to 8.3: detection by sequence, number and location of CMBs, and their shape."""

import pandas as pd

from cmbkit.chapters.beside import beside
from cmbkit.chapters.detection import (
    COUNTS,
    DATASET,
    DATASETS,
    INTERVAL,
    in_order,
    result_table,
)
from cmbkit.evaluation import subgroups
from cmbkit.evaluation.statistics import summary_by
from cmbkit.features.columns import SHAPES, mean_shapes, n_leaked
from cmbkit.params import Evaluation
from cmbkit.plotting.style import MODEL_NAMES
from cmbkit.published.numbers import thesis_numbers
from cmbkit.reporting.layout import Column, heads, laid_out

PRINTED_LEVELS = {"high": ">=3", "low": "<3", "none": "0"}
RATES = {
    "scan_precision": "scanPrecision",
    "scan_recall": "scanRecall",
    "scan_f1": "scanF1",
    "scan_f1_star": "scanF1*",
    "pooled_f1": "globF1",
}


def table_8_1(scans: pd.DataFrame, params: Evaluation, *, model: str) -> pd.DataFrame:
    """Detection by sequence and number of CMBs, for one model.

    ``scans``: scan rows of all models: dataset, patient, model, sequence, n_gt, tp, fp, fn.

    Columns: dataset, sequence, cmb_level, n_scans, tp, fp, fn, scan_precision, scan_recall,
    scan_f1, scan_f1_star, pooled_f1 with their parts. Scans without CMBs, which the thesis leaves
    out, have rows of their own (level "none"), so that the counts add up.
    """
    groups = scans.assign(cmb_level=subgroups.number_of_cmbs(scans))
    levels = {text: level for level, text in PRINTED_LEVELS.items()}
    printed = thesis_numbers("8.1")
    printed = printed.assign(cmb_level=printed["cmb_level"].map(levels))
    orders = {"sequence": ("SWI", "T2S"), "cmb_level": subgroups.LEVELS}
    columns = [*heads("sequence"), Column("cmb_level", "CMBs", names=PRINTED_LEVELS)]
    return _by_subgroup(groups, printed, orders, columns, params, model)


def table_8_2(
    scans: pd.DataFrame,
    matches: pd.DataFrame,
    params: Evaluation,
    *,
    model: str,
    pairs: str = "reference",
) -> pd.DataFrame:
    """Detection by location, for one model.

    Parameters
    ----------
    scans : DataFrame
        As for `table_8_1`: which scans there are, those without matches too.
    pairs : {"reference", "each"}
        Where a TP belongs whose two halves lie apart (see `subgroups.at_location`).

    Returns
    -------
    DataFrame
        As from `table_8_1` with location for sequence and cmb_level. CMBs in no region of Table
        4.2 have rows of their own ("Elsewhere"), so that the counts add up.
    """
    scans, matches = scans[scans["model"] == model], matches[matches["model"] == model]
    groups = subgroups.recounted_by_location(scans, matches, pairs)
    orders, columns = {"location": subgroups.LOCATIONS}, heads("location")
    return _by_subgroup(groups, thesis_numbers("8.2"), orders, columns, params, model)


def _by_subgroup(scans, printed, orders, columns, params, model) -> pd.DataFrame:
    keys = ["dataset", *orders]
    groups = in_order(scans[scans["model"] == model], dataset=DATASETS, **orders)
    table = summary_by(groups, keys, params)
    names = {name: name for name in ("tp", "fp", "fn", *RATES)} | {"pooled_f1": "glob_f1"}
    printed = printed if model == "scratch" else printed.iloc[:0]
    printed = printed[printed["dataset"].isin(table["dataset"])]
    table = in_order(beside(table, printed, keys, names, rows="both"), dataset=DATASETS, **orders)
    counts = ["n_scans", "tp", "fp", "fn"]  # a group that the thesis alone has
    table[counts] = table[counts].fillna(0).astype(int)
    shown = [DATASET, *columns, Column("n_scans", "Scans"), *COUNTS]
    shown += [Column(key, title, 3) for key, title in RATES.items()]
    note = f"{about(model)} Mean ± SD over scans {INTERVAL} (scans)."
    return result_table(table, shown, note=note)


def table_8_3(matches: pd.DataFrame, *, model: str) -> pd.DataFrame:
    """Shape of annotated and predicted CMBs that were found, missed and invented, for one model.

    Columns: match ("FN", "FP", "TP"), type ("GT" or "Pred"), dataset, n and the mean of each of
    `features.columns.SHAPES` with its _sd, beside the thesis's; n_leaked.
    """
    shapes = subgroups.shapes_by_match(matches[matches["model"] == model])
    datasets = in_order(shapes[["dataset"]].drop_duplicates(), dataset=DATASETS)["dataset"]
    keys = ["match", "type", "dataset"]
    kinds = (("FN", "GT"), ("FP", "Pred"), ("TP", "GT"), ("TP", "Pred"))
    own = mean_shapes(shapes, keys, [(*kind, name) for kind in kinds for name in datasets])
    own = own.join(n_leaked(shapes, keys), on=keys).fillna({"n_leaked": 0})
    own = own.astype({"n_leaked": int})
    printed = thesis_numbers("8.3").rename(columns={"call": "match"})
    printed = printed if model == "scratch" else printed.iloc[:0]
    names = {name: name for name in ("n", *SHAPES)}
    table = beside(own, printed, keys, names)
    shown = heads("match", "type", "dataset", n="n")
    shown += [Column(key, title, 2) for key, title in SHAPES.items()]
    note = f"{about(model)} Mean ± SD over CMBs. Leaked: grown regions whose size is not theirs."
    nothing = "No microbleeds and no candidates in these scans."
    return laid_out(table, [*shown, Column("n_leaked", "Leaked")], note=note, otherwise=nothing)


def about(model: str) -> str:
    """First sentence of a note: which model a table is about."""
    return f"Model: {MODEL_NAMES.get(model, model)}."
