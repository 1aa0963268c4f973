"""RODEJA (section 4.6, private): SWI scans with full 3D masks, one value per microbleed.

Layout: ``cmb_annotations/<sub>/images/NNNNN.nii.gz`` with ``<sub>`` one of ``cph_annotated`` and
``cph_annotated_mip``; masks ``cmb_annotations/Annotations/<sub>/*NNNNNmask.nii``.
"""

from pathlib import Path

from cmbkit.datasets import sources
from cmbkit.datasets.assembly import Published, make_scan, mask_annotation
from cmbkit.datasets.sources import DatasetError
from cmbkit.records import Scan

PUBLISHED = Published("1.5/3", site="Denmark")
SUBFOLDERS = ("cph_annotated", "cph_annotated_mip")


def read(root: Path) -> list[Scan]:
    """Read all scans below ``root``, which holds ``cmb_annotations``.

    Returns
    -------
    list of Scan
        Kind "mask", or "none" where the mask is empty; every scan is a patient of its own.

    Raises
    ------
    DatasetError
        One line per image without exactly one mask, mask without an image, unreadable file.
    """
    base = sources.require_folder(Path(root) / "cmb_annotations")
    images = [path for name in SUBFOLDERS for path in sources.images_in(base / name / "images")]
    sources.require_some(images, base, f"images in {' or '.join(SUBFOLDERS)}")
    masks = {name: sources.images_in(base / "Annotations" / name) for name in SUBFOLDERS}
    problems = [
        f"{mask}: expected an image, found none; add it, or remove the mask"
        for name in SUBFOLDERS
        for mask in masks[name]
        if not any(_belongs(mask, image) for image in images if _subfolder(image) == name)
    ]

    def read_one(image: Path) -> Scan:
        return make_scan(
            sources.read_header(image),
            lambda: mask_annotation(_mask_of(image, masks, base), labelled=True),
            PUBLISHED,
            dataset="RODEJA",
            patient=sources.stem(image),
            scan=sources.stem(image),
            sequence="SWI",
        )

    return sources.read_each(read_one, images, problems)


def _subfolder(image: Path) -> str:
    return image.parent.parent.name


def _belongs(mask: Path, image: Path) -> bool:
    """Whether a mask's name ends in the image's number (and not in a longer one)."""
    ending = f"{sources.stem(image)}mask"
    return (
        sources.stem(mask).endswith(ending)
        and not sources.stem(mask).removesuffix(ending)[-1:].isdigit()
    )


def _mask_of(image: Path, masks: dict[str, list[Path]], base: Path) -> Path:
    name = _subfolder(image)
    found = [path for path in masks[name] if _belongs(path, image)]
    if len(found) != 1:
        raise DatasetError(
            f"{base / 'Annotations' / name}: expected one mask *{sources.stem(image)}mask.nii, "
            f"found {len(found)}; keep one mask for each image"
        )
    return found[0]
