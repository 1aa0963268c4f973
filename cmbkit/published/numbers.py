"""Published numbers as data: the thesis's tables as printed, and the literature."""

import re
from importlib.resources import files

import pandas as pd

FILES = {
    "4.1": "table_4_1_acquisition.csv",
    "4.2": "table_4_2_location_mapping.csv",
    "5.1": "table_5_1_processing.csv",
    "7.1": "table_7_1_datasets.csv",
    "7.2": "table_7_2_detection_scan.csv",
    "7.3": "table_7_3_detection_glob.csv",
    "7.4": "table_7_4_dice.csv",
    "7.5": "table_7_5_classification.csv",
    "8.1": "table_8_1_sequence.csv",
    "8.2": "table_8_2_location.csv",
    "8.3": "table_8_3_shape.csv",
    "8.4": "table_8_4_literature.csv",
    "A.8 train": "figure_A_8_train_split.csv",
    "A.8 valid": "figure_A_8_valid_split.csv",
}
OWN_METHOD = "del Pozo Lérida (thesis)"
"""The thesis's own row of Table 8.4."""
_WITH_SD = re.compile(r"\s*(-?[\d.]+)\s*±\s*([\d.]+)\s*$")


def _read(name: str, dtype=None) -> pd.DataFrame:
    with files("cmbkit.published").joinpath("thesis", name).open(encoding="utf-8") as stream:
        return pd.read_csv(stream, dtype=dtype)


def thesis_table(number: str) -> pd.DataFrame:
    """Return a table of the thesis as printed, every cell as text.

    ``number``: ``"7.2"``, ``"8.1"``, ... or ``"A.8 train"``, ``"A.8 valid"``. What is printed as
    a range or a pair has a column for each of its numbers.

    Returns
    -------
    DataFrame of str
        One row per printed row; "±" separates mean and standard deviation; NaN where the
        cell is empty. Units: mm, mm^3, degrees, tesla, ms.
    """
    if number not in FILES:
        raise KeyError(f"thesis_table: expected one of {', '.join(FILES)}, found {number!r}")
    return _read(FILES[number], dtype="str")


def thesis_numbers(number: str) -> pd.DataFrame:
    """Return a table of the thesis with numbers as numbers.

    "0.912 ± 0.187" becomes two columns, ``precision`` and ``precision_sd``; a ``model`` column
    holds "scratch" or "tl".
    """
    printed = thesis_table(number)
    parts = []
    for name in printed:
        column = printed[name]
        if name == "model":  # such as Scratch-Pretrained-FineTuned
            column = column.str.lower().str.replace(r"-.*", "", regex=True)
        split = column.str.extract(_WITH_SD)
        if split[0].notna().any():
            alone = pd.to_numeric(column.where(split[0].isna()), errors="coerce")
            parts.append(split[0].astype(float).fillna(alone).rename(name))
            parts.append(split[1].astype(float).rename(f"{name}_sd"))
            continue
        numeric = pd.to_numeric(column, errors="coerce")
        parts.append(numeric if numeric.notna().sum() == column.notna().sum() else column)
    return pd.concat(parts, axis=1)


def statements() -> pd.DataFrame:
    """Return numbers that the thesis states in its text, its figures or its code, as printed.

    Returns
    -------
    DataFrame of str
        where, subject, quantity, value.
    """
    return _read("statements.csv", dtype="str")


def stated(where: str, subject: str, quantity: str) -> str:
    """Return one value of `statements`."""
    table = statements().set_index(["where", "subject", "quantity"])["value"]
    if (where, subject, quantity) not in table.index:
        raise KeyError(f"stated: found no {quantity!r} of {subject!r} in {where!r}")
    return table[where, subject, quantity]


def literature(dtype=None) -> pd.DataFrame:
    """Return published results with what is needed to judge whether they can be compared.

    ``dtype`` "str" gives every cell as printed.

    Columns: method, data, of_thesis (whether the row is the thesis's own), n_scans, n_cmb, matching
    (rule in words), averaging ("glob", "scan",
    "scan median" or "not stated"), precision, recall, f1, fp_scan, fp_cmb, fp_denominator, rule (of
    `evaluation.rules.RULES`, where it is one), note, source (where the numbers were read); NaN
    where not reported.
    """
    return _read("literature.csv", dtype)
