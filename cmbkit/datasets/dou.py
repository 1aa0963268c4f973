"""DOU (section 4.3): 20 SWI scans with the centres of their microbleeds.

Layout: ``nii/NN.nii`` and ``ground_truth/NN.mat``, whose variable ``cen`` has one row x, y, z per
CMB: 1-based voxel indices in the image file's own array order. Orientations differ between
files (LPS, RAS, LAS), so coordinates are never flipped.
"""

from pathlib import Path

import numpy as np

from cmbkit.datasets import sources
from cmbkit.datasets.assembly import Published, make_scan
from cmbkit.datasets.sources import DatasetError, Header
from cmbkit.records import Annotation, Scan

PUBLISHED = Published("3", 24.0, 17.0, 20.0, "China")


def read_centres(path: Path) -> np.ndarray:
    """Rows x, y, z of ``cen`` in a ``.mat`` file, shape (n, 3), 1-based voxels."""
    from scipy.io import loadmat

    sources.require_file(path)
    try:
        content = loadmat(path)
    except Exception as error:
        raise DatasetError(
            f"{path}: expected a readable .mat file, found: {error}; copy it again from the source"
        ) from error
    if "cen" not in content:
        names = [name for name in content if not name.startswith("__")]
        raise DatasetError(
            f"{path}: expected a variable cen, found {names}; store the centres under that name"
        )
    try:
        centres = np.asarray(content["cen"], float)
    except (TypeError, ValueError):
        raise DatasetError(
            f"{path}: cen: expected numbers, found {content['cen'].dtype}; store rows x, y, z"
        ) from None
    if centres.size == 0:
        return np.empty((0, 3))
    if centres.ndim != 2 or centres.shape[1] != 3:
        raise DatasetError(
            f"{path}: cen: expected rows x, y, z, found shape {centres.shape}; "
            "store one row per microbleed"
        )
    return centres


def read(root: Path) -> list[Scan]:
    """Read all scans below ``root``, which holds ``nii`` and ``ground_truth``.

    Returns
    -------
    list of Scan
        Kind "points", or "none" where ``cen`` is empty.

    Raises
    ------
    DatasetError
        One line per image without centres, centres without an image, coordinate outside.
    """
    root = sources.require_folder(Path(root))
    images = sources.images_in(sources.require_folder(root / "nii"))
    truth = root / "ground_truth"
    sources.require_some(images, root / "nii", "images NN.nii")
    alone = sorted(
        {path.stem for path in truth.glob("*.mat")} - {sources.stem(path) for path in images}
    )
    problems = [
        f"{truth / name}.mat: expected an image {name}.nii, found none; add it, or remove this file"
        for name in alone
    ]

    def read_one(image: Path) -> Scan:
        header = sources.read_header(image)
        name = sources.stem(image)
        return make_scan(
            header,
            lambda: _annotation(truth / f"{name}.mat", header),
            PUBLISHED,
            dataset="DOU",
            patient=name,
            scan=name,
            sequence="SWI",
        )

    return sources.read_each(read_one, images, problems)


def _annotation(source: Path, header: Header) -> Annotation:
    points = sources.zero_based(read_centres(source), header, source)
    return Annotation("points" if points else "none", points=points)
