"""The interactive viewer of a page: one picture with all slices, outlines, and a script.

The slices lie side by side in one grey JPEG within the page; the script puts them together to a
volume and draws three cuts through it. Nothing is loaded from anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cmbkit.prediction.crops import jpeg, to_grey
from cmbkit.preprocessing.grid import resample_labels, resample_linear
from cmbkit.volume import Volume

LARGEST = 12_000_000


@dataclass(frozen=True)
class Layer:
    """Microbleeds that are outlined in one colour.

    Attributes
    ----------
    name : str
        What one of them is called.
    colour : str
    instances : Volume
        One integer per microbleed, on the grid of the image.
    table : DataFrame
        id and x_mm, y_mm, z_mm of each; ``told`` is written behind its number.
    """

    name: str  # of one of them
    colour: str
    instances: Volume  # one integer per microbleed, on the grid of the image
    table: pd.DataFrame  # id, x_mm, y_mm, z_mm; ``told``, if any, is written behind its number


def viewer(
    image: Volume,
    layers: Sequence[Layer],
    limits: tuple[float, float],
    grid: str = "the network's grid",
    largest: int = LARGEST,
) -> dict:
    """What the viewer shows of a scan on its standard grid.

    Parameters
    ----------
    image : Volume
        On a RAS isotropic grid.
    layers : sequence of Layer
    limits : (float, float)
        See `cmbkit.prediction.crops.window`.
    grid : str
        What the image's grid is called.
    largest : int
        Voxels beyond which a coarser grid is shown, so that the page does not become too large.

    Returns
    -------
    dict
        ``sprite``, bytes of the JPEG; ``data``, what the script needs to know of it and of the
        microbleeds; ``note``, the grid that is shown, in words.
    """
    instances = [layer.instances for layer in layers]
    spacing = float(image.spacing[0])
    note = f"The viewer shows {grid}, {spacing:.3g} mm."
    if image.data.size > largest:
        image, instances = _coarser(image, instances, largest)
        note = f"The viewer shows {image.spacing[0]:.3g} mm, coarser than {grid}, {spacing:.3g} mm."
    sprite, columns = _sprite(to_grey(image.data, limits))
    data = {
        "shape": list(image.shape),
        "spacing": float(image.spacing[0]),
        "origin": image.affine[:3, 3].round(4).tolist(),
        "columns": columns,
        "start": [n // 2 for n in image.shape],
        "layers": [
            {
                "name": layer.name,
                "colour": layer.colour,
                "microbleeds": list(_places(layer.table, image, shown)),
            }
            for layer, shown in zip(layers, instances, strict=True)
        ],
    }
    return {"sprite": sprite, "data": data, "note": note}


def _places(table: pd.DataFrame, image: Volume, instances: Volume) -> Iterator[dict]:
    """Voxels of each microbleed (first axis fastest) and the one at its centre."""
    flat = instances.data.ravel(order="F")
    marked = np.flatnonzero(flat)
    label = flat[marked]
    for row in table.itertuples():
        centre = np.rint(image.to_voxels([row.x_mm, row.y_mm, row.z_mm])).astype(int)
        told = {"told": row.told} if hasattr(row, "told") else {}
        voxels = marked[label == row.id].tolist()
        yield {"id": int(row.id), "centre": centre.tolist(), "voxels": voxels} | told


def _coarser(image: Volume, instances: list[Volume], largest: int) -> tuple[Volume, list[Volume]]:
    factor = (image.data.size / largest) ** (1 / 3)
    shape = tuple(max(1, int(n / factor)) for n in image.shape)
    affine = image.affine.copy()
    affine[:3, :3] *= factor
    coarse = resample_linear(image, shape, affine, fill=float(image.data.min()))
    return coarse, [resample_labels(each, shape, affine) for each in instances]


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
