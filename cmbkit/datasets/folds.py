"""Patient-wise k-fold cross-validation, which the thesis could not afford (section 9.4)."""

import numpy as np
import pandas as pd

from cmbkit.datasets.splits import (
    DERIVED_FROM,
    PUBLISHED_SPLITS,
    STRATA,
    stratified_patients,
    without_leaks,
)


def assign_folds(table: pd.DataFrame, folds: int, seed: int) -> pd.DataFrame:
    """Cut the patients of train and valid scans into folds of like composition.

    Patients are dealt in turn from the list in strata order (Figure A.8), within a stratum at
    random, those with a CMB first: fold sizes differ by at most one patient, also among patients
    with and among those without CMBs, and of every stratum by at most one patient.

    ``table``: scans to deal out, in the columns that `cmbkit.datasets.splits.assign_splits`
    needs.

    Returns
    -------
    DataFrame
        uid, dataset, patient, fold (from 1); one row per scan, in the order of ``table``.

    Raises
    ------
    ValueError
        If there are fewer patients than folds, or fewer with a CMB.
    """
    patients = stratified_patients(table)
    ill = patients["healthy_all"] == "False"
    for name, count in (("patients", len(patients)), ("patients with CMBs", int(ill.sum()))):
        if count < folds:
            raise ValueError(
                f"folds: expected at most the number of {name}, {count}; found {folds}"
            )
    rng = np.random.default_rng(seed)
    order = patients.iloc[rng.permutation(len(patients))]
    order = order.sort_values([*STRATA, "n_scans"], kind="stable")
    dealt, first = {}, 0
    for group in (order[order["healthy_all"] == "False"], order[order["healthy_all"] == "True"]):
        rows = zip(group["Dataset"], group["patient"], strict=True)
        dealt |= {row: (first + place) % folds + 1 for place, row in enumerate(rows)}
        first += len(group)
    pairs = zip(table["dataset"], table["patient"], strict=True)
    return table[["uid", "dataset", "patient"]].assign(fold=[dealt[pair] for pair in pairs])


def split_by_fold(table: pd.DataFrame, folds: pd.DataFrame, fold: int) -> pd.DataFrame:
    """Scan table whose column split has one fold as valid and the other folds as train.

    Scans made from a patient of the fold are excluded (`without_leaks`); those excluded only for
    the sake of another division come back to train. ``table`` has a column split, ``folds`` is
    from `assign_folds`.
    """
    of_scan = dict(zip(folds["uid"], folds["fold"], strict=True))
    seen = table.get("annotated", pd.Series(True, table.index)).astype(bool)
    splits = []
    for row, annotated in zip(table.itertuples(), seen, strict=True):
        if row.uid in of_scan:
            splits.append("valid" if of_scan[row.uid] == fold else "train")
        elif row.dataset in DERIVED_FROM and annotated and row.split == "excluded":
            splits.append("train")
        else:
            splits.append(row.split)
    return without_leaks(table.assign(split=splits))


def foldable(table: pd.DataFrame, own: dict[str, str]) -> pd.DataFrame:
    """Scans that are dealt out: those that `assign_splits` draws validation patients from."""
    splits = PUBLISHED_SPLITS | own
    drawn = {name for name, split in splits.items() if split == "train-valid"}
    return table[table["dataset"].isin(drawn) & table["split"].isin(["train", "valid"])]
