"""What notebooks 01 to 03 show: the cohort, its preprocessing, its microbleeds."""

from collections.abc import Iterator, Mapping

import pandas as pd

from cmbkit.chapters.dataset_analysis.figures import STRATA_TITLES, in_words
from cmbkit.chapters.preprocessing.refinement import CHOSEN, GROUP, NO_TRUTH
from cmbkit.chapters.sentences import listed, one_of, paragraph, with_interval
from cmbkit.evaluation.subgroups import ELSEWHERE, pooled_location
from cmbkit.running.steps import counted


@paragraph
def dataset_analysis_shows(
    every: pd.DataFrame, marginals: pd.DataFrame, strata: pd.DataFrame
) -> Iterator[str]:
    """What notebook 01 shows, from Tables 7.1 and S14 and the strata of Figure A.8."""
    cohort = every[every["n_scans"].notna()]
    n_scans, n_cmb, sick = (
        int(cohort[name].sum()) for name in ("n_scans", "n_cmb", "n_scans_with_cmb")
    )
    yield (
        f"The cohort has {counted(n_scans, 'scan')} from {counted(len(cohort), 'dataset')} with "
        f"{counted(n_cmb, 'CMB')}; {n_scans - sick} of the scans have none. The thesis's has "
        f"{every['n_scans_thesis'].sum():.0f} scans and {every['n_cmb_thesis'].sum():.0f} CMBs."
    )
    tested = cohort[cohort["split"] == "Test"]
    if len(tested):
        yield (
            f"Kept for testing: {listed(tested['dataset'])}, {tested['n_scans'].sum():.0f} "
            f"scans with {tested['n_cmb'].sum():.0f} CMBs."
        )
    if len(marginals):
        off, n = int(marginals["off"].sum()), len(marginals)
        close = f"{n - off} of {n} marginals that the thesis prints"
        yield one_of(
            (off == 0, f"All {n} marginals that the thesis prints are met (Table S14)."),
            (off > 0, f"The cohort meets {close} within the limits of Table S14 and misses {off}."),
        )
    gaps = split_gaps(in_words(strata)) if len(strata) else strata
    if len(gaps):
        worst, printed = gaps.loc[gaps["gap"].idxmax()], gaps["gap_thesis"].max()
        stratum = f'"{STRATA_TITLES[worst["column"]]}: {worst["value"]}"'
        yield one_of(
            (worst["gap"] > printed, "Training and validation differ most in the share of scans "
             f"with {stratum}, by {worst['gap']:.0f} percentage points; in the thesis no stratum "
             f"differs by more than {printed:.0f}: so few patients can keep the strata only "
             "roughly."),
            (worst["gap"] <= printed, f"No stratum differs by more than {worst['gap']:.0f} "
             "percentage points between training and validation, no more than in the thesis."),
        )  # fmt: skip
    made = cohort["source"] == "Synthetic"
    yield one_of(
        (made.all(), "As every scan is synthetic, the counts show that readers and splits do what "
         "chapter 4 says; they say nothing about patients."),
        (not made.all(), f"Real are the scans of {listed(cohort.loc[~made, 'dataset'])}."),
    )  # fmt: skip


def split_gaps(strata: pd.DataFrame) -> pd.DataFrame:
    """Share of each stratum in training less that in validation, points without sign.

    ``strata``: `dataset_analysis.table_a_8`. Columns: column, value, gap, gap_thesis; empty where
    one of the two splits has no scan.
    """
    if set(strata.get("split", ())) != {"train", "valid"}:
        return pd.DataFrame()
    rows = strata[strata["column"] != "stratify_label"]
    names = {"gap": "proportion_pct", "gap_thesis": "proportion_pct_thesis"}
    shares = rows.pivot_table(list(names.values()), ["column", "value"], "split").fillna(0.0)
    gaps = {
        name: (shares[(key, "train")] - shares[(key, "valid")]).abs() for name, key in names.items()
    }
    return pd.DataFrame(gaps).reset_index()


@paragraph
def preprocessing_shows(
    census: pd.DataFrame, radii: pd.DataFrame, settings: pd.DataFrame, changes: pd.DataFrame
) -> Iterator[str]:
    """What notebook 02 shows, from Tables S3, S2b, S2c and S4."""
    marks, final, again = (int(census[name].sum()) for name in ("annotated", "final", "recovered"))
    other = census.loc[census["annotated"] != census["final"], "dataset"]
    yield one_of(
        (other.empty, f"All {marks} marks of the raters reach the standard grid as CMBs."),
        (len(other) > 0, f"The raters' {marks} marks become {final} CMBs on the standard grid; "
         f"the count changes in {listed(other)}, and Table S4b gives the reason for each."),
    )  # fmt: skip
    yield one_of(
        (again > 0, f"{again} fell between the voxels of the standard grid and were marked again "
         "at their centre; by resampling alone the count would be too low."),
        (again == 0, "None fell between the voxels of the standard grid."),
    )  # fmt: skip
    outside = int(changes.loc[changes["kind"] == "outside", "n_cmb"].sum())
    if outside:
        yield (
            f"{counted(outside, 'CMB')} {'lies' if outside == 1 else 'lie'} outside the brain mask "
            "of this run; notebook 03 says where, and what follows from it."
        )
    if radii.empty:
        yield NO_TRUTH
        return
    n, before, after = (int(radii[k].sum()) for k in ("n", "twice_published", "twice_guarded"))
    yield one_of(
        (after < before, f"Refined as published, {before} of {n} regions are more than twice as "
         f"wide as what can be seen of the CMB; with the guard {after} are."),
        (after == before, f"Refined as published or with the guard, {before} of {n} regions are "
         "more than twice as wide as what can be seen of the CMB."),
        (after > before, f"The guard does harm here: {after} regions of {n} are more than twice as "
         f"wide as what can be seen of the CMB, {before} without it."),
    )  # fmt: skip
    groups = [part for _, part in settings.groupby(GROUP)]
    best = sum(part.loc[part["off"].idxmin(), "setting"] == CHOSEN for part in groups)
    yield (
        "The thesis takes the setting with the biggest region in each scan; by the published elbow "
        f"that choice comes nearest to the visible radius in {best} of {len(groups)} groups of "
        "Table S2c."
    )


@paragraph
def shape_location_features_shows(
    features: pd.DataFrame,
    sizes: pd.DataFrame,
    grids: pd.DataFrame,
    together: pd.DataFrame,
    trends: Mapping[str, pd.DataFrame],
    rater: pd.DataFrame,
) -> Iterator[str]:
    """What notebook 03 shows: from features, Tables S6, S22 and S27, correlations and trends."""
    known = sizes.dropna(subset=["radius_mm", "radius_mm_thesis"])
    if len(known):
        off = (known["radius_mm"] - known["radius_mm_thesis"]).abs() > known["radius_mm_thesis_sd"]
        yield (
            f"Mean radii run from {known['radius_mm'].min():.2f} to {known['radius_mm'].max():.2f} "
            f"mm; in {len(known) - off.sum()} of {len(known)} datasets the mean lies within one "
            "standard deviation of the thesis's."
        )
    values = ["inv_elongation", "inv_elongation_n"]
    means = grids.pivot_table(values, "dataset", "grid").dropna()
    if len(means):
        change = means["inv_elongation", "native"] - means["inv_elongation", "standard"]
        mean, n = (means.loc[change.abs().idxmax(), name] for name in values)
        yield (
            f"Inverse elongation depends on the grid: in {change.abs().idxmax()} its mean is "
            f"{mean['native']:.2f} on the raw image ({n['native']:.0f} CMBs that have one) and "
            f"{mean['standard']:.2f} on the standard grid ({n['standard']:.0f})."
        )
    shape = ["sphericity", "inv_flatness", "inv_elongation"]
    pairs = together[together["first"].isin(shape) & together["second"].isin(shape)]
    rho = pairs.loc[pairs["first"] != pairs["second"], "rho"].dropna()
    if len(rho):
        ends = f"(rank correlations {rho.min():.2f} to {rho.max():.2f})"
        yield one_of(
            (rho.min() > 0.3, "Sphericity, flatness and elongation go together, as the thesis says "
             f"by eye {ends}."),
            (True, "That sphericity, flatness and elongation all go together, as the thesis says "
             f"by eye, is not seen here {ends}."),
        )  # fmt: skip
    if "inv_elongation" in trends:
        line = trends["inv_elongation"].attrs
        slope = f"{with_interval(line, 'slope', 3)} per mm of slice thickness"
        yield one_of(
            (line["slope_high"] < 0, "CMBs are longer in thicker slices, as the thesis suspects: "
             f"inverse elongation changes by {slope}."),
            (line["slope_low"] > 0, "Against what the thesis suspects, CMBs are rounder in thicker "
             f"slices: inverse elongation changes by {slope}."),
            (True, "That thicker slices make CMBs longer, as the thesis suspects, is not shown: "
             f"inverse elongation changes by {slope}."),
        )  # fmt: skip
    outside = features[pooled_location(features) == ELSEWHERE]["dataset"].value_counts()
    if len(features):
        where = listed(f"{name} {n}" for name, n in outside.sort_index().items())
        yield one_of(
            (len(outside) > 0, f"{outside.sum()} of {len(features)} CMBs lie outside the brain "
             f"tissue of this run ({where}); candidates there are dropped, so these count as "
             "missed in the chapters that follow, whatever the network saw."),
            (outside.empty, f"All {len(features)} CMBs lie in the brain tissue of this run."),
        )  # fmt: skip
    every = rater[(rater["rater_location"] == "All") & (rater["n"] > 0)]
    if len(every):
        row = every.iloc[0]
        yield (
            f"Rater and parcellation name the same place for {row['n_same']} of {row['n']} CMBs "
            f"(kappa {row['kappa']:.2f}): results by place are no more certain than that."
        )
