"""A filled-in BOMBS or MARS form for the microbleeds of one scan."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.anatomy.rating_scales import FORMS, LOBE_UNSPECIFIED, NOT_TOLD, OUTSIDE
from cmbkit.reporting.latex_tables import render_latex
from cmbkit.reporting.layout import Column, heads, laid_out
from cmbkit.reporting.tables import NOTHING, render_html

SIZES = ("under 5 mm", "5 to 10 mm", "over 10 mm")
SIDES = ("left", "right", "midline")
CERTAINTIES = {"bombs": ("certain", "uncertain"), "mars": ("definite", "possible")}
NAMES = {"bombs": "BOMBS", "mars": "MARS"}


@dataclass(frozen=True)
class RatingForm:
    """Counts of one scan's microbleeds, line by line as a rater would note them.

    Attributes
    ----------
    scale : {"bombs", "mars"}
    table : DataFrame
        Columns group, region and a count for each certainty, size (BOMBS only) and side
        (`count_columns`, e.g. ``certain_under_5_mm_left``), then total. <NA> on lines that a
        parcellation has no label for, and on lobes without a count while some CMB's lobe is not
        told. Lines "total" sum a group, the last line sums everything, places outside brain
        tissue included. Shown, columns without a microbleed are left out except for the usual.
    """

    uid: str
    scale: str
    table: pd.DataFrame = field(repr=False)
    note: str = field(default="", repr=False)

    @property
    def title(self) -> str:
        """Name of the form with the scan."""
        return f"{NAMES[self.scale]}, scan {self.uid}"

    def to_csv(self) -> str:
        """All columns; a line that cannot be told is empty."""
        table = self.table.assign(uid=self.uid, scale=self.scale)
        return table.to_csv(index=False, lineterminator="\n")

    def to_html(self) -> str:
        """HTML table."""
        return render_html(self.table, self.title, self.note)

    def to_latex(self) -> str:
        """LaTeX table."""
        return render_latex(self.table, self.title, self.note)

    def save(self, stem) -> list[Path]:
        """Write ``<stem>.csv``, ``.html`` and ``.tex``; returns the paths."""
        stem = Path(stem)
        texts = {".csv": self.to_csv(), ".html": self.to_html(), ".tex": self.to_latex()}
        paths = {ending: stem.with_name(stem.name + ending) for ending in texts}
        for ending, path in paths.items():
            path.write_text(texts[ending], encoding="utf-8")
        return list(paths.values())

    def _repr_html_(self) -> str:
        return self.to_html()


def rating_form(
    features: pd.DataFrame,
    uid: str,
    scale: str = "bombs",
    *,
    not_seen=(),
) -> RatingForm:
    """Fill in the form of one scan.

    Parameters
    ----------
    features : DataFrame
        Of `cmbkit.features.describe`: uid, region, mars_region, side and, for BOMBS,
        max_diameter_mm, by which it divides sizes at 5 and 10 mm. A column ``certainty``
        ("certain" or "definite"; "uncertain" or "possible") is used where there is one; without
        it every microbleed counts as certain.
    uid : str
        Scan; it may have no row (a form of zeros).
    scale : {"bombs", "mars"}
        Table 2.1 of the thesis.
    not_seen : iterable of str
        Lines outside the scan's field of view: <NA> where they have no microbleed.

    Returns
    -------
    RatingForm

    Raises
    ------
    ValueError
        If the scale is not known, a microbleed has no region, or a certainty is none of the
        scale's words.
    """
    if scale not in FORMS:
        raise ValueError(f"scale: expected one of {sorted(FORMS)}, found {scale!r}")
    rows = features[features["uid"] == uid]
    place = rows["region" if scale == "bombs" else "mars_region"]
    if place.isna().any():
        raise ValueError(f"{uid}: expected a region for every microbleed, found none for some")
    columns = _column_of_each(rows, scale, uid)
    counts = pd.crosstab(place.to_numpy(), columns.to_numpy()) if len(rows) else pd.DataFrame()
    unseen = [line for part in FORMS[scale].values() for line in part if line in set(not_seen)]
    unseen = [line for line in unseen if line not in counts.index]
    note = _note(rows, scale)
    if unseen:
        note = f"Not seen, outside the scan's field of view: {', '.join(unseen)}. {note}"
    table = laid_out(_lines(counts, scale, unseen), _shown(counts, scale), note=note)
    return RatingForm(uid, scale, table, note)


def count_columns(scale: str) -> dict[str, dict[str, str]]:
    """What each column of counts counts: its certainty, size (BOMBS only) and side, by name."""
    sizes = {"size": SIZES} if scale == "bombs" else {}
    parts = {"certainty": CERTAINTIES[scale], **sizes, "side": SIDES}
    found = (dict(zip(parts, words, strict=True)) for words in product(*parts.values()))
    return {_key(*of.values()): of for of in found}


def _key(*words: str) -> str:
    return "_".join(words).replace(" ", "_")


def _shown(counts: pd.DataFrame, scale: str) -> list[Column]:
    """Layout of a form: columns with a microbleed, and the usual ones without."""
    columns = heads("group", "region")
    for key, of in count_columns(scale).items():
        usual = of["certainty"] == CERTAINTIES[scale][0] and of["side"] != "midline"
        if key in counts or (usual and of.get("size") != SIZES[2]):
            columns.append(Column(key, ", ".join(of.values())))
    return columns + heads("total")


def _column_of_each(rows, scale, uid) -> pd.Series:
    first, second = CERTAINTIES[scale]
    words = {"certain": first, "definite": first, "uncertain": second, "possible": second}
    given = rows["certainty"] if "certainty" in rows else pd.Series(first, rows.index)
    certainty = given.fillna(first).map(words)
    if certainty.isna().any():
        wrong = sorted(set(given[certainty.isna()]))
        raise ValueError(f"{uid}: certainty: expected one of {sorted(words)}, found {wrong}")
    parts = [certainty, rows["side"]]
    if scale == "bombs":
        size = np.digitize(rows["max_diameter_mm"].to_numpy(float), [5.0, 10.0 + 1e-9])
        parts.insert(1, np.array(SIZES)[size])
    return pd.Series(list(map(_key, *parts)), rows.index, dtype=object)


def _lines(counts: pd.DataFrame, scale: str, unseen) -> pd.DataFrame:
    columns = list(count_columns(scale))
    counts = counts.reindex(columns=columns, fill_value=0).rename_axis(columns=None)
    unknown = {*NOT_TOLD, *unseen}
    if LOBE_UNSPECIFIED in counts.index:
        unknown |= {line for line in FORMS["mars"]["Lobar"] if line not in counts.index}
    rows = []
    for group, regions in [*FORMS[scale].items(), (OUTSIDE, (OUTSIDE,))]:
        part = counts.reindex(list(regions), fill_value=0).astype("Int64")
        part.loc[part.index.isin(unknown)] = pd.NA
        rows.append(part.assign(group=group))
        if len(regions) > 1:
            total = part.sum(min_count=1).to_frame("total").T.astype("Int64")
            rows.append(total.assign(group=group))
    table = pd.concat(rows).rename_axis("region").reset_index()
    everything = table.loc[table["region"] != "total", columns].sum()
    table.loc[len(table)] = {"region": "total", "group": "All", **everything}
    table["total"] = table[columns].sum(axis=1, min_count=1).astype("Int64")
    return table[["group", "region", *columns, "total"]]


def _note(rows, scale: str) -> str:
    parts = [f"{NOTHING}: the parcellation has no labels that tell this line."]
    if scale == "bombs":
        parts.append("Size: the longest diameter.")
    if scale == "mars" and (rows["mars_region"] == LOBE_UNSPECIFIED).any():
        parts.append(
            "Lobe unspecified: white matter, deep and periventricular included, and plain cortex."
        )
    if "certainty" not in rows:
        parts.append("Certainty was not rated: all count as " + CERTAINTIES[scale][0] + ".")
    if (rows["side"] == "midline").any():
        parts.append("Midline: the label has no side (brainstem).")
    return " ".join(parts)
