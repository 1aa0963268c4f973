"""The brain mask and the parcellation laid over a scan, and a scan to turn pages in (nilearn)."""

from __future__ import annotations

import numpy as np

from cmbkit.anatomy.atlas import SYNTHSEG_LABELS
from cmbkit.boxes import bounding_box
from cmbkit.plotting.canvas import add_note, new_figure
from cmbkit.plotting.cuts import window_of
from cmbkit.volume import Volume

MARGIN_MM = 12.0
MASK_COLOUR = "#66CCEE"


def brain_mask_and_parcellation(image: Volume, mask: Volume, labels: Volume):
    """Two rows of cuts through one scan: the brain mask's outline, and the regions in colour.

    Parameters
    ----------
    image, mask, labels : Volume
        On one grid. mask > 0 is brain; labels are SynthSeg's numbers
        (`cmbkit.anatomy.atlas.SYNTHSEG_LABELS`), left and right in one colour.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch
    from nilearn import plotting

    image.require_same_grid(mask)
    image.require_same_grid(labels)
    box = bounding_box(mask.data, margin=int(np.ceil(MARGIN_MM / mask.spacing.min())))
    scan, brain, regions = (_cropped(volume, box) for volume in (image, mask, labels))
    names, number = _without_sides(regions.data)
    colours = _colours(len(names))
    low, high = window_of(scan.data[brain.data > 0])
    centre = brain.to_mm(np.argwhere(brain.data > 0).mean(axis=0))
    figure = new_figure(10, 6.4)
    figure.set_layout_engine("none")
    shared = {"cut_coords": centre, "figure": figure, "draw_cross": False, "black_bg": True,
              "vmin": low, "vmax": high, "colorbar": False}  # fmt: skip
    above = plotting.plot_anat(scan.to_nifti(), axes=(0.0, 0.52, 0.78, 0.45), dim=0, **shared)
    above.add_contours(brain.to_nifti(), levels=[0.5], colors=[MASK_COLOUR], linewidths=1.4)
    below = plotting.plot_anat(scan.to_nifti(), axes=(0.0, 0.05, 0.78, 0.45), dim=0, **shared)
    below.add_overlay(
        regions.with_data(number).to_nifti(), threshold=0.5, cmap=ListedColormap(colours),
        vmin=1, vmax=max(len(names), 2), transparency=0.55,
    )  # fmt: skip
    keys = [Patch(color="none", ec=MASK_COLOUR, label="Brain mask")]
    keys += [Patch(color=colour, label=name) for name, colour in zip(names, colours, strict=True)]
    figure.legend(handles=keys, loc="center left", bbox_to_anchor=(0.785, 0.5))
    add_note(figure, "Above: outline of the brain mask. Below: regions, left and right alike.")
    return figure


def interactive_view(image: Volume, mask: Volume | None = None):
    """A scan to page through in a notebook, a mask over it in colour.

    Parameters
    ----------
    image : Volume
        Cropped or coarse grids keep the page small: it holds all voxels.
    mask : Volume, optional
        Same grid; voxels > 0 are coloured.

    Returns
    -------
    nilearn.plotting.html_stat_map.StatMapView
        Shows itself in a notebook; ``save_as_html`` writes a page of its own.
    """
    from nilearn import plotting

    shown = image if mask is None else image.with_data((mask.data > 0).astype(np.float32))
    low, high = window_of(image.data)
    return plotting.view_img(
        shown.to_nifti(), bg_img=image.with_data(np.clip(image.data, low, high)).to_nifti(),
        threshold=None if mask is None else 0.5, cmap="gray" if mask is None else "autumn",
        symmetric_cmap=False, resampling_interpolation="nearest", black_bg=True, colorbar=False,
        dim=0, opacity=0.6 if mask is not None else 1,
    )  # fmt: skip


def _cropped(volume: Volume, box) -> Volume:
    affine = volume.affine.copy()
    affine[:3, 3] = volume.to_mm([part.start for part in box])
    return Volume(volume.data[box], affine)


def _without_sides(labels: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Names of the regions that occur, and labels renumbered by them from 1; 0 stays."""
    found = [int(value) for value in np.unique(labels) if value]
    named = {v: SYNTHSEG_LABELS.get(v, f"Label {v}") for v in found}
    named = {v: n.removeprefix("Left ").removeprefix("Right ") for v, n in named.items()}
    names = list(dict.fromkeys(named.values()))
    table = np.zeros(max(found, default=0) + 1, np.float32)
    for value, name in named.items():
        table[value] = names.index(name) + 1
    return names, table[labels]


def _colours(count: int) -> list:
    import seaborn as sns

    return sns.color_palette("husl", count)[::2] + sns.color_palette("husl", count)[1::2]
