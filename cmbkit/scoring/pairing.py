"""Which predicted file belongs to which annotated one: two folders, paired by name."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cmbkit.datasets.bids import is_annotation
from cmbkit.datasets.text_table import TableError, as_numbers, read_text_table
from cmbkit.image_file import ending_of, is_image_file
from cmbkit.scoring.layouts import LAYOUTS, SUMMARY, files_of, of_summary, scan_of
from cmbkit.scoring.points import POINT_ENDINGS

SCAN_ENTITIES = ("sub", "ses", "acq", "run", "echo")
MORE_ENTITIES = ((), ("rec",), ("rec", "part"))
"""What else tells scans apart, where those above do not."""
NOT_POINTS = re.compile(r"(participants|sessions|scans)\.tsv$|_scans\.tsv$|_sessions\.tsv$")
OURS = re.compile(r"_desc-cmb_(mask|dseg|points|probseg|logits)$")
VALDO = re.compile(r"_CMB\.nii(\.gz)?$")
"""What VALDO calls its masks, which lie beside their images."""
SOFT = ("*_logits.nii*", "*_probseg.nii*")
HINTS = {
    ".json": "lists of 3D Slicer end in .mrk.json",
    ".xls": "save the table as XLSX or CSV",
    ".npy": "save the array as NIfTI, with its affine",
    ".dcm": "convert the segmentation to NIfTI",
}
NUMBERS = ("in_plane_mm", "slice_thickness_mm")
NAME_COLUMNS = ("scan", "uid", "participant_id", "file")


class PairingError(ValueError):
    """Files that do not pair; one line per problem."""


def stem(path) -> str:
    """File name without the ending of an image or of a list of points."""
    name = Path(path).name
    ending = ending_of(name) or next((e for e in POINT_ENDINGS if name.lower().endswith(e)), "")
    return name[: len(name) - len(ending)]


def bids_key(name: str, more=()) -> str | None:
    """Scan that a BIDS name is about ("sub-01_ses-2"), None where it is no BIDS name.

    Only subject, session, acquisition, run and echo (and ``more``) tell scans apart; what
    describes the file (space, desc, suffix) does not.
    """
    entities = (*SCAN_ENTITIES, *more)
    parts = [part for part in name.split("_") if part.partition("-")[0] in entities]
    return "_".join(parts) if parts and parts[0].startswith("sub-") else None


def scan_names(paths: list[Path]) -> list[str]:
    """Name of the scan that each file of a folder is about.

    Names of a tool as `cmbkit.scoring.layouts` reads them.
    BIDS names by `bids_key`, with reconstruction and part where the rest tells files not apart.
    Other names lose what `OURS` adds to them, and the last words (after
    ``_``, ``-`` or ``.``) that all files of the folder share, as "_mask" in 01_mask.nii.gz,
    02_mask.nii.gz.
    """
    stems = [scan_of(path) or OURS.sub("", stem(path)) for path in paths]
    for more in MORE_ENTITIES:
        keys = [key for name in stems if (key := bids_key(name, more))]
        if len(set(keys)) == len(stems):
            return keys
    keys = [key for name in stems if (key := bids_key(name))]
    if len(keys) == len(stems):
        return keys
    while len(stems) > 1 and not any(map(scan_of, paths)):
        cut = [re.match(r"(.+)([_.-][^_.-]+)$", name) for name in stems]
        if not all(cut) or len({found[2] for found in cut}) > 1:
            break
        stems = [found[1] for found in cut]
    return stems


def list_files(folder, pattern: str | None = None) -> dict[str, Path]:
    """Files of a folder (or one file) by the scan they are about.

    Parameters
    ----------
    folder : path-like
        Searched with its subfolders, for files that say by their name that they hold
        microbleeds, as ``cmbkit predict`` and VALDO write them and `cmbkit.datasets.bids` reads
        them; where there are none, for those of a tool (`cmbkit.scoring.layouts`), then for
        masks (`cmbkit.image_file.ENDINGS`), else for lists of points
        (`cmbkit.scoring.points.POINT_ENDINGS`; workbooks where no others are).
    pattern : str, optional
        Only names like this, e.g. ``*_desc-cmbpred_dseg.nii.gz``, or those of a layout of
        `cmbkit.scoring.layouts` by its word, e.g. ``nnunet``.

    Raises
    ------
    PairingError
        If there are none, or several of one scan.
    """
    folder = Path(folder)
    if folder.name == SUMMARY and folder.is_file():
        try:
            return of_summary(folder)
        except ValueError as error:
            raise PairingError(str(error)) from None
    if folder.is_file():
        return {bids_key(stem(folder)) or stem(folder): folder}
    files, _ = _chosen(folder, pattern)
    found: dict[str, Path] = {}
    twice = []
    for name, path in zip(scan_names(files), files, strict=True):
        if name in found:
            twice.append(f"{name}: {found[name].name} and {path.name}")
        found[name] = path
    if twice:
        lines = "\n".join(f"  {line}" for line in twice[:20])
        raise PairingError(
            f"{folder}: expected one file per scan (a pattern can select), found several:\n{lines}"
        )
    return found


def not_used(folder, pattern: str | None = None) -> list[Path]:
    """Images and lists of points of a folder that `list_files` passes over."""
    return [] if Path(folder).is_file() else _chosen(Path(folder), pattern)[1]


def _chosen(folder: Path, pattern: str | None) -> tuple[list[Path], list[Path]]:
    """Files of a folder that are read, and the images and lists of points that are not."""
    if not folder.is_dir():
        raise PairingError(f"{folder}: expected a folder of masks or of points, found nothing")
    every = sorted(p for p in folder.rglob("*") if p.is_file() or p.is_symlink())
    every = [p for p in every if not any(part.startswith(".") for part in p.parts[-2:])]
    images = [p for p in every if is_image_file(p)]
    points = [p for p in every if p.name.lower().endswith(POINT_ENDINGS)]
    points = [p for p in points if not NOT_POINTS.search(p.name)]
    points = [p for p in points if p.suffix.lower() != ".xlsx"] or points
    if pattern in LAYOUTS:
        files = files_of(folder, every, pattern)
    elif pattern:
        files = sorted(p for p in folder.rglob(pattern) if p in set(every))
    else:
        files = [p for p in every if is_annotation(p) or VALDO.search(p.name)]
        files = files or files_of(folder, every, None) or images or points
    if not files:
        wanted = f"files like {pattern}" if pattern else "masks (.nii.gz) or points (.csv)"
        kinds = Counter(p.suffix.lower() for p in every)
        hint = next((f"; {HINTS[end]}" for end, _ in kinds.most_common() if end in HINTS), "")
        raise PairingError(f"{folder}: expected {wanted}, found none{hint}")
    lost = next((p for p in files if not p.exists()), None)
    if lost is not None:
        raise PairingError(f"{lost}: expected a file, found a link without one; fetch its content")
    return files, [p for p in (*images, *points) if p not in set(files)]


@dataclass(frozen=True)
class Pairs:
    """Paired files, and what has no partner.

    Attributes
    ----------
    listing : DataFrame
        uid, dataset, patient, reference, predicted and, where given, probability and labels;
        then the columns of the scan table.
    alone : list of str
        One line per file without a partner.
    unused : list of Path
        Images and lists of points in the two folders that were not looked at.
    """

    listing: pd.DataFrame
    alone: list[str]
    unused: list[Path]


def pair_files(
    predictions,
    reference,
    *,
    scan_table=None,
    extra: dict[str, tuple[Path, str | None]] | None = None,
    patterns: tuple[str | None, str | None] = (None, None),
    dataset: str = "all scans",
) -> Pairs:
    """Pair two folders by name.

    Parameters
    ----------
    predictions, reference : path-like
        Folders (or BIDS data sets) of masks or points, or two files.
    scan_table : path-like, optional
        CSV or TSV with one row per scan: a column ``scan`` (or ``participant_id``) and any of
        patient, dataset, sequence, slice_thickness_mm, in_plane_mm and others.
    extra : dict of column to (folder, pattern), optional
        Further files of every scan: ``labels``, ``probability``.
    patterns : (str, str)
        Of the names of predictions and of references.
    dataset : str
        Of scans whose table does not name one.

    Raises
    ------
    PairingError
        If nothing pairs, or if a paired scan lacks an extra file or a row of the table.
    """
    said = list_files(predictions, patterns[0])
    truth = list_files(reference, patterns[1])
    if Path(predictions).is_file() and Path(reference).is_file():
        said = dict(zip(truth, said.values(), strict=True))
    both = [name for name in truth if name in said]
    alone = [f"{truth[n].name}: no prediction of {n}" for n in truth if n not in said]
    alone += [f"{said[n].name}: no reference of {n}" for n in said if n not in truth]
    if not both:
        raise PairingError(
            "\n".join(["expected files that pair by name, found none:", *alone[:20]])
        )
    rows = pd.DataFrame(
        {
            "uid": both,
            "reference": [truth[name] for name in both],
            "predicted": [said[name] for name in both],
        }
    )
    for column, (folder, pattern) in (extra or {}).items():
        if column == "probability" and pattern is None:
            pattern = next((soft for soft in SOFT if any(Path(folder).rglob(soft))), None)
        files = list_files(folder, pattern)
        lost = [name for name in both if name not in files]
        if lost:
            raise PairingError(
                f"{folder}: expected a file of every scan, missing {', '.join(lost)}"
            )
        rows[column] = [files[name] for name in both]
    rows = _join_table(rows, scan_table) if scan_table else rows
    if "dataset" not in rows:
        rows["dataset"] = dataset
    if "patient" not in rows:
        rows["patient"] = [_patient(name) for name in both]
    for column in ("patient", "dataset"):
        if rows[column].isna().any():
            first = rows.loc[rows[column].isna(), "uid"].iloc[0]
            raise PairingError(f"{scan_table}: expected a {column} of every scan, none of {first}")
        rows[column] = rows[column].astype("str")
    given = zip((predictions, reference), patterns, strict=True)
    return Pairs(rows, alone, [path for each in given for path in not_used(*each)])


def _patient(name: str) -> str:
    found = re.match(r"sub-[^_]+", name)
    return found.group(0) if found else name


def _join_table(rows: pd.DataFrame, path) -> pd.DataFrame:
    path = Path(path)
    if not path.is_file():
        raise PairingError(f"{path}: expected a table of scans, found nothing")
    try:
        table = read_text_table(path)
        numbers = as_numbers(table, [name for name in NUMBERS if name in table], path)
    except TableError as error:
        raise PairingError(str(error)) from None
    table[list(numbers)] = numbers
    key = next((name for name in NAME_COLUMNS if name in table), None)
    if key is None:
        raise PairingError(
            f"{path}: expected a column of {', '.join(NAME_COLUMNS)}, found {', '.join(table)}"
        )
    names = table[key].fillna("").map(lambda name: bids_key(stem(name)) or stem(name))
    if key == "participant_id" and "session_id" in table:
        names = names + "_" + table["session_id"].fillna("")
    if names.duplicated().any():
        raise PairingError(
            f"{path}: expected every scan once, found {names[names.duplicated()].iloc[0]!r} again"
        )
    table = table.drop(columns=[key, *({"reference", "predicted", "uid"} & set(table))])
    table = table.assign(uid=names)
    lost = [name for name in rows["uid"] if name not in set(names)]
    if lost:
        hint = "; did Excel drop leading zeros?" if lost[0].lstrip("0") in set(names) else ""
        raise PairingError(
            f"{path}: expected a row for every scan, missing {', '.join(lost)}{hint}"
        )
    taken = [name for name in table if name in rows and name != "uid"]
    return rows.merge(table.drop(columns=taken), on="uid", how="left", validate="one_to_one")
