"""Training, validation and test split: by patient, stratified, seeded (section 7.1.2)."""

import numpy as np
import pandas as pd

SPLIT_DATASETS = ("MOMENI", "RODEJA", "VALDO")
TRAIN_DATASETS = ("CRBneg", "sMOMENI")
TEST_DATASETS = ("CRB", "DOU")
PUBLISHED_SPLITS = (
    dict.fromkeys(SPLIT_DATASETS, "train-valid")
    | dict.fromkeys(TRAIN_DATASETS, "train")
    | dict.fromkeys(TEST_DATASETS, "test")
)
DERIVED_FROM = {"sMOMENI": "MOMENI"}
"""Datasets whose scans are another one's brains, with the patient that each was made from."""
STRATA = ("Dataset", "healthy_all", "seq_type", "res_level", "field_strength", "CMB_level", "TE")
"""Columns of the strata, named and ordered as in Figure A.8."""

UNKNOWN = "Unspecified"
NEEDED = (
    *("uid", "dataset", "patient", "sequence", "resolution_level", "field_strength"),
    *("te_ms", "n_cmb"),
)


def _require(table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    missing = [name for name in columns if name not in table]
    if missing:
        raise ValueError(f"scan table: expected columns {', '.join(missing)}, found none of them")


def strata(table: pd.DataFrame) -> pd.DataFrame:
    """Stratum of every scan, in the words of Figure A.8.

    ``healthy_all`` is a property of the patient: no scan of the patient has a CMB. That is how
    the printed counts come about: MOMENI's 57 scans with CMBs belong to 30 patients, whose 90
    scans are the "False" ones of Figure A.8. ``CMB_level`` is "Unspecified" for these healthy
    patients; all scans of the others are "low" (fewer than 3 CMBs, also 0) or "high".

    ``table``: scan table.

    Returns
    -------
    DataFrame
        Text columns Dataset, healthy_all, seq_type, res_level, field_strength, CMB_level, TE,
        stratify_label; index of ``table``.
    """
    _require(table, NEEDED)
    healthy = table.groupby(["dataset", "patient"])["n_cmb"].transform("max") == 0
    level = np.where(healthy, UNKNOWN, np.where(table["n_cmb"] < 3, "low", "high"))
    te = [UNKNOWN if pd.isna(v) else f"{v:.1f}".replace(".", "_") for v in table["te_ms"]]
    field = table["field_strength"].astype(object)
    result = pd.DataFrame(
        {
            "Dataset": table["dataset"].astype(str),
            "healthy_all": healthy.astype(str),
            "seq_type": table["sequence"].astype(str),
            "res_level": table["resolution_level"].astype(str),
            "field_strength": field.where(field.notna(), UNKNOWN).astype(str),
            "CMB_level": level,
            "TE": te,
        },
        index=table.index,
    )
    rows = result[list(STRATA)].itertuples(index=False, name=None)
    result["stratify_label"] = pd.Series(["-".join(row) for row in rows], result.index, dtype=str)
    return result


def stratified_patients(table: pd.DataFrame) -> pd.DataFrame:
    """One row per patient: the stratum of the scan with most CMBs, and the number of scans."""
    rows = strata(table).assign(patient=table["patient"], uid=table["uid"], n_cmb=table["n_cmb"])
    key = ["Dataset", "patient"]
    rows["n_scans"] = rows.groupby(key)["uid"].transform("size")
    rows = rows.sort_values([*key, "n_cmb", "uid"], ascending=[True, True, False, True])
    return rows.drop_duplicates(key).reset_index(drop=True)


def _systematic(patients: pd.DataFrame, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw ``count`` patients at equal distances, random start, from the list in strata order.

    Every run of m neighbours in a list of n gives m * count / n patients, rounded up or down: so
    does every stratum, however small. Within a stratum the order is by number of scans, then
    random.
    """
    if not count:
        return patients.iloc[:0]
    order = patients.iloc[rng.permutation(len(patients))]
    order = order.sort_values([*STRATA, "n_scans"], kind="stable")
    places = (np.arange(count) + rng.random()) * len(order) / count
    return order.iloc[places.astype(int)]


def _validation_patients(
    patients: pd.DataFrame, fraction: float, rng: np.random.Generator
) -> set[tuple[str, str]]:
    healthy = patients["healthy_all"] == "True"
    drawn = [_systematic(patients[healthy], round(fraction * int(healthy.sum())), rng)]
    for _, group in patients[~healthy].groupby("Dataset"):
        wished = max(1, round(fraction * len(group)))
        drawn.append(_systematic(group, min(wished, len(group) - 1), rng))
    chosen = pd.concat(drawn)
    return set(zip(chosen["Dataset"], chosen["patient"], strict=True))


def assign_splits(
    table: pd.DataFrame, validation_fraction: float, seed: int, own: dict[str, str] | None = None
) -> pd.DataFrame:
    """Give every scan its split (sections 7.1.2.1 and 7.1.2.2).

    MOMENI, RODEJA and VALDO are split into train and valid by patient, with the strata of
    Figure A.8 in equal shares. Of the patients with CMBs each dataset gives at least one to
    valid and keeps at least one in train, so that a tiny cohort can be validated; its share may
    then be larger than the fraction. CRBneg and sMOMENI go to train. CRB and DOU are test.
    Datasets of one's own, and others named there, go where ``own`` says. Scans that nobody has
    annotated are excluded, and so are scans made from a patient who is on another side
    (`without_leaks`).

    Parameters
    ----------
    table : DataFrame
        Scan table, one row per scan; the order of the rows does not matter. Without a column
        annotated all scans count as annotated.
    validation_fraction : float
        Share of patients, over 0 and below 1.
    own : dict of str to {"train", "valid", "test", "train-valid"}, optional
        Split of further datasets, or another one for those above; of "train-valid" patients
        are drawn.

    Returns
    -------
    DataFrame
        A copy of ``table`` with column split: "train", "valid", "test" or "excluded".
    """
    _require(table, NEEDED)
    if not 0 < validation_fraction < 1:
        raise ValueError(f"validation_fraction: expected 0 to 1, found {validation_fraction}")
    fixed = PUBLISHED_SPLITS | (own or {})
    drawn = {name for name, split in fixed.items() if split == "train-valid"}
    unknown = sorted(set(table["dataset"]) - set(fixed))
    if unknown:
        raise ValueError(f"scan table: expected datasets {sorted(fixed)}, found {unknown}")
    rng = np.random.default_rng(seed)
    annotated = table.get("annotated", pd.Series(True, table.index)).astype(bool)
    to_split = table[table["dataset"].isin(drawn) & annotated]
    chosen = set()
    if len(to_split):
        chosen = _validation_patients(stratified_patients(to_split), validation_fraction, rng)

    def split(dataset: str, patient: str, seen: bool) -> str:
        if not seen:
            return "excluded"
        if dataset in drawn:
            return "valid" if (dataset, patient) in chosen else "train"
        return fixed[dataset]

    rows = zip(table["dataset"], table["patient"], annotated, strict=True)
    return without_leaks(table.assign(split=[split(*row) for row in rows]))


def without_leaks(table: pd.DataFrame) -> pd.DataFrame:
    """Exclude scans made from a patient whose own scans are in another split.

    An sMOMENI scan is a MOMENI patient's brain with other microbleeds: a network that trains on
    it knows the brain that it is tested on. Whatever brought the patient there (a random draw, a
    fold, the parameter file), the scan is left out.

    ``table``: scan table with columns dataset, patient and split; ``patient`` of a derived scan
    is the patient of the dataset in `DERIVED_FROM` that it was made from.
    """
    sides = table[table["split"] != "excluded"].groupby(["dataset", "patient"])["split"]
    sides = sides.agg(set).to_dict()
    split = [
        "excluded" if sides.get((DERIVED_FROM.get(dataset), patient), {own}) != {own} else own
        for dataset, patient, own in zip(
            table["dataset"], table["patient"], table["split"], strict=True
        )
    ]
    return table.assign(split=split)


def stratification_log(table: pd.DataFrame) -> pd.DataFrame:
    """Counts of the strata in train and valid, in the shape of Figure A.8.

    As there, of MOMENI, RODEJA and VALDO only (without sMOMENI and CRBneg).

    ``table``: scan table with column split.

    Returns
    -------
    DataFrame
        split ("train", "valid"), column (a name of `STRATA` or "stratify_label"), value, n_scans,
        proportion_pct (percent of the split's scans); biggest count first.
    """
    _require(table, (*NEEDED, "split"))
    table = table[table["dataset"].isin(SPLIT_DATASETS)]
    rows = []
    named = strata(table)
    for split in ("train", "valid"):
        part = named[table["split"] == split]
        for column in (*STRATA, "stratify_label"):
            counts = part.groupby(column).size().sort_values(ascending=False, kind="stable")
            for value, count in counts.items():
                rows.append((split, column, value, int(count), round(100 * count / len(part), 2)))
    return pd.DataFrame(rows, columns=["split", "column", "value", "n_scans", "proportion_pct"])
