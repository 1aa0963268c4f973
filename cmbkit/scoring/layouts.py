"""Layouts in which other tools leave microbleeds: which files, of which scan, and what they hold.

One row of `LAYOUTS` each. A tool whose names are its own is known by looking; the word of a
layout (instead of a pattern) picks its files where others lie beside them. What was read where:

- nnunet: documentation of nnU-Net v2: one segmentation CASE.nii.gz (or .nrrd, .mha) per case, at
  the top of the folder. The probabilities (.npz) are not read: their array order is not written.
- nndetection: its README and ``scripts/utils.py``: CASE_boxes.nii.gz, one integer per box, and
  scores in CASE_boxes.json, as ``nndet_boxes2nii`` draws them from CASE_boxes.pkl. Pickles are
  not read: they can hold code.
- shivai: README of SHiVAi and ``utils/stats.py``: SUBJECT/labelled_cmb.nii.gz (in
  segmentations/cmb_segmentation_swi-space), one integer per cluster, with cmb_map.nii.gz
  (probability) and cmb_census.csv beside it. The census has sizes and no places: a label image
  that differs from it is said. Unsure: whether its resampling keeps the affine in every release.
- censyncmb: README of CenSynCMB 1.0 and ``run_inference.py``: SID_censyncmb_mask_thr*.nii.gz
  (26-connected) with SID_censyncmb_prob.nii.gz, or SID_censyncmb_centroids.csv, or the run's
  censyncmb_inference_summary.json, which names the tables of its subjects.
- microbleednet: ``scripts/`` of FSL's microbleednet (v-sundaresan/microbleed-detection):
  predicted_final_microbleednet_NAME.nii.gz is 0 and 1. Candidates are voxels above 0.2, each kept
  or dropped whole, then filtered by shape; no score is left. It lies on the image that was given,
  cut to where that is not 0: a mask of another shape than the annotation's is an error.
- valdo: the challenge's page Evaluation (an image from 0 to 1, binarised at 0.5) and its
  kimvwijnen/valdo-docker-template: sub-201_space-T2S_prediction.nii.gz. Masks of the data set
  (sub-101_space-T2S_CMB.nii.gz) are read alike.
- bids: `cmbkit.datasets.bids`; slicer: `cmbkit.scoring.slicer_points`.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cmbkit.datasets.text_table import as_numbers, read_text_table
from cmbkit.evaluation.instances import Instances

SUMMARY = "censyncmb_inference_summary.json"
LEAST_SCORE = 0.5
"""Of a voxel of a map, and of a box."""
IMAGE = r"\.(nii(\.gz)?|nrrd|mha)$"


@dataclass(frozen=True)
class ToolLayout:
    """One kind of file.

    Attributes
    ----------
    files : str
        Regular expression of the path below the folder. Its group ``scan`` names the scan; a
        layout without one is taken by its word alone, and scans are named as usual.
    holds : {"mask", "labels", "map", "points"}
        What is read: components of what is not 0 or of what is above `LEAST_SCORE`, one integer
        per microbleed, or centres.
    scores : str
        Map beside the file, with ``{scan}`` for the scan's name: the highest value inside a
        microbleed is its score.
    connectivity : int, optional
        Of components, where the tool says so.
    own_grid : bool
        Whether the tool resamples: on another grid than the annotation's, centres in mm count.
    """

    files: str
    holds: Literal["mask", "labels", "map", "points"] = "mask"
    scores: str = ""
    connectivity: int | None = None
    own_grid: bool = False


LAYOUTS: dict[str, tuple[ToolLayout, ...]] = {
    "nndetection": (ToolLayout(r"(^|/)(?P<scan>[^/]+)_boxes\.nii\.gz$", "labels"),),
    "shivai": (
        ToolLayout(
            r"(^|/)(?P<scan>[^/]+)/labelled_cmb\.nii\.gz$", "labels", "cmb_map.nii.gz", None, True
        ),
    ),
    "censyncmb": (
        ToolLayout(
            r"(^|/)(?P<scan>[^/]+)_censyncmb_mask_thr[^/]*\.nii\.gz$",
            "mask",
            "{scan}_censyncmb_prob.nii.gz",
            26,
            True,
        ),
        ToolLayout(r"(^|/)(?P<scan>[^/]+)_censyncmb_centroids\.csv$", "points"),
    ),
    "microbleednet": (
        ToolLayout(rf"(^|/)[Pp]redicted_final_microbleednet_(?P<scan>[^/]+?){IMAGE}"),
    ),
    "valdo": (
        ToolLayout(rf"(^|/)(?P<scan>sub-[^/]+?)_space-[^/_]+_prediction{IMAGE}", "map"),
        ToolLayout(rf"_CMB{IMAGE}", "map"),
    ),
    "bids": (
        ToolLayout(r"_(desc|label)-(cmbs?|microbleeds?)_(mask|dseg|points)\.(nii(\.gz)?|tsv)$"),
    ),
    "slicer": (ToolLayout(r"(\.fcsv|\.mrk\.json)$", "points"),),
    "nnunet": (ToolLayout(rf"^[^/]+{IMAGE}"),),
}
USUAL = ToolLayout("", "mask")


def tool_layout(given) -> ToolLayout:
    """Layout of one file by its name; a plain mask where no tool's."""
    if isinstance(given, str | os.PathLike):
        name = Path(given).as_posix()
        for layout in (row for rows in LAYOUTS.values() for row in rows):
            if re.search(layout.files, name):
                return layout
    return USUAL


def files_of(folder: Path, files: list[Path], word: str | None) -> list[Path]:
    """Those files that the layout of a word is made of; without a word, of a tool that is known.

    Where a tool leaves the same in two ways, the first that is there counts.
    """
    kinds = LAYOUTS[word] if word else (row for rows in LAYOUTS.values() for row in rows)
    for kind in kinds:
        if word or "?P<scan>" in kind.files:
            found = [p for p in files if re.search(kind.files, p.relative_to(folder).as_posix())]
            if found:
                return found
    return []


def scan_of(path: Path) -> str | None:
    """Name of the scan that a tool's file is about; None where its name says no more than usual."""
    found = re.search(tool_layout(path).files, path.as_posix())
    return found.groupdict().get("scan") if found else None


def scores_beside(path) -> Path | None:
    """Map that a tool leaves beside a file, if it is there."""
    layout = tool_layout(path)
    if not layout.scores:
        return None
    beside = Path(path).with_name(layout.scores.format(scan=scan_of(Path(path))))
    return beside if beside.is_file() else None


def of_summary(path: Path) -> dict[str, Path]:
    """Tables of centres that a run of CenSynCMB names, by subject, in the summary's own folder.

    Raises
    ------
    ValueError
        If the file is no such summary, or a table holds another number of microbleeds.
    """
    try:
        runs = json.loads(path.read_text(encoding="utf-8"))["outputs"]
        found = {
            str(run["sid"]): path.with_name(re.split(r"[\\/]", run["centroids"])[-1])
            for run in runs
        }
        counts = {str(run["sid"]): int(run["n_lesions"]) for run in runs}
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{path}: expected a summary of CenSynCMB, found: {error!r}") from None
    for sid, table in found.items():
        rows = len(read_text_table(table)) if table.is_file() else "no file"
        if rows != counts[sid]:
            raise ValueError(f"{table}: expected {counts[sid]} microbleeds, found {rows}")
    return found


def beside_remarks(path, found: Instances) -> list[str]:
    """What SHiVAi's census says otherwise than its label image."""
    census = Path(path).with_name("cmb_census.csv")
    if Path(path).name != "labelled_cmb.nii.gz" or not census.is_file():
        return []
    table = read_text_table(census)
    rows = as_numbers(table, ["Biomarker labels", "Cluster size"], census)
    said = dict(zip(rows["Biomarker labels"], rows["Cluster size"], strict=True))
    if said == dict(zip(found.ids.tolist(), found.sizes.tolist(), strict=True)):
        return []
    return [
        f"{path}: {len(found)} clusters, of other labels or sizes than the {len(said)} in {census}"
    ]


def box_scores(path) -> dict[int, float]:
    """Scores of boxes drawn by ``nndet_boxes2nii``, by their integer; none without its JSON."""
    beside = Path(str(path).removesuffix(".nii.gz") + ".json")
    if not str(path).endswith("_boxes.nii.gz") or not beside.is_file():
        return {}
    try:
        rows = json.loads(beside.read_text(encoding="utf-8"))
        return {int(number): float(row["score"]) for number, row in rows.items()}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{beside}: expected scores of boxes, found: {error!r}") from None
