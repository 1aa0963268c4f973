"""What was found in one scan: an object that shows itself in Jupyter and writes its folder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cmbkit.prediction.sources import OURS, Source
from cmbkit.volume import Volume

MASK, PROBABILITY = "desc-cmb_dseg.nii.gz", "desc-cmb_probseg.nii.gz"
TABLE, PAGE, SEGMENTATION = "microbleeds.tsv", "report.html", "segmentation.dcm"


class ResultError(ValueError):
    """The folder of results cannot be used; the message names it."""


@dataclass(frozen=True)
class Prediction:
    """Microbleeds of one scan.

    Attributes
    ----------
    name : str
    mask : Volume of uint16
        On the scan's own grid: one integer per microbleed.
    probability : Volume of float32
        On the scan's own grid, 0 to 1.
    table : DataFrame
        One row per microbleed (`cmbkit.prediction.microbleed_table.COLUMNS`).
    features : DataFrame
        Everything `cmbkit.features.describe` says of them.
    remarks : list of str
        Warnings about the scan.
    record : dict
        What ``run.json`` holds: versions, hashes, parameters, methods, times.
    standard, standard_mask : Volume
        z-scored image and microbleeds on the network's grid.
    source : Source
    """

    name: str
    mask: Volume = field(repr=False)
    probability: Volume = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    features: pd.DataFrame = field(repr=False)
    remarks: list[str]
    record: dict[str, Any] = field(repr=False)
    standard: Volume = field(repr=False)
    standard_mask: Volume = field(repr=False)
    source: Source = field(repr=False)

    def __len__(self) -> int:
        """Return the number of microbleeds."""
        return len(self.table)

    def form(self, scale: str = "bombs"):
        """Filled-in rating form, "bombs" or "mars" (see `cmbkit.reporting.rating_form`)."""
        from cmbkit.reporting.rating_form import rating_form

        return rating_form(self.features.assign(uid=self.name), self.name, scale)

    def report(self) -> str:
        """Self-contained HTML page with the interactive viewer."""
        from cmbkit.prediction.page import report

        return report(self)

    def write(self, folder, *, force: bool = False) -> Path:
        """Write mask, probability, table, page, record and, for DICOM, a DICOM SEG.

        Where no DICOM SEG can be made of a series, a remark in page and record says why.

        Parameters
        ----------
        folder : path-like
            Appears whole or not at all.
        force : bool
            Replace an earlier result there.

        Raises
        ------
        ResultError
            If the folder holds something and ``force`` is not set, or holds no result of ours.
        """
        folder = Path(folder).absolute()
        require_free(folder, force=force)
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".part-{folder.name}-"))
        try:
            new = part / "new"
            new.mkdir()
            self._fill(new)
            if folder.exists():
                os.replace(folder, part / "old")
            os.replace(new, folder)
        except BaseException:
            if (part / "old").exists() and not folder.exists():
                os.replace(part / "old", folder)
            raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return folder

    def _fill(self, folder: Path) -> None:
        self.mask.write(folder / f"{self.name}_{MASK}")
        self.probability.write(folder / f"{self.name}_{PROBABILITY}", dtype=np.int16)
        self.table.to_csv(folder / TABLE, sep="\t", index=False, float_format="%.6g")
        if self.source.series:
            self._write_segmentation(folder / SEGMENTATION)
        (folder / PAGE).write_text(self.report(), encoding="utf-8")
        (folder / OURS).write_text(json.dumps(self.record, indent=1), encoding="utf-8")

    def _write_segmentation(self, path: Path) -> None:
        """Write the DICOM SEG, or a remark on why there is none: the rest is kept."""
        from cmbkit.prediction.dicom import DicomError
        from cmbkit.prediction.dicom_seg import write_segmentation

        try:
            write_segmentation(self, path)
        except DicomError as error:
            line = f"There is no {SEGMENTATION}: {error}"
            for remarks in (self.remarks, self.record["remarks"]):
                if line not in remarks:
                    remarks.append(line)

    def _repr_html_(self) -> str:
        from html import escape

        from cmbkit.prediction import page
        from cmbkit.prediction.crops import window

        remarks = "".join(f"<li>{escape(line)}</li>" for line in self.remarks)
        return (
            f"<h3>{escape(self.name)}: {len(self)} microbleed{'s' * (len(self) != 1)}</h3>"
            + page.research_note(self.record)
            + (f"<ul>{remarks}</ul>" if remarks else "")
            + page.form_html(self.name, self.features, "bombs")
            + page.strips_html(self, window(self.standard), jump=False)
        )


def require_free(folder: Path, *, force: bool) -> None:
    """Raise ResultError unless ``folder`` may be written: missing, empty, or ours and forced."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not force:
        raise ResultError(f"{folder}: expected nothing there; --force replaces an earlier result")
    if not (folder / OURS).is_file():
        raise ResultError(f"{folder}: expected an earlier result (with {OURS}) to replace")
