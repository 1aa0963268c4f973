"""Drawings of the method: network (6.1), patch sampling (6.2) and workflow (7.1)."""

import textwrap

import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from cmbkit.plotting.canvas import new_figure
from cmbkit.plotting.style import OKABE_ITO

SIDE_COLOURS = {
    "encoder": "#CFE5F5",
    "bottom": "#F9DFC0",
    "decoder": "#CDEBDF",
    "head": "#F3D9E7",
}


def network_diagram(levels, parameters: int):
    """The network as a U, drawn from its own description (Figure 6.1).

    ``levels`` are those of `cmbkit.detector.network.levels`; the width of a box follows its
    channels. ``parameters`` is the number of trained weights, for the title.
    """
    deepest = max(level["depth"] for level in levels)
    figure = new_figure(10, 1.05 * (deepest + 1) + 1.1)
    axes = figure.subplots()
    axes.set_axis_off()
    most = max(max(level["filters"]) for level in levels)
    places = {}
    for level in levels:
        centre = _place(level, deepest)
        places[level["side"], level["depth"]] = _blocks(axes, level, centre, most)
    first = _place(levels[0], deepest)
    _volume(axes, (first[0] - 2.0, 0), f"MRI patch\n{_cube(levels[0]['size'])}")
    last = _place(levels[-1], deepest)
    _volume(axes, (last[0] + 1.7, 0), f"probabilities\n{levels[-1]['filters'][-1]} classes")
    arrow = {"arrowstyle": "-|>", "mutation_scale": 10, "shrinkA": 0, "shrinkB": 0, "lw": 1.1}
    for depth in range(deepest):
        below = "bottom" if depth + 1 == deepest else "encoder"
        start, end = places["encoder", depth], places[below, depth + 1]
        _arrow(axes, (start[2] - 0.1, start[1]), (end[0] + 0.1, end[3]), OKABE_ITO["blue"], arrow)
        above = "bottom" if depth + 1 == deepest else "decoder"
        start, end = places[above, depth + 1], places["decoder", depth]
        _arrow(axes, (start[2] - 0.1, start[3]), (end[0] + 0.1, end[1]), OKABE_ITO["green"], arrow)
        left, right = places["encoder", depth], places["decoder", depth]
        middle = (left[1] + left[3]) / 2
        _arrow(axes, (left[2], middle), (right[0], middle), "#888888", {**arrow, "ls": "--"})
    axes.text(0, 0.04, "skip: concatenation", ha="center", va="bottom", fontsize=8,
              color="#666666")  # fmt: skip
    for x, colour, words in (
        (first[0] - 2.6, OKABE_ITO["blue"], "down: stride 2"),
        (first[0] + 0.2, OKABE_ITO["green"], "up: transposed, stride 2"),
    ):
        axes.plot([x, x + 0.5], [-deepest - 0.1] * 2, color=colour, lw=1.6)
        axes.text(x + 0.6, -deepest - 0.1, words, fontsize=8, va="center")
    convolutions = sum(len(level["filters"]) for level in levels)
    counted = f"{convolutions} convolutions, {parameters:,} parameters"
    axes.set_title(f"3D U-Net: {deepest} levels, {counted}")
    axes.set_xlim(first[0] - 2.9, last[0] + 2.7)
    axes.set_ylim(-deepest - 0.75, 0.75)
    return figure


def patch_sampling(shape, patch, train_boxes, tile_starts, background, lesions):
    """Patches during training and tiles during inference, seen from above (Figure 6.2).

    Parameters
    ----------
    shape, patch : (3,) int
        Volume and patch in voxels.
    train_boxes : list of (start, holds_cmb)
        First voxel of each random patch and whether it was placed on a CMB.
    tile_starts : ndarray of int, shape (n, 3)
        First voxel of each tile.
    background : ndarray, shape (i, j)
        An axial slice to draw below.
    lesions : array-like, shape (m, 3)
        CMB centres in voxels.
    """
    tiles = np.asarray(tile_starts)
    figure = new_figure(10, 5.2)
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        _frame(axes, shape, background)
    counts = {True: 0, False: 0}
    for start, holds in sorted(train_boxes, key=lambda box: bool(box[1])):
        colour = OKABE_ITO["vermilion"] if holds else OKABE_ITO["sky"]
        label = ("with a CMB" if holds else "anywhere") if not counts[bool(holds)] else None
        counts[bool(holds)] += 1
        left.add_patch(Rectangle(start[:2], *patch[:2], fill=False, ec=colour, lw=1.3, label=label))
    for index, lesion in enumerate(lesions):
        left.plot(*lesion[:2], "o", ms=5, mfc=OKABE_ITO["yellow"], mec="black",
                  label="CMB" if index == 0 else None)  # fmt: skip
    left.set_title(
        f"Training: {len(train_boxes)} random patches of {_cube(patch)}\n"
        f"{counts[True]} placed on a CMB, {counts[False]} anywhere"
    )
    seen = sorted({tuple(start) for start in tiles[:, :2].tolist()})
    for start in seen:
        right.add_patch(Rectangle(start, *patch[:2], fill=False, ec="#999999", lw=0.8))
    right.set_title(
        f"Inference: {len(tiles)} tiles of {_cube(patch)}\n{_overlap_words(tiles, patch)}"
    )
    _first_tiles(right, tiles, patch)
    handles, _ = left.get_legend_handles_labels()
    if handles:
        figure.legend(loc="outside lower left", ncols=3)
    return figure


DATASETS_OF_PHASES = {
    1: ("MOMENI", "RODEJA", "VALDO", "sMOMENI", "CRBneg"),
    2: ("MOMENI", "RODEJA", "VALDO"),
    4: ("CRB", "DOU", "Valid"),
}
"""Of pre-training, fine-tuning and evaluation, by the column of Figure 7.1."""


def workflow():
    """The two tracks of the experiments, phase by phase (Figure 7.1)."""
    figure = new_figure(10, 4.4)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_xlim(0, 10.05)
    axes.set_ylim(0, 4.4)
    columns = (
        (0.05, 1.6, "Initial weights"),
        (2.15, 1.7, "Pre-training"),
        (4.35, 1.7, "Fine-tuning"),
        (6.55, 1.45, "FP reduction"),
        (8.5, 1.5, "Evaluation"),
    )
    for x, width, title in columns:
        axes.text(x + width / 2, 4.2, title, ha="center", weight="bold", fontsize=10)
    tracks = (
        (3.1, "Random weights", "white", OKABE_ITO["blue"], "Scratch"),
        (1.6, "Transferred weights\n(source network)", "#FBE6C8", OKABE_ITO["orange"], "TL"),
    )
    for y, start, face, colour, name in tracks:
        words = [start, f"{name}-PreTrained", f"{name}-PreTrained-\nFineTuned"]
        words += ["drop predictions\noutside brain labels", "match, count,\nclassify scans"]
        for index, ((x, width, _), text) in enumerate(zip(columns, words, strict=True)):
            box_face = face if index == 0 else "white" if index > 2 else _lighter(colour)
            _box(axes, x, y, width, 0.85, text, box_face, colour)
            if index:
                before = columns[index - 1]
                _arrow(axes, (before[0] + before[1], y + 0.43), (x, y + 0.43), "black",
                       {"arrowstyle": "-|>", "mutation_scale": 12, "lw": 1.1})  # fmt: skip
    axes.text(3.0, 2.78, "kept: best count F1", ha="center", va="center", fontsize=8,
              bbox={"fc": "white", "ec": "none", "pad": 1})  # fmt: skip
    axes.text(5.2, 2.78, "kept: lowest validation loss", ha="center", va="center", fontsize=8,
              bbox={"fc": "white", "ec": "none", "pad": 1})  # fmt: skip
    for column, names in DATASETS_OF_PHASES.items():
        x, width, _ = columns[column]
        text = "\n".join(textwrap.wrap(", ".join(names), 20))
        _box(axes, x, 0.25, width, 0.95, text, "#F2F2F2", "#999999")
        _arrow(axes, (x + width / 2, 1.2), (x + width / 2, 1.6), "#777777",
               {"arrowstyle": "-|>", "mutation_scale": 10, "ls": "--", "lw": 1})  # fmt: skip
    axes.text(0.85, 0.72, "Datasets", ha="center", va="center", weight="bold", fontsize=10)
    return figure


def _place(level, deepest):
    reach = 1.35 * (deepest - level["depth"]) + 0.1 * deepest
    x = {"encoder": -reach, "bottom": 0.0, "decoder": reach, "head": reach + 1.6}[level["side"]]
    return x, -level["depth"]


def _blocks(axes, level, centre, most):
    """Draw a level's convolutions as adjoining boxes; returns left, bottom, right, top."""
    widths = [0.1 + 0.24 * filters / most for filters in level["filters"]]
    height = 0.46
    left = centre[0] - sum(widths) / 2
    bottom = centre[1] - height / 2
    x = left
    for width in widths:
        axes.add_patch(Rectangle((x, bottom), width, height, ec="black", lw=0.7,
                                 fc=SIDE_COLOURS[level["side"]]))  # fmt: skip
        x += width
    filters = level["filters"]
    words = f"{len(filters)}×{filters[0]}" if len(set(filters)) == 1 else str(filters)
    if level["side"] == "head":
        words = f"1×1×1, {filters[-1]}"
    if level["side"] != "head":
        words += f"\n{_cube(level['size'])}"
    middle = bottom + height / 2
    place = {
        "encoder": dict(x=left - 0.1, y=middle, ha="right", va="center"),
        "decoder": dict(x=x + 0.1, y=middle, ha="left", va="center"),
        "bottom": dict(x=centre[0], y=bottom - 0.05, ha="center", va="top"),
        "head": dict(x=centre[0], y=bottom + height + 0.04, ha="center", va="bottom"),
    }[level["side"]]
    axes.text(s=words, fontsize=8, **place)
    return left, bottom, x, bottom + height


def _volume(axes, centre, words):
    x, y = centre
    axes.add_patch(Rectangle((x - 0.3, y - 0.23), 0.6, 0.46, fc="#D9C7E8", ec="black", lw=0.8))
    axes.text(x, y + 0.27, words, ha="center", va="bottom", fontsize=8)


def _arrow(axes, start, end, colour, settings):
    axes.add_patch(FancyArrowPatch(start, end, color=colour, **settings))


def _box(axes, x, y, width, height, words, face, edge):
    axes.add_patch(FancyBboxPatch((x + 0.05, y + 0.05), width - 0.1, height - 0.1, lw=1.3,
                                  boxstyle="round,pad=0.05", fc=face, ec=edge))  # fmt: skip
    axes.text(x + width / 2, y + height / 2, words, ha="center", va="center", fontsize=8.5)


def _lighter(colour, share=0.25):
    from matplotlib.colors import to_rgb

    return tuple(1 - share * (1 - np.asarray(to_rgb(colour))))


def _cube(size):
    size = [int(n) for n in np.atleast_1d(size)]
    return f"{size[0]}³" if len(set(size)) == 1 else "×".join(map(str, size))


def _frame(axes, shape, background):
    low, high = np.percentile(background, [1, 99])
    axes.imshow(np.asarray(background).T, cmap="gray", origin="lower", vmin=low, vmax=high,
                alpha=0.45, extent=(0, shape[0], 0, shape[1]))  # fmt: skip
    axes.add_patch(Rectangle((0, 0), shape[0], shape[1], fill=False, ec="black", lw=1.5))
    pad = 0.04 * max(shape[:2])
    axes.set_xlim(-pad, shape[0] + pad)
    axes.set_ylim(-pad, shape[1] + pad)
    axes.set_aspect("equal")
    axes.set_xlabel("x (voxels)")
    axes.set_ylabel("y (voxels)")


def _first_tiles(axes, tiles, patch):
    """Mark the first tile and its neighbour along x, with an arrow over their overlap."""
    row = tiles[(tiles[:, 1] == tiles[:, 1].min()) & (tiles[:, 2] == tiles[:, 2].min())]
    starts = np.unique(row[:, 0])
    y = tiles[:, 1].min()
    for start, colour in zip(starts[:2], ("orange", "blue"), strict=False):
        axes.add_patch(Rectangle((start, y), *patch[:2], ec=OKABE_ITO[colour], lw=2,
                                 fc=(*_lighter(OKABE_ITO[colour], 0.6), 0.25)))  # fmt: skip
    if len(starts) > 1 and starts[1] < starts[0] + patch[0]:
        level = y + patch[1] / 2
        axes.annotate("", (starts[1], level), (starts[0] + patch[0], level),
                      arrowprops={"arrowstyle": "<->", "color": OKABE_ITO["vermilion"], "lw": 1.8,
                                  "shrinkA": 0, "shrinkB": 0})  # fmt: skip


def _overlap_words(tiles, patch):
    starts = np.unique(tiles[:, 0])
    if len(starts) < 2:
        return "one tile along x"
    shared = max(0, int(patch[0] - (starts[1] - starts[0])))
    return f"neighbours share {shared} voxels along x ({100 * shared / patch[0]:.0f} %)"
