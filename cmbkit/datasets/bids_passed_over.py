"""Files of a BIDS dataset that its reader does not use, so that they can be said."""

from collections import Counter
from pathlib import Path

from cmbkit.datasets.bids import (
    ANNOTATIONS,
    SUFFIXES,
    files_in,
    is_annotation,
    is_image,
    is_nifti,
    suffix_of,
)

CALLED = "desc-cmb_mask, desc-cmb_dseg or desc-cmb_points"


def passed_over(root: Path, leave_out=()) -> tuple[list[str], list[str]]:
    """Files that are not used, below the subjects' folders (also in derivatives).

    Returns
    -------
    marks : list of str
        Names of masks, labels and lists of points.
    others : list of str
        Names of further T2*-weighted and SWI images; of other images their suffix and number.
    """
    left_out = {f"sub-{label.removeprefix('sub-')}" for label in leave_out}
    files = [*files_in(root, "sub-*/**/*"), *files_in(root, "derivatives/*/sub-*/**/*")]
    files = [p for p in files if not left_out & set(p.relative_to(root).parts)]
    files = [p for p in files if not is_annotation(p) and (is_nifti(p) or _is_points(p))]
    marks = [p.name for p in files if suffix_of(p) in ANNOTATIONS]
    images = [p for p in files if not p.is_relative_to(root / "derivatives")]
    images = [p for p in images if suffix_of(p) not in ANNOTATIONS and not is_image(p)]
    kinds = Counter(suffix_of(p) for p in images if suffix_of(p) not in SUFFIXES)
    others = [p.name for p in images if suffix_of(p) in SUFFIXES]
    return marks, others + [f"{count} {kind}" for kind, count in sorted(kinds.items())]


def _is_points(path: Path) -> bool:
    return suffix_of(path) == "points" and path.name.lower().endswith(".tsv")
