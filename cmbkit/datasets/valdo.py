"""VALDO challenge 2021, task 2 (section 4.7): T2*-weighted scans with full 3D masks.

Layout: ``sub-XXX/sub-XXX_space-T2S_desc-masked_T2S.nii.gz`` and ``sub-XXX_space-T2S_CMB.nii.gz``
(T1 and T2 images beside them are not used). Any mask value > 0 is CMB. Images may hold NaN.
Acquisition by slice thickness: 0.8 mm is the Rotterdam cohort (1.5 T); 3 mm is London or
Barcelona (both 3 T, TE 21 or 23 ms), which the files do not tell apart.
"""

from pathlib import Path

from cmbkit.datasets import sources
from cmbkit.datasets.assembly import Published, make_scan, mask_annotation
from cmbkit.records import Scan

ROTTERDAM = Published("1.5", 31.0, 45.0, 13.0, "Netherlands")
LONDON_OR_BARCELONA = Published("3", site="UK or Spain")


def read(root: Path) -> list[Scan]:
    """Read all subjects below ``root``, which holds the ``sub-XXX`` folders, one scan each.

    Kind is "mask", or "none" where the mask is empty.

    Raises
    ------
    DatasetError
        One line per missing or unreadable file.
    """
    root = sources.require_folder(Path(root))
    folders = sorted(path for path in root.glob("sub-*") if path.is_dir())
    sources.require_some(folders, root, "folders sub-XXX")
    return sources.read_each(_read_subject, folders)


def _read_subject(folder: Path) -> Scan:
    name = folder.name
    header = sources.read_header(sources.nifti_file(folder, f"{name}_space-T2S_desc-masked_T2S"))
    thin = max(header.spacing) < 1.5
    number = name.removeprefix("sub-")
    return make_scan(
        header,
        lambda: mask_annotation(sources.nifti_file(folder, f"{name}_space-T2S_CMB")),
        ROTTERDAM if thin else LONDON_OR_BARCELONA,
        dataset="VALDO",
        patient=number,
        scan=number,
        sequence="T2S",
    )
