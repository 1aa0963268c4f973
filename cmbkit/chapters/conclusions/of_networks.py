"""What notebooks 04 to 07 show: training, detection, subgroups, published methods."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from cmbkit.chapters.detection import KEYS
from cmbkit.chapters.sentences import listed, one_of, paragraph, with_interval
from cmbkit.chapters.subgroup_analysis.odds import odds_in_words
from cmbkit.chapters.training import KEPT_BY, PHASES
from cmbkit.plotting.style import MODEL_NAMES
from cmbkit.published.any_table import CANNOT
from cmbkit.published.literature import ONLY_AS_MEAN
from cmbkit.published.thesis_cohort import AMBIGUITY, CONTRADICTION, ROUNDING, VERDICTS
from cmbkit.reporting.tables import range_text
from cmbkit.running.steps import counted

UNTRAINED = "dark blobs"


def named(model: str) -> str:
    """A model as the tables show it."""
    return MODEL_NAMES.get(model, model)


@paragraph
def training_shows(
    runs: pd.DataFrame,
    histories: Mapping[tuple[str, str], pd.DataFrame],
    transferred: pd.DataFrame,
    snapshots: Mapping[tuple[str, int], list[dict]],
    threshold: float,
) -> Iterator[str]:
    """What notebook 04 shows, from Tables S7 and S8, the histories and the followed CMBs."""
    if runs.empty:
        yield "Nothing is trained in this run: its networks are given, and Table S7 names them."
        return
    days = runs["days_thesis"].tolist()
    steps = [
        f"{named(row.model)} {row.gradient_steps} steps of {PHASES[row.phase]}"
        for row in runs.itertuples()
    ]
    yield (
        f"The runs are short: {listed(steps)}. The thesis's took "
        f"{' to '.join(map(str, sorted({min(days), max(days)})))} days each."
    )
    falls = [h["train_loss"].iloc[-1] < h["train_loss"].iloc[0] for h in histories.values()]
    unfinished = [h["val_loss"].idxmin() == h.index[-1] for h in histories.values()]
    yield (
        f"The training loss falls from the first to the last epoch in {sum(falls)} of {len(falls)} "
        f"runs; in {sum(unfinished)} the validation loss is lowest in the last epoch, so that more "
        "epochs might have helped."
    )
    first = runs[runs["phase"] == "pretrain"].set_index("model")
    if {"scratch", "tl"} <= set(first.index) and len(set(first["kept_by"])) == 1:
        kept_by, (tl, scratch) = first["kept_by"].iloc[0], first["best_value"][["tl", "scratch"]]
        a, b = (scratch, tl) if kept_by in ("loss", "final") else (tl, scratch)
        values = f"({tl:.2f} against {scratch:.2f} by {KEPT_BY[kept_by]}); "
        values += "one training of each cannot say whether that is chance"
        budget = "The thesis stopped TL after about half of Scratch's epochs. Here TL"
        word = one_of((a > b, "better"), (a < b, "worse"), (a == b, "same"))
        yield f"{budget} ends pre-training with the {word} validation value {values}."
    whole = transferred[transferred["action"] == "carried"]
    if len(whole) and whole["n_tensors"].sum():
        yield (
            f"The transfer keeps {whole['n_tensors'].sum()} tensors of the source network as they "
            f"are, {whole['parameters'].sum():,} parameters, and cuts or initialises "
            f"{len(transferred) - len(whole)}."
        )
    found = {key: found_in(series, threshold) for key, series in snapshots.items()}
    if found:
        some = [series for series in found.values() if series]
        yield one_of(
            (not some, "No CMB that was followed through pre-training reaches the threshold in any "
             f"epoch (n = {len(found)})."),
            (len(some) > 0, f"Of {counted(len(found), 'CMB')} followed through pre-training "
             f"{len(some)} {'reaches' if len(some) == 1 else 'reach'} the threshold, the first in "
             f"epoch {min(map(min, some), default=0)}."),
        )  # fmt: skip


def found_in(series: list[dict], threshold: float) -> list[int]:
    """Epochs in which the prediction touches the CMB; of `read_snapshots`."""
    return [
        int(each["epoch"])
        for each in series
        if ((each["probability"] >= threshold) & (np.asarray(each["lesion"]) > 0)).any()
    ]


@paragraph
def evaluation_shows(
    pooled: pd.DataFrame,
    dice: pd.DataFrame,
    compared: pd.DataFrame,
    counting: pd.DataFrame,
    baseline: pd.DataFrame,
    real: pd.DataFrame,
) -> Iterator[str]:
    """What notebook 05 shows, from Tables 7.3, 7.4, S45, 7.5, S9 and S10."""
    if pooled.empty:
        return
    model = pooled["model"].iloc[0]
    own = pooled[pooled["model"] == model].dropna(subset="pooled_f1")
    told = [
        f"{row['dataset']} {with_interval(row, 'pooled_f1')}{_printed(row, 'pooled_f1')}"
        for row in own.to_dict("records")
    ]
    if told:
        yield f"With all CMBs taken together, F1 of {named(model)} is: {listed(told)}."
    yield from _against(compared, pooled, "pooled_f1", "F1")
    yield from _against(compared, dice, "pooled_dice_tp", "Dice of found CMBs")
    many = counting[(counting["model"] == model) & counting["specificity"].notna()]
    many = many[many["threshold"] == 3]
    if len(many):
        told = [f"{with_interval(row, 'specificity')} in {row['dataset']}"
                for row in many.to_dict("records")]  # fmt: skip
        yield (
            f"The sensitivity of {named(model)} for scans with 3 or more CMBs is {listed(told)}; "
            "the thesis prints this number as specificity."
        )
    scores = baseline.pivot_table("pooled_f1", "dataset", "model")
    if {UNTRAINED, model} <= set(scores):
        both = scores[[UNTRAINED, model]].dropna()
        worse = both[both[UNTRAINED] >= both[model]].index
        yield one_of(
            (len(worse) == 0, "The untrained detector of dark blobs does worse by F1 in every "
             "dataset, so the cohort is not trivial."),
            (len(worse) > 0, "The untrained detector of dark blobs does as well or better by F1 in "
             f"{listed(worse)}: there training has gained nothing."),
        )  # fmt: skip
    implants = real[real["n_gt"] > 0]
    if len(implants):
        told = [f"{named(row.model)} {row.tp}" for row in implants.itertuples()]
        yield (
            f"Of the {implants['n_gt'].iloc[0]} lesions implanted into the real scan, this many "
            f"are found by each: {listed(told)}."
        )


def _printed(row: Mapping, key: str) -> str:
    value = row.get(f"{key}_thesis", np.nan)
    return f" (thesis {value:.2f})" if pd.notna(value) else ""


def _against(compared: pd.DataFrame, table: pd.DataFrame, key: str, what: str) -> Iterator[str]:
    """How TL stands to Scratch by a quantity: paired differences, and the thesis's order."""
    if not {"scratch", "tl"} <= set(table["model"]) or compared.empty:
        return
    rows = compared[compared["metric"] == key].dropna(subset="difference").set_index("dataset")
    printed = table.set_index(KEYS)[f"{key}_thesis"]
    printed = (printed.xs("tl", level="model") - printed.xs("scratch", level="model")).dropna()
    gain = rows["difference"].reindex(printed.index).dropna()
    same = int((np.sign(printed.reindex(gain.index)) == np.sign(gain)).sum())
    low, high = rows["difference_low"], rows["difference_high"]
    few, apart = rows.index[low.isna()], rows.index[(low > 0) | (high < 0)]
    start = f"By {what} TL is above Scratch in {listed(rows.index[rows['difference'] > 0])}; "
    known = f"paired by patient, the difference's interval leaves out 0 in {listed(apart)}"
    unknown = f" and is missing in {listed(few)} (too few patients)" if len(few) else ""
    order = f"; the thesis's order is the same in {same} of {len(gain)} datasets."
    yield start + known + unknown + order


@paragraph
def subgroup_analysis_shows(
    forest: pd.DataFrame,
    places: pd.DataFrame,
    shapes: pd.DataFrame,
    ratings: pd.DataFrame,
    mimics: pd.DataFrame,
    odds: pd.DataFrame,
    model: str,
) -> Iterator[str]:
    """What notebook 06 shows, from Tables S11, 8.2, 8.3, S36, S37 and S49."""
    slices = forest[forest["factor"] == "slice thickness"].dropna(subset="f1")
    for name, part in slices.groupby("dataset", sort=False):
        rows = part.set_index("subgroup").to_dict("index")
        if {"<3 mm", ">=3 mm"} <= set(rows):
            yield _thick_against_thin(name, rows[">=3 mm"], rows["<3 mm"])
    counts = places.assign(n=places["tp"] + places["fn"]).query("n > 0 and location != 'Elsewhere'")
    counts = counts.assign(recall=counts["tp"] / counts["n"])
    groups = (part for _, part in counts.groupby("dataset", sort=False) if len(part) > 1)
    worst = [part.loc[part["recall"].idxmin()] for part in groups]
    if worst:
        told = [f"{row.dataset} {row.location.lower()} ({row.tp} of {row.n})" for row in worst]
        yield f"The place with the lowest recall is, untested: {listed(told)}."
    annotated = shapes[(shapes["type"] == "GT") & (shapes["dataset"] == "CRB")].set_index("match")
    annotated = annotated.dropna(subset="inv_elongation")
    if {"FN", "TP"} <= set(annotated.index):
        missed, found = annotated["inv_elongation"][["FN", "TP"]]
        printed = annotated["inv_elongation_thesis"][["FN", "TP"]].dropna()
        thesis = f"; thesis {listed(f'{v:.2f}' for v in printed)}" if len(printed) else ""
        means = f"on average, untested (inverse elongation {missed:.2f}, {found:.2f}{thesis})"
        words = one_of(
            (missed < found, "longer than"),
            (missed > found, "rounder than"),
            (missed == found, "as long as"),
        )
        yield f"Missed CMBs of CRB are {words} found ones {means}."
    sure = ratings[ratings["model"] == model].drop_duplicates("certainty").set_index("certainty")
    if {"certain", "uncertain"} <= set(sure.index):
        certain, doubted = (sure.loc[name] for name in ("certain", "uncertain"))
        apart = certain["recall_low"] > doubted["recall_high"]
        start = f"Recall is {with_interval(certain, 'recall')} for CMBs that the rater was certain "
        start = f"{start}of and {with_interval(doubted, 'recall')} for doubted ones"
        yield one_of(
            (apart, f"{start}: the detector doubts what the rater doubts."),
            (not apart, f"{start}; so few doubted ones show no difference."),
        )
    near = mimics[(mimics["model"] == model) & (mimics["kind"] == "All") & (mimics["n_fp"] > 0)]
    if len(near):
        row = near.iloc[0]
        yield (
            f"The rater marked {row['n_mimics']} mimics in CRB; on them lie {row['n_fp_near']} of "
            f"the {row['n_fp']} false positives there."
        )
    yield odds_in_words(odds)


def _thick_against_thin(dataset: str, thick: Mapping, thin: Mapping) -> str:
    """Whether F1 in thick slices is worse; scans of other patients, so intervals are compared."""
    f1 = (
        f"F1 is {with_interval(thick, 'f1')} in slices of 3 mm and more, "
        f"{with_interval(thin, 'f1')} in thinner ones"
    )
    few = [side for side in (thick, thin) if not np.isfinite(side["f1_low"])]
    return one_of(
        (len(few) > 0, f"In {dataset} {f1}: too few patients for a comparison."),
        (thick["f1_high"] < thin["f1_low"], f"In {dataset} detection is worse where slices are "
         f"thick, as in the thesis's CRB: {f1}."),
        (thick["f1"] < thin["f1"], f"In {dataset} {f1}: lower, as in the thesis's CRB, but the "
         "intervals overlap."),
        (thick["f1"] >= thin["f1"], f"In {dataset} thick slices are not shown to be harder: {f1}."),
    )  # fmt: skip


@paragraph
def literature_comparison_shows(table: pd.DataFrame, findings: pd.DataFrame) -> Iterator[str]:
    """What notebook 07 shows, from Table 8.4 and the audit."""
    own = table["own"].astype(bool)
    published = table[~own]
    counted = int(published["n_ways"].fillna(0).gt(0).sum())
    yield (
        f"Of {len(published)} published rows {counted} follow from whole counts of CMBs, so that "
        f"they can be given an interval; for {len(published) - counted} no such counts exist or "
        "are printed."
    )
    if published["verdict"].isin([CANNOT, ONLY_AS_MEAN]).any():
        kinds = published["verdict"].value_counts()
        yield (
            f"Rates that cannot come from whole counts of CMBs: {kinds.get(CANNOT, 0)} rows; that "
            f"can only if they are means, which the papers do not state: "
            f"{kinds.get(ONLY_AS_MEAN, 0)} rows."
        )
    of_thesis = published["of_thesis"].astype(bool)
    on_dou = published["data"] == "DOU"
    thesis, others = published[on_dou & of_thesis], published[on_dou & ~of_thesis]
    if len(thesis) and len(others):
        f1, above = thesis["f1"].iloc[0], int((others["f1"] > thesis["f1"].iloc[0]).sum())
        yield (
            f"On DOU's 20 scans the thesis prints an F1 of {f1:.2f}; {above} of {len(others)} "
            f"others print a higher one, and {int((others['matching'] == 'not stated').sum())} do "
            "not state how they match."
        )
        per_scan, per_cmb = thesis["fp_scan"].iloc[0], thesis["fp_cmb"].iloc[0]
        yield one_of(
            (per_scan > per_cmb, f"Its false positives are {per_scan:.2f} per scan; the "
             f"{per_cmb:.3f} that it prints as such are per CMB."),
        )  # fmt: skip
    if own.any():
        ends = range_text(table.loc[own, "f1"].min(), table.loc[own, "f1"].max(), 2)
        yield f"The {own.sum()} rows of this run, F1 {ends}, show where one's own result stands."
    kinds = findings["verdict"].value_counts().reindex(VERDICTS, fill_value=0)
    if kinds.sum() != len(findings):
        raise ValueError(
            f"verdict: expected {', '.join(VERDICTS)}, found {set(findings['verdict'])}"
        )
    places = findings.loc[findings["verdict"] == CONTRADICTION, "where"].nunique()
    yield (
        f"Of {len(findings)} computations on the thesis's printed numbers {kinds[CONTRADICTION]} "
        f"contradict another printed number, in {places} places; {kinds[AMBIGUITY]} more fit by "
        f"one of two readings, and {kinds[ROUNDING]} are rounding."
    )
