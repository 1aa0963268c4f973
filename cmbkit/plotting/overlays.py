"""The brain mask and the parcellation laid over a scan, and a scan to turn pages in (nilearn)."""

import re
from collections.abc import Mapping

import numpy as np

from cmbkit.anatomy.atlas import SYNTHSEG_LABELS
from cmbkit.boxes import bounding_box
from cmbkit.plotting.canvas import add_note, new_figure
from cmbkit.plotting.cuts import window_of
from cmbkit.plotting.style import ROLE_COLOURS
from cmbkit.preprocessing.grid import crop
from cmbkit.volume import Volume

MARGIN_MM = 12.0
SCAN_INCHES, KEY_INCHES = 5.2, 1.1


def brain_mask_and_parcellation(scans: Mapping[str, tuple[Volume, Volume, Volume]]):
    """Two rows of cuts through each scan: the brain mask's outline, and the regions in colour.

    ``scans``, mapping of str to (image, mask, labels): by what is written over a scan. The
    three volumes are on one grid; mask > 0 is brain; labels are SynthSeg's numbers
    (`cmbkit.anatomy.atlas.SYNTHSEG_LABELS`), left and right in one colour.
    """
    import seaborn as sns
    from matplotlib.patches import Patch

    for image, mask, labels in scans.values():
        image.require_same_grid(mask)
        image.require_same_grid(labels)
    names = _names(np.unique([n for *_, labels in scans.values() for n in np.unique(labels.data)]))
    count = len(set(names.values()))
    colours = sns.color_palette("tab20" if count <= 20 else "husl", count)
    figure = new_figure(8, SCAN_INCHES * len(scans) + KEY_INCHES)
    figure.set_layout_engine("none")
    foot, each = (part / figure.get_figheight() for part in (KEY_INCHES, SCAN_INCHES))
    for place, (title, volumes) in enumerate(scans.items(), 1):
        _one_scan(figure, foot + each * (len(scans) - place), each, title, *volumes, names, colours)
    keys = [Patch(fc="none", ec=ROLE_COLOURS["brain"], label="Brain mask")]
    shown = zip(colours, dict.fromkeys(names.values()), strict=True)
    keys += [Patch(color=colour, label=name) for colour, name in shown]
    figure.legend(handles=keys, loc="upper center", bbox_to_anchor=(0.5, foot), ncols=5)
    add_note(figure, "Above: outline of the brain mask. Below: regions, left and right alike.")
    return figure


def _one_scan(figure, foot: float, height: float, title: str, image, mask, labels, names, colours):
    """Both rows of a scan in the part of the figure above ``foot`` (shares of its height)."""
    from matplotlib.colors import ListedColormap
    from nilearn import plotting

    box = bounding_box(mask.data, margin=int(np.ceil(MARGIN_MM / mask.spacing.min())))
    scan, brain, regions = (crop(volume, box) for volume in (image, mask, labels))
    low, high = window_of(scan.data[brain.data > 0])
    centre = brain.to_mm(np.argwhere(brain.data > 0).mean(axis=0))
    shared = {"cut_coords": centre, "figure": figure, "draw_cross": False, "black_bg": True,
              "vmin": low, "vmax": high, "colorbar": False}  # fmt: skip
    rows = [(0.0, foot + share * height, 1.0, 0.45 * height) for share in (0.465, 0.01)]
    above = plotting.plot_anat(scan.to_nifti(), axes=rows[0], dim=0, **shared)
    above.add_contours(
        brain.to_nifti(), levels=[0.5], colors=[ROLE_COLOURS["brain"]], linewidths=1.4
    )
    below = plotting.plot_anat(scan.to_nifti(), axes=rows[1], dim=0, **shared)
    below.add_overlay(
        regions.with_data(_numbered(regions.data, names)).to_nifti(), threshold=0.5,
        cmap=ListedColormap(colours), vmin=1, vmax=max(len(colours), 2), transparency=0.55,
        resampling_interpolation="nearest",
    )  # fmt: skip
    figure.text(0.006, foot + 0.985 * height, title, ha="left", va="top", fontsize=9)


def interactive_view(image: Volume, mask: Volume):
    """A scan to page through in a notebook, the voxels > 0 of a mask over it in colour.

    Cropped or coarse grids keep the page small: it holds all voxels.

    Returns
    -------
    nilearn.plotting.html_stat_map.StatMapView
        Shows itself in a notebook; ``save_as_html`` writes a page of its own.
    """
    from matplotlib.colors import ListedColormap
    from nilearn import plotting

    shown = image.with_data((mask.data > 0).astype(np.float32))
    low, high = window_of(image.data)
    view = plotting.view_img(
        shown.to_nifti(), bg_img=image.with_data(np.clip(image.data, low, high)).to_nifti(),
        threshold=0.5, cmap=ListedColormap([ROLE_COLOURS["annotated"]] * 256), symmetric_cmap=False,
        resampling_interpolation="nearest", black_bg=True, colorbar=False, dim=0, opacity=0.6,
    )  # fmt: skip
    view.html = _DRAWN.sub("", view.html)  # nilearn draws a name for each view it makes
    return view


_DRAWN = re.compile(r"-[0-9a-f]{32}\b")


def _names(labels) -> dict[int, str]:
    """Name of the region of each label > 0, without its side."""
    named = {int(v): SYNTHSEG_LABELS.get(int(v), f"Label {v}") for v in labels if v}
    return {v: n.removeprefix("Left ").removeprefix("Right ") for v, n in named.items()}


def _numbered(labels: np.ndarray, names: dict[int, str]) -> np.ndarray:
    """Labels renumbered from 1 by their names, in the order of these; 0 stays."""
    order = list(dict.fromkeys(names.values()))
    table = np.zeros(max(names, default=0) + 1, np.float32)
    for value, name in names.items():
        table[value] = order.index(name) + 1
    return table[labels]
