"""RODEJA (section 4.6, private): SWI scans with full 3D masks, one value per microbleed.

Layout: ``cmb_annotations/<sub>/images/NNNNN.nii.gz`` with ``<sub>`` one of ``cph_annotated`` and
``cph_annotated_mip``; masks ``cmb_annotations/Annotations/<sub>/*NNNNNmask.nii``.
"""

from __future__ import annotations

from pathlib import Path

from cmbkit.datasets.sources import (
    DatasetError,
    Published,
    acquisition,
    images_in,
    is_synthetic,
    mask_content,
    read_each,
    read_header,
    require_folder,
    stem,
)
from cmbkit.records import Annotation, Scan

PUBLISHED = Published("1.5/3", site="Denmark")
SUBFOLDERS = ("cph_annotated", "cph_annotated_mip")


def read(root: Path) -> list[Scan]:
    """Read all scans below ``root``.

    Parameters
    ----------
    root : Path
        Folder that holds ``cmb_annotations``.

    Returns
    -------
    list of Scan
        Kind "mask", or "none" where the mask is empty; every scan is a patient of its own.

    Raises
    ------
    DatasetError
        One line per image without exactly one mask, mask without an image, unreadable file.
    """
    root = Path(root)
    base = require_folder(root / "cmb_annotations")
    synthetic = is_synthetic(root)
    images = [path for name in SUBFOLDERS for path in images_in(base / name / "images")]
    if not images:
        raise DatasetError(f"{base}: expected images in {' or '.join(SUBFOLDERS)}, found none")
    masks = {name: images_in(base / "Annotations" / name) for name in SUBFOLDERS}
    paired = read_each(lambda image: (image, _mask_of(image, masks, base)), images)
    alone = {path for paths in masks.values() for path in paths} - {mask for _, mask in paired}
    if alone:
        raise DatasetError("\n".join(f"{path}: expected an image, found none" for path in alone))
    return read_each(lambda pair: _read_pair(*pair, synthetic), paired)


def _mask_of(image: Path, masks: dict[str, list[Path]], base: Path) -> Path:
    name = image.parent.parent.name
    ending = f"{stem(image)}mask"
    found = [
        path
        for path in masks[name]
        if stem(path).endswith(ending) and not stem(path).removesuffix(ending)[-1:].isdigit()
    ]
    if len(found) != 1:
        raise DatasetError(
            f"{base / 'Annotations' / name}: expected one mask *{ending}.nii, found {len(found)}"
        )
    return found[0]


def _read_pair(image: Path, mask: Path, synthetic: bool) -> Scan:
    kind = "mask" if mask_content(mask).values else "none"
    return Scan(
        dataset="RODEJA",
        patient=stem(image),
        scan=stem(image),
        sequence="SWI",
        image=image,
        annotation=Annotation(kind, mask_path=mask),
        acquisition=acquisition(read_header(image), PUBLISHED),
        synthetic=synthetic,
    )
