"""The nouns of the project: Scan, Annotation, Acquisition, StandardScan."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from cmbkit.volume import Volume

DATASETS = ("CRB", "CRBneg", "DOU", "MOMENI", "RODEJA", "VALDO", "sMOMENI")
SEQUENCES = ("SWI", "T2S")
LABELLED_MASKS = ("RODEJA",)
"""Datasets whose masks hold one value per CMB."""


def cmb_level(n_cmb: int) -> str:
    """``"none"`` (0 CMBs), ``"low"`` (1 or 2) or ``"high"`` (3 and more); section 7.1.2.1."""
    return "none" if n_cmb == 0 else "low" if n_cmb < 3 else "high"


@dataclass(frozen=True)
class Acquisition:
    """How a scan was acquired. None where the source does not say.

    Field strength in tesla as text (``"1.5"``, ``"3"`` or ``"1.5/3"`` where the source
    gives only the range), times in ms, flip angle in degrees, lengths in mm.
    ``in_plane_mm`` and ``slice_thickness_mm`` come from the image's header: the two
    smaller voxel sizes, and the largest (the thesis's definition, section 8.1.1); a sidecar's
    SliceThickness, without the gap between slices, wins.
    """

    in_plane_mm: tuple[float, float]
    slice_thickness_mm: float
    field_strength: str | None = None
    te_ms: float | None = None
    tr_ms: float | None = None
    flip_deg: float | None = None
    site: str | None = None

    @property
    def resolution_level(self) -> str:
        """``"low"`` when both in-plane sizes are over 0.5 mm, else ``"high"`` (7.1.2.1)."""
        return "low" if min(self.in_plane_mm) > 0.5 else "high"


@dataclass(frozen=True)
class Finding:
    """One annotated finding of CRB: the scribble's label and what the rater said of it."""

    segment: int
    multiple: bool = False
    certainty: str | None = None
    cause: str | None = None
    size: str | None = None
    location: str | None = None


@dataclass(frozen=True)
class Mimic:
    """A landmark on a structure that looks like a microbleed; voxel is 0-based (i, j, k)."""

    voxel: tuple[int, int, int]
    kind: str


@dataclass(frozen=True)
class Annotation:
    """What the raters marked in one scan.

    Attributes
    ----------
    kind : {"mask", "points", "scribbles", "none", "unknown"}
        ``mask``: every voxel of every CMB in ``mask_path``; ``points``: centres only;
        ``scribbles``: sparse labelled voxels in ``mask_path``; ``none``: raters found no CMB;
        ``unknown``: nobody has looked (such a scan is neither trained on nor evaluated).
    mask_path : Path or None
    points : tuple of (i, j, k)
        Centres in 0-based voxel indices of the image's own array order.
    findings, mimics : tuples
        CRB only.
    labelled : bool
        Whether each value of the mask is one CMB.
    """

    kind: str
    mask_path: Path | None = None
    points: tuple[tuple[int, int, int], ...] = ()
    findings: tuple[Finding, ...] = ()
    mimics: tuple[Mimic, ...] = ()
    labelled: bool = False


@dataclass(frozen=True)
class Scan:
    """One image with its annotation, as a reader found it on disk."""

    dataset: str
    patient: str
    scan: str
    sequence: str
    image: Path
    annotation: Annotation
    acquisition: Acquisition
    synthetic: bool = False

    @property
    def uid(self) -> str:
        """Unique over all datasets, fit for a file name: ``DOU-07``."""
        return f"{self.dataset}-{self.scan}"

    @property
    def labelled(self) -> bool:
        """Whether each mask value is one CMB; otherwise each connected component is."""
        return self.annotation.labelled or self.dataset in LABELLED_MASKS

    @property
    def bids_name(self) -> str:
        """BIDS-like stem: ``sub-DOU07`` (letters and digits only)."""
        return "sub-" + "".join(c for c in f"{self.dataset}{self.scan}" if c.isalnum())


@dataclass(frozen=True)
class StandardScan:
    """A preprocessed scan: files in one folder, all on one RAS isotropic grid.

    ``image()`` is z-scored float32; ``lesions()`` holds one integer per CMB; ``brain()`` is
    0/1; ``labels()`` holds SynthSeg label numbers. ``microbleeds()`` has one row per annotated
    CMB, ``changes()`` what the steps did to them, ``record()`` the provenance (counts per step,
    native grid, methods used).
    """

    scan: Scan
    folder: Path
    _memo: dict = field(default_factory=dict, repr=False, compare=False)

    def file(self, ending: str) -> Path:
        """Path of one of the scan's files, e.g. ``desc-preproc_T2starw.nii.gz``."""
        return self.folder / f"{self.scan.bids_name}_{ending}"

    @property
    def image_path(self) -> Path:
        """z-scored image."""
        return self.file("desc-preproc_T2starw.nii.gz")

    @property
    def lesions_path(self) -> Path:
        """Instance labels of the annotated CMBs."""
        return self.file("desc-cmb_dseg.nii.gz")

    @property
    def brain_path(self) -> Path:
        """Brain mask."""
        return self.file("desc-brain_mask.nii.gz")

    @property
    def labels_path(self) -> Path:
        """SynthSeg-style parcellation."""
        return self.file("desc-synthseg_dseg.nii.gz")

    @property
    def table_path(self) -> Path:
        """One row per annotated CMB."""
        return self.file("desc-cmb_table.tsv")

    @property
    def changes_path(self) -> Path:
        """One row per thing that preprocessing changed."""
        return self.file("desc-cmb_changes.tsv")

    @property
    def record_path(self) -> Path:
        """Provenance."""
        return self.file("desc-preproc_record.json")

    def image(self) -> Volume:
        """z-scored image, float32."""
        return Volume.read(self.image_path)

    def lesions(self) -> Volume:
        """Instance labels, uint16."""
        return Volume.read(self.lesions_path, "uint16")

    def brain(self) -> Volume:
        """Brain mask, uint8."""
        return Volume.read(self.brain_path, "uint8")

    def labels(self) -> Volume:
        """SynthSeg label numbers, uint16 (cortical areas have numbers above 1000)."""
        return Volume.read(self.labels_path, "uint16")

    def microbleeds(self) -> pd.DataFrame:
        """One row per annotated CMB; certainty and rater_location are missing but in CRB."""
        if "table" not in self._memo:
            words = {"certainty": "str", "rater_location": "str"}
            self._memo["table"] = pd.read_csv(self.table_path, sep="\t", dtype=words)
        return self._memo["table"].copy()

    def changes(self) -> pd.DataFrame:
        """What preprocessing changed, one row each (see `cmbkit.preprocessing.changes`)."""
        dtypes = {"id": "Int64", "other": "Int64", "before": float, "after": float}
        return pd.read_csv(self.changes_path, sep="\t", dtype=dtypes)

    def record(self) -> dict:
        """Provenance as written by preprocessing."""
        return json.loads(self.record_path.read_text())
