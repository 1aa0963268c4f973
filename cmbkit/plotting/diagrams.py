"""Drawings of the method: network (6.1), patch sampling (6.2) and workflow (7.1)."""

import textwrap
from itertools import pairwise

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch, Rectangle

from cmbkit.plotting.canvas import lettered, new_figure
from cmbkit.plotting.cuts import window_of
from cmbkit.plotting.style import MODEL_COLOURS, ROLE_COLOURS, SERIES, lighter

SIDE_TINTS = {"encoder": 0.25, "bottom": 0.6, "decoder": 0.45, "head": 0.1}
"""Share of the slate in the boxes of each part of the network."""
ARROW = {"arrowstyle": "-|>", "mutation_scale": 10, "shrinkA": 0, "shrinkB": 0, "lw": 1.1}
DOWN, UP = SERIES[0], SERIES[3]


def network_diagrams(networks):
    """Networks as a U each, one above the other on one scale (Figure 6.1).

    ``networks`` are (name, levels, parameters): levels as of `cmbkit.detector.network.levels`,
    whose channels give the widths of the boxes; the number of trained weights for the title.
    """
    heights = [_deepest(levels) + 1.6 for _, levels, _ in networks]
    figure = new_figure(10, 0.78 * sum(heights))
    drawn = figure.subplots(len(networks), 1, squeeze=False, height_ratios=heights).ravel()
    widest = max((levels for _, levels, _ in networks), key=_deepest)
    most = max(max(level["filters"]) for _, levels, _ in networks for level in levels)
    limits = _place(widest[0], widest)[0] - 2.4, _place(widest[-1], widest)[0] + 2.6
    for axes, (name, levels, parameters) in zip(drawn, networks, strict=True):
        axes.set_axis_off()
        axes.set(xlim=limits, ylim=(-_deepest(levels) - 0.75, 0.85))
        _network(axes, levels, most)
        convolutions = sum(len(level["filters"]) for level in levels)
        counted = f"{convolutions} convolutions, {parameters:,} parameters"
        axes.set_title(f"{name}: {_deepest(levels)} levels, {counted}")
    if len(networks) > 1:
        lettered(drawn)
    keys = [Line2D([], [], color=c, ls=s, label=w) for c, s, w in (
        (DOWN, "-", "down: stride 2"), (UP, "-", "up: transposed, stride 2"),
        ("0.53", "--", "skip: concatenation"))]  # fmt: skip
    figure.legend(handles=keys, loc="outside lower center", ncols=3)
    return figure


def _network(axes, levels, most):
    """Boxes and arrows of one network; ``most`` filters have the widest box."""
    places = {(n["side"], n["depth"]): _blocks(axes, n, _place(n, levels), most) for n in levels}
    first, head = places["encoder", 0], places["head", 0]
    patch = _volume(axes, first[0] - 1.7, f"MRI patch\n{_cube(levels[0]['size'])}")
    said = _volume(axes, head[2] + 1.3, f"probabilities\n{levels[-1]['filters'][-1]} classes")
    row = (patch, first, None, places["decoder", 0], head, said)
    for start, end in pairwise(row):
        if start and end:
            _arrow(axes, (start[2], 0), (end[0], 0), "black", ARROW)
    for depth in range(_deepest(levels)):
        deeper = "bottom" if depth + 1 == _deepest(levels) else None
        left, right = places["encoder", depth], places["decoder", depth]
        below = places[deeper or "encoder", depth + 1]
        _arrow(axes, (left[2] - 0.1, left[1]), (below[0] + 0.05, below[3]), DOWN, ARROW)
        below = places[deeper or "decoder", depth + 1]
        _arrow(axes, (below[2] - 0.05, below[3]), (right[0] + 0.1, right[1]), UP, ARROW)
        _arrow(axes, (left[2], -depth), (right[0], -depth), "0.53", {**ARROW, "ls": "--"})


def patch_sampling(image, spacing, patch, train_boxes, tile_starts, lesions):
    """Patches during training and tiles during inference, in one axial slice (Figure 6.2).

    Drawn is the slice that most of the random patches cross, and the patches and tiles that it
    crosses; the heads count all.

    Parameters
    ----------
    image : ndarray, shape (i, j, k)
        The scan; ``spacing``: edge of a voxel in mm.
    patch : (3,) int
        Voxels.
    train_boxes : list of (start, holds_cmb)
        First voxel of each random patch and whether it was placed on a CMB.
    tile_starts : ndarray of int, shape (n, 3)
        First voxel of each tile.
    lesions : array-like, shape (m, 3)
        CMB centres in voxels.
    """
    lesions, tiles = np.asarray(lesions, float).reshape(-1, 3), np.asarray(tile_starts)
    depths = [range(start[2], start[2] + patch[2]) for start, _ in train_boxes]
    k = max(range(image.shape[2]), key=lambda k: sum(k in depth for depth in depths))
    figure = new_figure(10, 6.2)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes in (left, right):
        _slice(axes, image[:, :, k], spacing)
    colours = {True: SERIES[0], False: SERIES[1]}
    crossed = [(start, holds) for start, holds in train_boxes if 0 <= k - start[2] < patch[2]]
    for start, holds in sorted(crossed, key=lambda box: bool(box[1])):
        _square(left, start, patch, spacing, ec=colours[bool(holds)], lw=1.6)
    near = lesions[np.abs(lesions[:, 2] - k) < patch[2] / 2]
    left.plot(*(near[:, :2].T + 0.5) * spacing, "o", ms=5, mfc=ROLE_COLOURS["annotated"],
              mec="black", ls="none")  # fmt: skip
    on_cmb = sum(bool(holds) for _, holds in train_boxes)
    edge = f"{_cube(patch)} voxels ({_cube(np.asarray(patch) * spacing)} mm)"
    left.set_title(
        f"A: training, {len(train_boxes)} random patches of {edge},\n"
        f"{on_cmb} placed on a CMB, {len(train_boxes) - on_cmb} anywhere"
    )
    right.set_title(
        f"B: inference, {len(tiles)} tiles of that size,\n{_overlap_words(tiles, patch)}"
    )
    _tiles(right, image[:, :, k], spacing, tiles, patch)
    keys = [
        Patch(fc="none", ec=colours[True], lw=1.6, label="placed on a CMB"),
        Patch(fc="none", ec=colours[False], lw=1.6, label="anywhere"),
        Line2D([], [], ls="", marker="o", mfc=ROLE_COLOURS["annotated"], mec="black", label="CMB"),
        Patch(fc=lighter(SERIES[0], 0.5), ec=SERIES[2], label="shared by two neighbouring tiles"),
    ]
    figure.legend(handles=keys, loc="outside lower left", ncols=4)
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
        (3.1, "Random weights", "white", MODEL_COLOURS["scratch"], "Scratch"),
        (
            1.6,
            "Transferred weights\n(source network)",
            lighter(MODEL_COLOURS["tl"], 0.25),
            MODEL_COLOURS["tl"],
            "TL",
        ),
    )
    for y, start, face, colour, name in tracks:
        words = [start, f"{name}-PreTrained", f"{name}-PreTrained-\nFineTuned"]
        words += ["drop predictions\noutside brain labels", "match, count,\nclassify scans"]
        for index, ((x, width, _), text) in enumerate(zip(columns, words, strict=True)):
            box_face = face if index == 0 else "white" if index > 2 else lighter(colour, 0.25)
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
        _box(axes, x, 0.25, width, 0.95, text, "0.95", "0.6")
        _arrow(axes, (x + width / 2, 1.2), (x + width / 2, 1.6), "0.47",
               {"arrowstyle": "-|>", "mutation_scale": 10, "ls": "--", "lw": 1})  # fmt: skip
    axes.text(0.85, 0.72, "Datasets", ha="center", va="center", weight="bold", fontsize=10)
    return figure


def _deepest(levels) -> int:
    return max(level["depth"] for level in levels)


def _place(level, levels):
    deepest = _deepest(levels)
    reach = 1.35 * (deepest - level["depth"]) + 0.1 * deepest
    x = {"encoder": -reach, "bottom": 0.0, "decoder": reach, "head": reach + 2.0}[level["side"]]
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
                                 fc=lighter(SERIES[0], SIDE_TINTS[level["side"]])))  # fmt: skip
        x += width
    filters = level["filters"]
    words = f"{len(filters)}×{filters[0]}" if len(set(filters)) == 1 else str(filters)
    if level["side"] == "head":
        words = f"1×1×1, {filters[-1]}"
    if level["side"] != "head":
        words += f"\n{_cube(level['size'])}"
    middle = bottom + height / 2
    above = dict(x=centre[0], y=bottom + height + 0.04, ha="center", va="bottom")
    place = {
        "encoder": dict(x=left - 0.1, y=middle, ha="right", va="center"),
        "decoder": dict(x=x + 0.1, y=middle, ha="left", va="center"),
        "bottom": dict(x=centre[0], y=bottom - 0.05, ha="center", va="top"),
    }
    beside = above if level["depth"] == 0 else place[level["side"]]
    axes.text(s=words, fontsize=8, **beside)
    return left, bottom, x, bottom + height


def _volume(axes, x, words):
    """A volume in the top row; returns its place as `_blocks` does."""
    axes.add_patch(Rectangle((x - 0.3, -0.23), 0.6, 0.46, fc="0.85", ec="black", lw=0.8))
    axes.text(x, 0.27, words, ha="center", va="bottom", fontsize=8)
    return x - 0.3, -0.23, x + 0.3, 0.23


def _arrow(axes, start, end, colour, settings):
    axes.add_patch(FancyArrowPatch(start, end, color=colour, **settings))


def _box(axes, x, y, width, height, words, face, edge):
    axes.add_patch(FancyBboxPatch((x + 0.05, y + 0.05), width - 0.1, height - 0.1, lw=1.3,
                                  boxstyle="round,pad=0.05", fc=face, ec=edge))  # fmt: skip
    axes.text(x + width / 2, y + height / 2, words, ha="center", va="center", fontsize=8.5)


def _cube(size):
    size = [f"{n:g}" for n in np.atleast_1d(size)]
    return f"{size[0]}³" if len(set(size)) == 1 else "×".join(size)


def _slice(axes, flat, spacing):
    """A dimmed axial slice in mm with its sides named."""
    low, high = window_of(_inside(flat))
    axes.imshow(flat.T, cmap="gray", origin="lower", vmin=low, vmax=high, alpha=0.5,
                extent=_extent(flat, spacing))  # fmt: skip
    for x, letter in ((0.03, "L"), (0.97, "R")):
        axes.text(x, 0.98, letter, transform=axes.transAxes, ha="center", va="top", fontsize=9,
                  bbox={"fc": "white", "ec": "none", "pad": 1})  # fmt: skip
    axes.set(xlabel="x (mm)", ylabel="y (mm)", aspect="equal")
    axes.spines[["top", "right"]].set_visible(True)


def _inside(flat):
    """Values above the background of a slice; all of an empty one."""
    inside = flat[flat > flat.min()]
    return inside if inside.size else flat


def _extent(flat, spacing):
    return 0, flat.shape[0] * spacing, 0, flat.shape[1] * spacing


def _square(axes, start, patch, spacing, **how):
    corner, sides = np.asarray(start[:2]) * spacing, np.asarray(patch[:2]) * spacing
    drawn = Rectangle(corner, *sides, **{"fill": False, **how})
    return axes.add_patch(drawn)


def _tiles(axes, flat, spacing, tiles, patch):
    """Edges of all tiles; the one with most brain and its neighbour along x at full contrast."""
    places = np.unique(tiles[:, :2], axis=0)
    for start in places:
        _square(axes, start, patch, spacing, ec="0.6", lw=0.4)
    brain = flat > flat.min()
    held = [brain[x : x + patch[0], y : y + patch[1]].sum() for x, y in np.maximum(places, 0)]
    chosen = places[np.argmax(held)]
    row = places[(places[:, 1] == chosen[1]) & (places[:, 0] > chosen[0]), 0]
    pair = [chosen, *([np.array([row.min(), chosen[1]])] if len(row) else [])]
    low, high = window_of(_inside(flat))
    for start, colour in zip(pair, (SERIES[2], SERIES[0]), strict=False):
        frame = _square(axes, start, patch, spacing, ec=colour, lw=2.4, zorder=4)
        shown = axes.imshow(flat.T, cmap="gray", origin="lower", vmin=low, vmax=high, zorder=2,
                            extent=_extent(flat, spacing))  # fmt: skip
        shown.set_clip_path(frame)
    shared = chosen[0] + patch[0] - pair[-1][0]
    if len(pair) > 1 and shared > 0:
        _square(axes, pair[1], (shared, patch[1]), spacing, fill=True, zorder=3, lw=0,
                fc=(*lighter(SERIES[0], 0.5), 0.6))  # fmt: skip


def _overlap_words(tiles, patch):
    starts = np.unique(tiles[:, 0])
    if len(starts) < 2:
        return "one tile along x"
    shared = max(0, int(patch[0] - (starts[1] - starts[0])))
    return f"neighbours share {shared} voxels along x ({100 * shared / patch[0]:.0f} %)"
