"""Panels of 3D renders: microbleeds of each dataset (5.1), annotated beside predicted (8.3)."""

import numpy as np

from cmbkit.plotting.canvas import add_note, new_figure, of_microbleeds
from cmbkit.plotting.style import ROLE_COLOURS, dataset_palette
from cmbkit.plotting.surfaces import render_mask, renderer_name, width_mm


def evenly_by_size(radii, n: int = 10) -> list[int]:
    """Positions of ``n`` radii spread evenly from the smallest to the largest, both included.

    The targets are spaced evenly in radius; each takes the closest one that is still free, so
    the choice is fixed by the radii. Positions come back by increasing radius.
    """
    radii = np.asarray(radii, float)
    if len(radii) <= n:
        return [int(i) for i in np.argsort(radii, kind="stable")]
    free = list(np.argsort(radii, kind="stable"))
    targets = np.linspace(radii.min(), radii.max(), n)
    chosen = []
    for target in [targets[0], targets[-1], *targets[1:-1]][:n]:
        best = min(free, key=lambda i: (abs(radii[i] - target), i))
        free.remove(best)
        chosen.append(int(best))
    return sorted(chosen, key=lambda i: (radii[i], i))


@of_microbleeds
def render_grid(rows, columns: int = 10):
    """One row of renders per dataset, by increasing radius (Figure 5.1).

    ``rows``, dict of list of (mask, spacing_mm, radius_mm): by dataset; more than ``columns``
    are thinned with `evenly_by_size`. All renders of a row share one scale, given by a bar.
    """
    figure = new_figure(10, 1.15 * len(rows) + 0.3)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for line, (label, items) in zip(grid, rows.items(), strict=True):
        items = [items[i] for i in evenly_by_size([item[2] for item in items], columns)]
        view = max((width_mm(mask, spacing) for mask, spacing, _ in items), default=1.0)
        for axes in line:
            _blank(axes)
        (colour,) = dataset_palette([label]).values()
        for axes, (mask, spacing, radius) in zip(line, items, strict=False):
            _show(axes, render_mask(mask, spacing, colour, view_mm=view), view)
            axes.set_title(f"{radius:.2f} mm", fontsize=8, pad=2)
        line[0].set_ylabel(label, fontsize=9)
        _bar(line[0], view)
    add_note(figure, f"Radius above each microbleed; drawn with {renderer_name()}")
    return figure


def render_pairs(pairs):
    """Annotated microbleeds above the predicted ones, by increasing size (Figure 8.3).

    ``pairs``, list of (truth_mask, predicted_mask or None, spacing_mm, radius_mm): both masks
    on one grid; None where the microbleed was missed: a blank. The smallest are in the top pair
    of rows. All share one scale.
    """
    if not pairs:
        raise ValueError("render_pairs: expected at least one microbleed, found none")
    pairs = sorted(pairs, key=lambda pair: pair[3])
    columns = min(8, len(pairs))
    bands = -(-len(pairs) // columns)
    figure = new_figure(1.1 * columns + 0.9, 2.3 * bands + 0.4)
    grid = figure.subplots(2 * bands, columns, squeeze=False)
    masks = [(m, spacing) for truth, found, spacing, _ in pairs for m in (truth, found)
             if m is not None]  # fmt: skip
    view = max((width_mm(mask, spacing) for mask, spacing in masks), default=1.0)
    for axes in grid.ravel():
        _blank(axes)
    for index, (truth, found, spacing, radius) in enumerate(pairs):
        above = grid[2 * (index // columns), index % columns]
        below = grid[2 * (index // columns) + 1, index % columns]
        _show(above, render_mask(truth, spacing, ROLE_COLOURS["annotated"], view_mm=view), view)
        above.set_title(f"{radius:.2f} mm", fontsize=8, pad=2)
        if found is not None:
            _show(below, render_mask(found, spacing, ROLE_COLOURS["predicted"], view_mm=view), view)
        else:
            below.text(0.5, 0.5, "missed", ha="center", va="center", fontsize=8, color="0.45",
                       transform=below.transAxes)  # fmt: skip
    for band in range(bands):
        grid[2 * band, 0].set_ylabel("Annotated", fontsize=9)
        grid[2 * band + 1, 0].set_ylabel("Predicted", fontsize=9)
    _bar(grid[0, 0], view)
    found = sum(pair[1] is not None for pair in pairs)
    shown = f"{found} of {len(pairs)} shown were found; radius above each"
    add_note(figure, f"{shown}; drawn with {renderer_name()}")
    return figure


def _blank(axes):
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _show(axes, picture, view):
    half = view / 2
    axes.imshow(picture, extent=(-half, half, -half, half))


def _bar(axes, view):
    length = max((n for n in (0.5, 1, 2, 5, 10) if n <= view / 3), default=0.5)
    start, height = -0.47 * view, -0.46 * view
    axes.plot([start, start + length], [height, height], color="black", lw=1.6, clip_on=False)
    axes.text(start, height + 0.03 * view, f"{length:g} mm", fontsize=8, va="bottom")
