"""What was found in one scan: an object that shows itself in Jupyter and writes its folder."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cmbkit.atomic import whole_folder
from cmbkit.prediction.fitness import Fitness
from cmbkit.prediction.sources import OURS, Source
from cmbkit.running.file_hashes import file_hash
from cmbkit.volume import Volume

MASK, LOGITS = "desc-cmb_dseg.nii.gz", "desc-cmb_logits.nii.gz"
PHASE = "part-phase.nii.gz"
TABLE, PAGE, SEGMENTATION = "microbleeds.tsv", "report.html", "segmentation.dcm"


@dataclass(frozen=True)
class Prediction:
    """Microbleeds of one scan, ``name``.

    Attributes
    ----------
    mask : Volume of uint16
        On the scan's own grid: one integer per microbleed.
    logits : Volume of float32
        The network's, on the scan's own grid: log(p / (1 - p)) of its softmax p, at least -6; of a
        candidate no higher than what the second look of the weights says, if they have one.
    table : DataFrame
        One row per microbleed (`cmbkit.prediction.microbleed_table.COLUMNS`).
    features : DataFrame
        Everything `cmbkit.features.describe` says of them.
    remarks : list of str
        Warnings about the scan.
    fitness : Fitness
        Whether it is one that microbleeds can be counted on; str() gives verdict and reasons.
    record : dict
        What ``run.json`` holds: versions, hashes, parameters, methods, times.
    standard, standard_mask : Volume
        z-scored image and microbleeds on the network's grid.
    whole, brain : Volume
        The scan with its skull and its brain mask, on one coarse grid (`crops.OVERVIEW_MM`).
    phase : Volume or None
        Of the same series and echo, as it came: for later use, nothing looked at it.
    """

    name: str
    mask: Volume = field(repr=False)
    logits: Volume = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    features: pd.DataFrame = field(repr=False)
    remarks: list[str]
    fitness: Fitness
    record: dict[str, Any] = field(repr=False)
    standard: Volume = field(repr=False)
    standard_mask: Volume = field(repr=False)
    whole: Volume = field(repr=False)
    brain: Volume = field(repr=False)
    source: Source = field(repr=False)
    phase: Volume | None = field(default=None, repr=False)

    def __len__(self) -> int:
        """Return the number of microbleeds."""
        return len(self.table)

    @property
    def notes(self) -> list[str]:
        """Doubts about the scan, which echo was taken, a kept phase: what every output says."""
        return [*self.fitness.reasons, *self.record["notes"]]

    def form(self, scale: str = "bombs"):
        """Filled-in rating form, "bombs" or "mars" (see `cmbkit.reporting.rating_form`)."""
        from cmbkit.reporting.rating_form import rating_form

        not_seen = self.record["not_seen"]
        rows = self.features.assign(uid=self.name)
        return rating_form(rows, self.name, scale, not_seen=not_seen)

    def report(self) -> str:
        """Self-contained HTML page with the interactive viewer."""
        from cmbkit.prediction.page import report

        return report(self)

    def write(self, folder, *, force: bool = False) -> Path:
        """Write mask, logits, table, page, record and, for DICOM, a DICOM SEG and its phase.

        Where no DICOM SEG can be made of a series, a remark in page and record says why.

        Parameters
        ----------
        folder : path-like
            Appears whole or not at all.
        force : bool
            Replace an earlier result there.

        Raises
        ------
        cmbkit.atomic.OutputError
            If the folder holds something and ``force`` is not set, or holds no result of ours.
        """
        with whole_folder(folder, ours=OURS, force=force) as new:
            self._fill(new)
        return Path(folder).absolute()

    def _fill(self, folder: Path) -> None:
        self.mask.write(folder / f"{self.name}_{MASK}")
        self.logits.write(folder / f"{self.name}_{LOGITS}", dtype=np.int16)
        if self.phase is not None:
            self.phase.write(folder / f"{self.name}_{PHASE}", dtype=np.int16)
        flags = self.table["flags"].map(", ".join)
        table = self.table.assign(
            flags=flags, scan=self.fitness.verdict, scan_notes="; ".join(self.notes)
        )
        table.to_csv(folder / TABLE, sep="\t", index=False, float_format="%.6g")
        if self.source.series:
            self._write_segmentation(folder / SEGMENTATION)
        (folder / PAGE).write_text(self.report(), encoding="utf-8")
        written = {path.name: file_hash(path) for path in sorted(folder.iterdir())}
        record = self.record | {"written": written}
        (folder / OURS).write_text(json.dumps(record, indent=1), encoding="utf-8")

    def _write_segmentation(self, path: Path) -> None:
        """Write the DICOM SEG, or a remark on why there is none: the rest is kept."""
        from cmbkit.prediction.dicom import DicomError
        from cmbkit.prediction.dicom_seg import write_segmentation

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # highdicom's, about names of people
                write_segmentation(self, path)
        except DicomError as error:
            why = str(error).replace(f"{self.source.path.parent}{os.sep}", "")
            line = f"There is no {SEGMENTATION}: {why}"
            for remarks in (self.remarks, self.record["remarks"]):
                if line not in remarks:
                    remarks.append(line)

    def _repr_html_(self) -> str:
        from cmbkit.prediction.page import cell

        return cell(self)
