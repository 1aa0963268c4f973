"""The seven datasets by name, people's own in BIDS, and one table of all scans."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from cmbkit.datasets import bids, crb, dou, momeni, rodeja, smomeni, valdo
from cmbkit.datasets.sources import DatasetError, is_synthetic, mask_content
from cmbkit.records import Scan, cmb_level

READERS: dict[str, Callable[[Path], list[Scan]]] = {
    "CRB": crb.read,
    "CRBneg": partial(crb.read, dataset="CRBneg"),
    "DOU": dou.read,
    "MOMENI": momeni.read,
    "RODEJA": rodeja.read,
    "VALDO": valdo.read,
    "sMOMENI": smomeni.read,
}
"""Reader of each dataset: takes the dataset's root folder, returns its scans."""

COLUMNS = [
    *("uid", "dataset", "patient", "scan", "sequence", "field_strength", "te_ms"),
    *("in_plane_mm", "slice_thickness_mm", "resolution_level", "n_cmb", "cmb_level", "annotated"),
    "synthetic",
]


def read_dataset(name: str, root) -> list[Scan]:
    """Read one dataset, a key of `READERS`, from its raw layout, real or synthetic.

    Returns
    -------
    list of Scan
        Ordered by scan name; uids are unique.

    Raises
    ------
    DatasetError
        One line per problem: file, expected, found, what to do. Its ``readable`` holds the scans
        that can be read all the same.
    """
    if name not in READERS:
        raise DatasetError(
            f"dataset: expected one of {', '.join(READERS)}, found {name!r}; "
            "data of your own are read by read_own"
        )
    return _read(name, Path(root), READERS[name])


def read_own(name: str, root, leave_out=()) -> list[Scan]:
    """Read a dataset of one's own in BIDS (see `cmbkit.datasets.bids`), as `read_dataset` does.

    ``leave_out`` are subject labels that are not read.
    """
    return _read(name, Path(root), lambda root: bids.read(root, name, leave_out))


def _read(name: str, root: Path, reader: Callable[[Path], list[Scan]]) -> list[Scan]:
    if not root.is_dir():
        raise DatasetError(
            f"{root}: expected the folder of {name}, found nothing; "
            "place it there, or correct the parameter file"
        )
    problems: list[str] = []
    synthetic = is_synthetic(root)
    try:
        scans = reader(root)
    except DatasetError as error:
        scans = error.readable
        problems.append(str(error))
    scans = [replace(scan, synthetic=synthetic) for scan in scans]
    scans = sorted(scans, key=lambda scan: (scan.scan, str(scan.image)))
    for uid, count in Counter(scan.uid for scan in scans).items():
        if count > 1:
            paths = ", ".join(str(s.image) for s in scans if s.uid == uid)
            problems.append(
                f"{root}: expected one scan {uid}, found {count}: {paths}; keep one of them"
            )
    if problems:
        raise DatasetError("\n".join(problems), scans)
    return scans


def count_microbleeds(scan: Scan) -> int:
    """Number of annotated CMBs before label refinement.

    Points count one each; of masks the 6-connected components count (VALDO) or the label
    values (RODEJA, BIDS dseg); a scribble counts once, also one that is flagged to cover
    several CMBs.
    """
    annotation = scan.annotation
    if annotation.kind == "points":
        return len(annotation.points)
    if annotation.kind == "scribbles":
        return len(mask_content(annotation.mask_path).values)
    if annotation.kind == "mask":
        content = mask_content(annotation.mask_path)
        return len(content.values) if scan.labelled else content.n_components
    return 0


def scan_table(scans: list[Scan]) -> pd.DataFrame:
    """One row per scan.

    Returns
    -------
    DataFrame
        uid, dataset, patient, scan, sequence, field_strength (tesla as text), te_ms,
        in_plane_mm (the smaller one), slice_thickness_mm, resolution_level ("low" or "high"),
        n_cmb, cmb_level, annotated (False where nobody has looked for CMBs), synthetic.
    """
    rows = []
    for scan in scans:
        acquired, count = scan.acquisition, count_microbleeds(scan)
        values = [scan.uid, scan.dataset, scan.patient, scan.scan, scan.sequence]
        values += [acquired.field_strength, acquired.te_ms, min(acquired.in_plane_mm)]
        values += [acquired.slice_thickness_mm, acquired.resolution_level]
        seen = scan.annotation.kind != "unknown"
        rows.append([*values, count, cmb_level(count), seen, scan.synthetic])
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.astype({"te_ms": float, "n_cmb": int})
