"""VALDO challenge 2021, task 2 (section 4.7): T2*-weighted scans with full 3D masks.

Layout: ``sub-XXX/sub-XXX_space-T2S_desc-masked_T2S.nii.gz`` and ``sub-XXX_space-T2S_CMB.nii.gz``
(T1 and T2 images beside them are not used). Any mask value > 0 is CMB. Images may hold NaN.
Acquisition by slice thickness: 0.8 mm is the Rotterdam cohort (1.5 T); 3 mm is London or
Barcelona (both 3 T, TE 21 or 23 ms), which the files do not tell apart.
"""

from __future__ import annotations

from pathlib import Path

from cmbkit.datasets.sources import (
    DatasetError,
    Published,
    acquisition,
    is_synthetic,
    mask_content,
    read_each,
    read_header,
    require_file,
    require_folder,
)
from cmbkit.records import Annotation, Scan

ROTTERDAM = Published("1.5", 31.0, 45.0, 13.0, "Netherlands")
LONDON_OR_BARCELONA = Published("3", site="UK or Spain")


def read(root: Path) -> list[Scan]:
    """Read all subjects below ``root``.

    Parameters
    ----------
    root : Path
        Folder that holds the ``sub-XXX`` folders.

    Returns
    -------
    list of Scan
        One per subject; kind "mask", or "none" where the mask is empty.

    Raises
    ------
    DatasetError
        One line per missing or unreadable file.
    """
    root = require_folder(Path(root))
    synthetic = is_synthetic(root)
    folders = sorted(path for path in root.glob("sub-*") if path.is_dir())
    if not folders:
        raise DatasetError(f"{root}: expected folders sub-XXX, found none")
    return read_each(lambda folder: _read_subject(folder, synthetic), folders)


def _read_subject(folder: Path, synthetic: bool) -> Scan:
    name = folder.name
    image = require_file(folder / f"{name}_space-T2S_desc-masked_T2S.nii.gz")
    mask = require_file(folder / f"{name}_space-T2S_CMB.nii.gz")
    header = read_header(image)
    thin = max(header.spacing) < 1.5
    kind = "mask" if mask_content(mask).values else "none"
    number = name.removeprefix("sub-")
    return Scan(
        dataset="VALDO",
        patient=number,
        scan=number,
        sequence="T2S",
        image=image,
        annotation=Annotation(kind, mask_path=mask),
        acquisition=acquisition(header, ROTTERDAM if thin else LONDON_OR_BARCELONA),
        synthetic=synthetic,
    )
