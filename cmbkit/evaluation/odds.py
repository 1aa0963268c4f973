"""Odds of being found: every variable at once, and each alone, with patients as random effect."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cmbkit.evaluation.intervals import FEWEST_PATIENTS
from cmbkit.evaluation.mixed_logistic import MixedLogistic, NotFitted, fit, separating

FEWEST_PER_COEFFICIENT = 5
"""Of the rarer outcome (Vittinghoff and McCulloch 2007); with fewer there is no model."""


@dataclass(frozen=True)
class Variable:
    """What may change the odds of being found.

    Attributes
    ----------
    name : str
    of_each : Series
        Of every microbleed: numbers, or names of levels.
    scale : str
        Of numbers: what an odds ratio is for, e.g. "per 0.5 mm".
    step : float
        Of numbers: that step.
    """

    name: str
    of_each: pd.Series
    scale: str = ""
    step: float = 1.0


def odds_table(
    found: pd.Series, variables: list[Variable], patients: pd.Series
) -> tuple[pd.DataFrame, MixedLogistic | None]:
    """Odds ratios of all variables in one model, and of each in a model of its own.

    Parameters
    ----------
    found : Series of bool
        Of every microbleed; all Series share their index. Those with a missing value are left out.
    patients : Series
        Whom a microbleed belongs to.

    Returns
    -------
    table : DataFrame
        One row per number and per level but the reference, which is the level with most of the
        rarer outcome: variable, scale, n and n_found (of a level, or all), n_patients; odds (all
        variables in one model) and alone (a model of this variable), with _low and _high; inflation
        (how much the other variables widen the variance, 1: not at all); remark (why there is no
        odds ratio, or no interval: fewer than `intervals.FEWEST_PATIENTS` on one side).
    model : MixedLogistic or None
        Of all variables.
    """
    told = pd.concat([found, patients, *(v.of_each for v in variables)], axis=1)
    known = told.notna().all(axis=1)
    y, who = found[known].to_numpy(bool), patients[known]
    about, columns = _columns(
        [v for v in variables if len(v.of_each[known].unique()) > 1], known, y
    )
    table = pd.DataFrame(about, columns=["variable", "scale", "level", "reference"])
    inside = columns != 0 if len(table) else columns
    inside[:, ~table["level"].to_numpy(bool)] = True
    table["n"], table["n_found"] = inside.sum(axis=0), inside[y].sum(axis=0)
    table["n_patients"] = [who[inside[:, i]].nunique() for i in range(len(table))]
    model, every = _fitted("odds", y, columns, table, who)
    alone = [
        _fitted("alone", y, columns[:, part.index], part.reset_index(drop=True), who)[1]
        for _, part in table.groupby("variable", sort=False)
    ]
    own = pd.concat(alone, ignore_index=True) if alone else pd.DataFrame()
    own = own.rename(columns={"remark": "of_alone"})
    table = table.join(every).join(own)
    together = np.corrcoef(columns, rowvar=False).reshape(len(table), len(table))
    table["inflation"] = np.diag(np.linalg.pinv(together))
    for i in np.flatnonzero((table["remark"] == "") & (table.get("of_alone", "") != "")):
        table.loc[i, "remark"] = f"alone: {table['of_alone'][i]}"
    apart = [_fewer(row, variables, known, who) for row in table.itertuples()]
    for i in np.flatnonzero(np.array(apart, int) < FEWEST_PATIENTS):
        table.loc[i, ["odds_low", "odds_high", "alone_low", "alone_high"]] = np.nan
        if not table["remark"][i]:
            table.loc[i, "remark"] = f"{apart[i]} patients on one side: too few for an interval"
    return table.drop(columns=["level", "reference", "of_alone"], errors="ignore"), model


def _fewer(row, variables, known, who) -> int:
    """Patients with the level of a row, or with its reference if those are fewer; of all."""
    if not row.level:
        return who.nunique()
    (values,) = (v.of_each[known] for v in variables if v.name == row.variable)
    return min(row.n_patients, who[values == row.reference].nunique())


def _columns(variables, known, y) -> tuple[list[tuple], np.ndarray]:
    """Rows (variable, scale, is a level, reference) and their columns: centred numbers, or 0/1."""
    about, columns = [], []
    for variable in variables:
        values = variable.of_each[known]
        if pd.api.types.is_numeric_dtype(values):
            about.append((variable.name, variable.scale, False, ""))
            columns.append((values - values.mean()).to_numpy(float) / variable.step)
            continue
        rarer = pd.crosstab(values, y).reindex(columns=[False, True], fill_value=0).min(axis=1)
        reference = rarer.idxmax()
        for level in rarer.index.drop(reference):
            about.append((variable.name, f"{level} against {reference}", True, reference))
            columns.append((values == level).to_numpy(float))
    return about, np.column_stack(columns) if columns else np.zeros((len(y), 0))


def _fitted(name: str, y, columns, about, who) -> tuple[MixedLogistic | None, pd.DataFrame]:
    """A model, and its odds ratios under ``name`` with remarks.

    Levels in which all or none were found have no finite odds ratio: they leave the model with
    their microbleeds.
    """
    kept, rows = np.ones(len(about), bool), np.ones(len(y), bool)
    shown = pd.DataFrame(index=range(len(about)), columns=[name, f"{name}_low", f"{name}_high"])
    shown, model = shown.astype(float).assign(remark=""), None
    for i in np.flatnonzero(about["level"]):
        if about["n_found"][i] in (0, about["n"][i]):
            said = "none" if about["n_found"][i] == 0 else "all"
            shown.loc[i, "remark"] = f"{said} of {about['n'][i]} found: no finite odds ratio"
            kept[i], rows[columns[:, i] > 0] = False, False
    try:
        design = np.column_stack([np.ones(rows.sum()), columns[rows][:, kept]])
        _enough(y[rows], design, about["variable"][kept])
        model = fit(y[rows], design, who[rows])
        for column, values in zip(shown, model.odds_ratios, strict=False):
            shown.loc[kept, column] = values[1:]
    except NotFitted as error:
        shown.loc[kept, "remark"] = str(error)
    return model, shown


def _enough(y, design, names) -> None:
    rarer, needed = min(y.sum(), (~y).sum()), FEWEST_PER_COEFFICIENT * (design.shape[1] - 1)
    if rarer < max(needed, 1):
        raise NotFitted(f"too few: {rarer} of the rarer outcome, {needed} needed")
    apart = separating(y, design)[1:]
    if apart.any():
        raise NotFitted(f"{', '.join(dict.fromkeys(names[apart]))} separate found from missed")
