"""Tables 5.1 and S2 to S5."""

from collections.abc import Iterable

import pandas as pd

from cmbkit.chapters.beside import beside
from cmbkit.features.columns import n_leaked
from cmbkit.preprocessing.census import STATES
from cmbkit.preprocessing.changes import KINDS
from cmbkit.published.numbers import thesis_table
from cmbkit.records import Scan
from cmbkit.reporting.layout import Column, heads, laid_out

NOT_APPLICABLE = "n/a"
MARKS = {True: "✓", False: "✗", None: NOT_APPLICABLE}
"""How Table 5.1 prints that a step is done, skipped, not applicable."""
RAW_ANNOTATION = {
    "mask": ("full 3d mask", False),
    "points": ("center of CMB", True),
    "scribbles": ("scribble", True),
}
"""Kind of annotation to its name in Table 5.1 and whether steps 1 and 2 are needed."""
STEPS_5_1 = {
    "step_0": "Step 0",
    "step_1": "Step 1",
    "step_2": "Step 2",
    "steps_3_6": "Steps 3-6",
}
COUNTS = {
    "annotated": "Annotated",
    **{state: state.capitalize() for state in STATES},
    "collapsed": "Components",
    "recovered": "Marked again",
}
STEPS = ("intensities", *STATES.values())
WORDS = {kind: known.text for kind, known in KINDS.items()}


def table_5_1(scans: Iterable[Scan]) -> pd.DataFrame:
    """Processing steps that each dataset goes through, beside the printed ones (Table 5.1).

    Region growing (step 1) and spheres (step 2) are for centres and scribbles; masks skip them,
    and a dataset without annotations has nothing to refine.

    Returns
    -------
    DataFrame
        One row per dataset and kind of annotation: raw_annotation, step_0, step_1, step_2,
        steps_3_6 (True done, False skipped, None not applicable), each also as printed.
    """
    rows, kinds = [], {}
    for scan in scans:
        kinds.setdefault(scan.dataset, set()).add(scan.annotation.kind)
    for dataset in sorted(kinds):
        found = [told for kind, told in RAW_ANNOTATION.items() if kind in kinds[dataset]]
        for name, refined in found or [(NOT_APPLICABLE, None)]:
            rows.append([dataset, name, True, refined, refined, True])
    own = pd.DataFrame(rows, columns=["dataset", "raw_annotation", *STEPS_5_1], dtype=object)
    printed = thesis_table("5.1").fillna(NOT_APPLICABLE)
    done = {mark: step for step, mark in MARKS.items()}
    printed = printed.assign(**{name: [done[mark] for mark in printed[name]] for name in STEPS_5_1})
    printed = printed.astype(object)
    columns = heads("dataset", raw_annotation="Raw annotation")
    columns += [Column(name, title, names=MARKS) for name, title in STEPS_5_1.items()]
    return laid_out(beside(own, printed, ["dataset"]), columns)


def table_s2(microbleeds: pd.DataFrame) -> pd.DataFrame:
    """One row per dataset and winning setting of region growing, with the mean radii it gave.

    ``microbleeds``: one row per annotated CMB as preprocessing writes it, with uid and dataset.
    """
    columns = [
        *heads("dataset", connectivity="Neighbours", reference="Compared with"),
        *heads("difference", n_scans="Scans", n_cmb="CMBs", n_elbow="Elbow found"),
        Column("native_radius_mm", "Radius, native grid (mm)", 2),
        Column("radius_mm", "Radius, standard grid (mm)", 2),
        Column("n_leaked", "Leaked"),
    ]
    grown = microbleeds.dropna(subset=["tolerance"]).astype({"connectivity": int, "elbow": bool})
    rows = grown.groupby(["dataset", "connectivity", "reference", "difference"]).agg(
        n_scans=("uid", "nunique"),
        n_cmb=("id", "size"),
        n_elbow=("elbow", "sum"),
        native_radius_mm=("native_radius_mm", "mean"),
        radius_mm=("radius_mm", "mean"),
    )
    keys = ["dataset", "connectivity", "reference", "difference"]
    rows["n_leaked"] = n_leaked(grown, keys)
    note = (
        "Mean radii. Leaked: regions whose size is not the CMB's."
        if len(rows)
        else "No point or scribble in this run, from which to grow."
    )
    return laid_out(rows.reset_index(), columns, note=note)


def table_s3(census: pd.DataFrame) -> pd.DataFrame:
    """CMBs by dataset in each state (Table S3).

    ``annotated`` are raters' marks (a scribble may cover several CMBs); ``recovered`` were lost
    between voxels and marked again; ``collapsed`` are the 6-connected components that remain
    when all labels become one binary mask, as the thesis counted.

    ``census``: one row per scan: dataset, annotated, refined, resampled, pruned, final,
    collapsed.
    """
    table = census.assign(recovered=census["final"] - census["resampled"])
    table = table.groupby("dataset")[list(COUNTS)].sum().reset_index()
    return laid_out(table, heads("dataset", **COUNTS))


def table_s4(changes: pd.DataFrame) -> pd.DataFrame:
    """Scans and CMBs by dataset, step and kind of change (Table S4).

    ``changes``: one row per change: uid, dataset and the columns of
    `cmbkit.preprocessing.changes`.
    """
    columns = [
        *heads("dataset", "step"),
        Column("kind", "What happened", names=WORDS),
        *heads(n_scans="Scans", n_cmb="CMBs"),
    ]
    keys = ["dataset", "step", "kind"]
    table = changes.assign(step=pd.Categorical(changes["step"], STEPS, ordered=True))
    table = table.drop_duplicates([*keys, "uid", "id"]).groupby(keys, observed=True)
    table = table.agg(n_scans=("uid", "nunique"), n_cmb=("id", "count")).reset_index()
    nothing = "No step changed a microbleed or a scan."
    return laid_out(table.astype({"step": object}), columns, otherwise=nothing)


def table_s4b(changes: pd.DataFrame) -> pd.DataFrame:
    """Every CMB whose labels or connected pieces a step changed in number (Table S4b).

    Split, lost and marked again, fragmented, merged, parted, pruned; no row where no step
    changed any count. Parameters are those of `table_s4`.
    """
    columns = [
        *heads(uid="Scan", id="CMB", step="Step"),
        Column("kind", "What happened", names=WORDS),
        *heads("before", "after", unit="Counted", other="Other CMB or scribble"),
    ]
    counted = changes["kind"].map({kind: known.counts for kind, known in KINDS.items()})
    table = changes.loc[counted.astype(bool), [column.key for column in columns]]
    nothing = "No step changed a number of microbleeds or of their pieces."
    return laid_out(table.reset_index(drop=True), columns, otherwise=nothing)


def table_s5(census: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Which brain mask and parcellation ran, and how many scans held NaN (Table S5).

    Parameters
    ----------
    census : DataFrame
        One row per scan: uid, dataset, brain_mask, parcellation.
    changes : DataFrame
        As in `table_s4`.
    """
    columns = heads("dataset", brain_mask="Brain mask", parcellation="Brain regions")
    columns += heads(n_scans="Scans", n_with_nan="with NaN")
    replaced = changes.loc[changes["kind"] == "replaced", "uid"]
    table = census.assign(with_nan=census["uid"].isin(replaced))
    table = table.groupby(["dataset", "brain_mask", "parcellation"])
    table = table.agg(n_scans=("uid", "size"), n_with_nan=("with_nan", "sum"))
    return laid_out(table.reset_index(), columns)
