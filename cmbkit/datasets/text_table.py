"""Tables as people save them, read as text: 01 stays 01, and a number is one when it is asked for.

Commas, semicolons or tabs between cells, decimal commas, a byte order mark, Windows's letters and
the empty rows that Excel leaves are all read, as is the first sheet of a workbook (.xlsx).
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from zipfile import BadZipFile

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
        If there is no table in the file.
    """
    path = Path(path)
    try:
        table, separator = _workbook(path) if path.suffix.lower() == ".xlsx" else _delimited(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, BadZipFile, KeyError) as error:
        raise TableError(f"{path}: expected a table, found: {error}") from None
    table.columns = [str(name).strip() for name in table.columns]
    table.index = table.index + 2
    table = table.apply(lambda cells: cells.fillna("").str.strip())
    table = table.mask(table.isin(NOTHING), None).astype(object)
    table = table[table.notna().any(axis=1)]
    table.attrs["separator"] = separator
    return table.where(table.notna(), None)


def as_numbers(table: pd.DataFrame, columns, path) -> pd.DataFrame:
    """Columns of a `read_text_table` as float; missing cells are NaN.

    Raises
    ------
    TableError
        If a cell holds anything else, as "2 mm"; line, column and cell are named.
    """
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
