"""Tables as people save them, read as text: 01 stays 01, and a number is one when it is asked for.

Commas, semicolons or tabs between cells, decimal commas, a byte order mark, Windows's letters and
the empty rows that Excel leaves are all read, as is the first sheet of a workbook (.xlsx).
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd

SEPARATORS = ("\t", ";", ",")
NOTHING = ("", "n/a", "N/A", "NA", "NaN", "nan")
DECIMAL_COMMA = re.compile(r"^([-+]?\d+),(\d+)$")


class TableError(ValueError):
    """A table cannot be read, or holds something else than numbers; one line names file and row."""


def read_text_table(path) -> pd.DataFrame:
    """Read a CSV, TSV or XLSX, every cell as text without blanks around it; missing ones are None.

    Returns
    -------
    DataFrame
        Its index is the row's line in the file, where no cell holds a line break; rows without
        any cell are left out. ``attrs["separator"]`` is what stood between the cells.

    Raises
    ------
    TableError
        If there is no table in the file, two columns have one name, or a row has more cells than
        the header.
    """
    path = Path(path)
    try:
        table, separator = _workbook(path) if path.suffix.lower() == ".xlsx" else _delimited(path)
    except Exception as error:  # whatever a damaged workbook meets with
        if isinstance(error, OSError) and error.filename is not None:
            raise
        told = " ".join(str(error).split()) or type(error).__name__
        raise TableError(f"{path}: expected a table, found: {told}") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes what is too much for an index
        raise TableError(f"{path}: expected {len(table.columns)} cells in a row, found more")
    table.columns = [str(name).strip() for name in table.columns]
    require_each_once(table.columns, path)
    table.index = table.index + 2
    table = table.apply(lambda cells: cells.fillna("").str.strip())
    table = table.mask(table.isin(NOTHING), None).astype(object)
    table = table[table.notna().any(axis=1)]
    table.attrs["separator"] = separator
    return table.where(table.notna(), None)


def require_each_once(names: pd.Index, path) -> None:
    """Raise TableError if two columns of a table have one name."""
    if names.has_duplicates:
        twice = names[names.duplicated()][0]
        raise TableError(f"{path}: expected each column once, found {twice} again")


def as_numbers(table: pd.DataFrame, columns, path) -> pd.DataFrame:
    """Columns of a `read_text_table` as float; missing cells are NaN.

    Raises
    ------
    TableError
        If a cell holds anything else, as "2 mm"; line, column and cell are named. If a column is
        not there.
    """
    columns = list(columns)
    if not set(columns) <= set(table):
        raise TableError(f"{path}: expected columns {', '.join(columns)}, found {', '.join(table)}")
    comma = table.attrs["separator"] != ","
    found = {}
    for name in columns:
        cells = table[name]
        plain = cells.str.replace(DECIMAL_COMMA, r"\1.\2", regex=True) if comma else cells
        found[name] = pd.to_numeric(plain, errors="coerce").astype(float)
        wrong = cells[cells.notna() & found[name].isna()]
        if len(wrong):
            raise TableError(
                f"{path}: expected a number in {name}, found {wrong.iloc[0]!r} in line "
                f"{wrong.index[0]}"
            )
    return pd.DataFrame(found, index=table.index)


def _workbook(path: Path) -> tuple[pd.DataFrame, str]:
    table = pd.read_excel(path, dtype="str", keep_default_na=False, engine="openpyxl")
    if table.columns.empty:
        raise pd.errors.EmptyDataError("an empty first sheet")
    return table, ","


def _delimited(path: Path) -> tuple[pd.DataFrame, str]:
    text = _text_of(path.read_bytes())
    header = text.lstrip().partition("\n")[0]
    separator = max(SEPARATORS, key=header.count) if header else ","
    table = pd.read_csv(
        io.StringIO(text),
        sep=separator,
        dtype="str",
        keep_default_na=False,
        skip_blank_lines=False,
    )
    return table, separator


def _text_of(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
