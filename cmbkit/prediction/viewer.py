"""The interactive viewer of a report: one picture with all slices, outlines, and a script.

The slices lie side by side in one grey JPEG within the page; the script puts them together to a
volume and draws three cuts through it. Nothing is loaded from anywhere.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cmbkit.plotting.style import ROLE_COLOURS
from cmbkit.prediction.crops import jpeg, to_grey
from cmbkit.preprocessing.grid import resample_labels, resample_linear
from cmbkit.volume import Volume

LARGEST = 12_000_000


def viewer(
    image: Volume, instances: Volume, table: pd.DataFrame, limits: tuple[float, float]
) -> dict:
    """What the viewer shows of a scan on its standard grid.

    Parameters
    ----------
    image, instances : Volume
        On one RAS isotropic grid; one integer per microbleed.
    table : DataFrame
        id and x_mm, y_mm, z_mm of each microbleed.
    limits : (float, float)
        See `cmbkit.prediction.crops.window`.

    Returns
    -------
    dict
        ``sprite``, bytes of the JPEG; ``data``, what the script needs to know of it and of the
        microbleeds; ``note``, the grid that is shown, in words: it is coarser where the page
        would become too large (over 12 million voxels).
    """
    spacing = float(image.spacing[0])
    note = f"The viewer shows the network's grid, {spacing:.3g} mm."
    if image.data.size > LARGEST:
        image, instances = _coarser(image, instances)
        shown = float(image.spacing[0])
        note = f"The viewer shows {shown:.3g} mm, coarser than the network's {spacing:.3g} mm."
    sprite, columns = _sprite(to_grey(image.data, limits))
    middle = [n // 2 for n in image.shape]
    data = {
        "shape": list(image.shape),
        "spacing": float(image.spacing[0]),
        "origin": image.affine[:3, 3].round(4).tolist(),
        "columns": columns,
        "start": middle,
        "outline": ROLE_COLOURS["predicted"],
        "microbleeds": [_place(row, image, instances) for row in table.itertuples()],
    }
    return {"sprite": sprite, "data": data, "note": note}


def _place(row, image: Volume, instances: Volume) -> dict:
    """Voxels of a microbleed (first axis fastest) and the one at its centre."""
    centre = np.rint(image.to_voxels([row.x_mm, row.y_mm, row.z_mm])).astype(int)
    voxels = np.flatnonzero((instances.data == row.id).ravel(order="F"))
    return {"id": int(row.id), "centre": centre.tolist(), "voxels": voxels.tolist()}


def _coarser(image: Volume, instances: Volume) -> tuple[Volume, Volume]:
    factor = (image.data.size / LARGEST) ** (1 / 3)
    shape = tuple(max(1, int(n / factor)) for n in image.shape)
    affine = image.affine.copy()
    affine[:3, :3] *= factor
    coarse = resample_linear(image, shape, affine, fill=float(image.data.min()))
    return coarse, resample_labels(instances, shape, affine)


def _sprite(grey: np.ndarray) -> tuple[bytes, int]:
    """Axial slices in rows of ``columns`` tiles; a tile has x to the right and y downwards."""
    from PIL import Image

    nx, ny, nz = grey.shape
    columns = max(1, round(np.sqrt(nz * ny / nx)))
    rows = -(-nz // columns)
    sheet = np.zeros((rows * ny, columns * nx), np.uint8)
    for k in range(nz):
        row, column = divmod(k, columns)
        sheet[row * ny : (row + 1) * ny, column * nx : (column + 1) * nx] = grey[:, :, k].T
    return jpeg(Image.fromarray(sheet)), columns
