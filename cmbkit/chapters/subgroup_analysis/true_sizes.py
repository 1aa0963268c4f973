"""Are missed microbleeds larger or smaller? Table 8.3 by refined, visible and true size."""

import numpy as np
import pandas as pd

from cmbkit.chapters.detection import DATASET, DATASETS, INTERVAL, in_order
from cmbkit.chapters.preprocessing.refinement import as_chosen, with_setting
from cmbkit.chapters.subgroup_analysis.tables import about
from cmbkit.evaluation.intervals import jackknife_t
from cmbkit.evaluation.metrics import divide
from cmbkit.evaluation.statistics import left_out
from cmbkit.reporting.layout import Column, heads, laid_out

SIZES = {
    "published": "refined as published",
    "refined": "refined, this run",
    "visible": "visible",
    "true": "true",
}
"""Of these, "published" is the grown region without the guard, "refined" what Table 8.3 shows."""
NO_TRUTH = "No truth is known of the CMBs of this run, so the effect of leaks is unknown."
TOGETHER = "All"


def sized(matches: pd.DataFrame, trials: pd.DataFrame, model: str) -> pd.DataFrame:
    """Annotated CMBs of known truth, found or missed, with the radius (mm) of each of `SIZES`.

    ``trials`` (`cmbkit.study.refinement.trials`) give the published radius of points and
    scribbles; of a mask it is the refined one.
    """
    own = matches[(matches["model"] == model) & matches["gt_radius_visible_mm"].notna()]
    grown = trials[~trials["guard"].astype(bool)]
    grown = as_chosen(with_setting(grown))[["uid", "id", "radius_mm"]]
    grown = grown.rename(columns={"id": "gt_id", "radius_mm": "published"})
    grown = grown.astype({"gt_id": float, "published": float})
    own = own.merge(grown, on=["uid", "gt_id"], how="left", validate="one_to_one")
    radii = {"refined": own["gt_radius_mm"], "visible": own["gt_radius_visible_mm"]}
    own = own.assign(**radii, true=own["gt_radius_true_mm"])
    return own.assign(published=own["published"].fillna(own["refined"]))


def table_8_3b(matches: pd.DataFrame, trials: pd.DataFrame, *, model: str) -> pd.DataFrame:
    """Radius of found and of missed CMBs by every size that is known of them (Table 8.3b).

    Returns
    -------
    DataFrame
        dataset ("All": together), size (of `SIZES`), n_found, n_missed, n_leaked; found, missed
        (mean radius in mm, with _sd), difference (missed less found) with the _low and _high of a
        95 % interval and its _interval (see `intervals.jackknife_t`). No row where no truth is
        known.
    """
    rows, own = [], sized(matches, trials, model)
    names = list(in_order(own[["dataset"]].drop_duplicates(), dataset=DATASETS)["dataset"])
    for dataset in [*names, TOGETHER] if len(own) else []:
        part = own if dataset == TOGETHER else own[own["dataset"] == dataset]
        found = (part["match"] == "TP").to_numpy()
        for size in SIZES:
            row = {"dataset": dataset, "size": size, "n_found": found.sum()}
            row |= {"n_missed": (~found).sum(), "n_leaked": int(part["gt_leaked"].eq(True).sum())}
            for name, chosen in (("found", found), ("missed", ~found)):
                row |= {name: part[size][chosen].mean(), f"{name}_sd": part[size][chosen].std()}
            rows.append(row | _difference(part, part[size].to_numpy(float), found))
    columns = [
        DATASET,
        Column("size", "Radius", names=SIZES),
        *heads(n_found="Found", n_missed="Missed", n_leaked="Leaked regions"),
        *(Column("found", "Found (mm)", 2), Column("missed", "Missed (mm)", 2)),
        Column("difference", "Missed - found (mm)", 2),
    ]
    note = f"{about(model)} The same CMBs in every row of a dataset. Mean ± SD {INTERVAL}. "
    note = f"{note}Leaked: of the regions of this run." if rows else NO_TRUTH
    return laid_out(pd.DataFrame(rows, columns=None if rows else ["dataset"]), columns, note=note)


def _difference(rows, radius, found) -> dict:
    """Mean radius of missed less that of found CMBs, with its interval; patients as units."""
    weights = np.vstack([np.ones(len(rows)), left_out(rows)])
    means = [divide(weights[:, k] @ radius[k], weights[:, k].sum(axis=1)) for k in (~found, found)]
    value, *without = np.subtract(*means)
    parts = ("", "_low", "_high", "_interval")
    ends = jackknife_t(value, without)
    return {f"difference{p}": end for p, end in zip(parts, (value, *ends), strict=True)}


def leak_in_words(table: pd.DataFrame, dataset: str = "CRB") -> str:
    """Whether leaks of region growing make missed CMBs look larger, from `table_8_3b`.

    ``dataset``: the one to tell of; all together where it is not in the table.
    """
    if table.empty:
        return NO_TRUTH
    dataset = dataset if dataset in set(table["dataset"]) else TOGETHER
    rows = table[table["dataset"] == dataset].set_index("size")
    told = {size: _direction(rows.loc[size]) for size in SIZES}
    facts = "; ".join(
        f"{SIZES[size]} {row['difference']:+.2f} mm [{_ends(row)}]" for size, row in rows.iterrows()
    )
    first = rows.iloc[0]
    start = f"{dataset}, {first['n_found']} found and {first['n_missed']} missed CMBs; missed less "
    return f"{start}found radius: {facts}. {_verdict(told)}"


def _ends(row: pd.Series) -> str:
    if _direction(row) == "not known":
        return row["difference_interval"]
    return f"{row['difference_low']:.2f}, {row['difference_high']:.2f}"


def _direction(row: pd.Series) -> str:
    if np.isnan(row["difference_low"]) or np.isnan(row["difference_high"]):
        return "not known"
    if row["difference_low"] > 0:
        return "larger"
    return "smaller" if row["difference_high"] < 0 else "no different"


SAID = {
    "larger": "missed CMBs are larger",
    "smaller": "missed CMBs are smaller",
    "no different": "no difference is shown",
}


def _verdict(told: dict[str, str]) -> str:
    """What the directions of missed against found CMBs by each size mean together."""
    published, true = told["published"], told["true"]
    if "not known" in (published, true):
        return "An interval is missing: which of them are larger is unknown."
    if published == "larger" and true != "larger":
        same = "they are smaller" if true == "smaller" else SAID[true]
        refined = told["refined"]
        rest = f"by this run's refinement: {SAID.get(refined, refined)}"
        return (
            f"By the published refinement missed CMBs are larger, in truth {same}: the leak made "
            f"the finding here, and may have made the thesis's; {rest}."
        )
    if published == true == "no different" and told["visible"] == "smaller":
        return (
            "By what can be seen of them missed CMBs are smaller; neither the published refinement "
            "nor the source itself shows a difference: the leak hides it here, but does not turn "
            'it into the thesis\'s "missed are larger".'
        )
    if published == true == "no different":
        return (
            "Neither by refined nor by true size is a difference shown: whether the leak makes the "
            "thesis's finding cannot be told from so few patients."
        )
    if published == true:
        return (
            f"By refined and by true size alike missed CMBs are {true}: here the leak does not "
            "make the finding, so it does not explain the thesis's."
        )
    if published == "smaller":
        return (
            f"By the published refinement missed CMBs are smaller, in truth {SAID[true]}: the leak "
            'does not make the thesis\'s "missed are larger" here.'
        )
    return (
        f"By the published refinement no difference is shown, in truth {SAID[true]}: the leak "
        'hides it here, but does not turn it into the thesis\'s "missed are larger".'
    )
