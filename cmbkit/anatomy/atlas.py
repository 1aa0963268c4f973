"""A SynthSeg-style label atlas on the MNI152 grid, drawn from nilearn's shipped tissue maps.

nilearn ships grey- and white-matter probability maps and a skull-stripped T1 template
(MNI ICBM152 2009a, symmetric, 1 mm) but no volumetric atlas. The cortex, the white matter and
the fluid spaces come from these maps; deep nuclei, ventricles, brainstem and cerebellum are
told apart by ellipsoids and planes in MNI millimetres, given below. That is good enough to
place and to name a microbleed by region; it is not a segmentation to publish volumes from.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy import ndimage

from cmbkit.boxes import bounding_box
from cmbkit.running.file_hashes import file_hash
from cmbkit.running.user_cache import kept_arrays, user_cache
from cmbkit.volume import Volume

FILL_MM = 20

_SIDED = {
    "Cerebral White Matter": (2, 41),
    "Cerebral Cortex": (3, 42),
    "Lateral Ventricle": (4, 43),
    "Inferior Lateral Ventricle": (5, 44),
    "Cerebellum White Matter": (7, 46),
    "Cerebellum Cortex": (8, 47),
    "Thalamus": (10, 49),
    "Caudate": (11, 50),
    "Putamen": (12, 51),
    "Pallidum": (13, 52),
    "Hippocampus": (17, 53),
    "Amygdala": (18, 54),
    "Accumbens Area": (26, 58),
    "Ventral DC": (28, 60),
}
_MIDLINE = {14: "3rd Ventricle", 15: "4th Ventricle", 16: "Brainstem", 24: "CSF"}

SYNTHSEG_LABELS: dict[int, str] = dict(
    sorted(
        {
            0: "Background",
            **_MIDLINE,
            **{left: f"Left {name}" for name, (left, _) in _SIDED.items()},
            **{right: f"Right {name}" for name, (_, right) in _SIDED.items()},
        }.items()
    )
)
"""SynthSeg's 33 labels: number to name."""

# Ellipsoids of the right half (x > 0): centre x, y, z and half-axes, in MNI mm.
# Mirrored for the left. Later entries win where they overlap.
_NUCLEI = {
    "Ventral DC": [((9, -14, -9), (9, 8, 6)), ((12, -18, -4), (7, 6, 4))],
    "Caudate": [
        ((12.5, 16, 5), (6.5, 10, 9.5)),
        ((15, 2, 17), (5, 11, 6)),
        ((18, -12, 21), (4.5, 9, 4.5)),
    ],
    "Putamen": [((24, 9, -1), (6.5, 10, 10)), ((28.5, -5, 2), (5, 12, 10))],
    "Pallidum": [((18.5, -3, -1), (5, 9, 6.5))],
    "Accumbens Area": [((10, 11, -8), (5.5, 5, 4))],
    "Thalamus": [((9, -13, 8), (7.5, 10, 8.5)), ((14, -24, 7), (9, 9, 9))],
    "Hippocampus": [
        ((24, -14, -20), (7.5, 8, 6.5)),
        ((29, -25, -13), (6.5, 9, 6)),
        ((27, -35, -4), (6, 6, 6)),
    ],
    "Amygdala": [((23, -4, -19), (7, 6, 7))],
}
_CAPSULES = [((0, -4, 3), (31, 27, 16))]
_LATERAL_VENTRICLE = [
    ((9, 20, 8), (12, 15, 13)),
    ((13, -8, 20), (17, 26, 11)),
    ((22, -38, 13), (14, 17, 14)),
    ((26, -58, 7), (10, 16, 10)),
]
_INFERIOR_VENTRICLE = [((34, -30, -8), (9, 18, 12)), ((33, -12, -19), (7, 12, 7))]
_THIRD_VENTRICLE = [((0, -14, -1), (5, 22, 14))]
_FOURTH_VENTRICLE = [((0, -44, -32), (14, 13, 19))]
_BRAINSTEM = [
    ((0, -25, -12), (17, 13, 9)),
    ((0, -26, -30), (17, 15.5, 16)),
    ((0, -37, -52), (12, 11, 20)),
]


ROUNDING = 1e-6
"""Grey values are whole 255ths: of those that are 0.2 exactly none shall count as brain."""


@dataclass(frozen=True)
class Templates:
    """nilearn's MNI152 maps at 1 mm, RAS.

    Attributes
    ----------
    grey, white : ndarray, shape (197, 233, 189), float32
        Tissue probabilities, 0 to 1.
    """

    grey: np.ndarray
    white: np.ndarray
    brain: np.ndarray  # bool, same shape, brain mask, fluid spaces included
    affine: np.ndarray  # (4, 4), voxel to MNI mm


@lru_cache(maxsize=1)
def load_templates() -> Templates:
    """Load the tissue maps by nilearn's ``load_mni152_*`` functions at 1 mm."""
    from nilearn import datasets  # slow to import

    grey, white, t1 = (
        Volume.from_nifti(load(resolution=1))
        for load in (
            datasets.load_mni152_gm_template,
            datasets.load_mni152_wm_template,
            datasets.load_mni152_template,
        )
    )
    brain = t1.data > 0.2 + ROUNDING
    return Templates(grey.data, white.data, brain, grey.affine)


def _inside(x, y, z, ellipsoids) -> np.ndarray:
    found = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), bool)
    for (cx, cy, cz), (rx, ry, rz) in ellipsoids:
        found |= ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2 <= 1
    return found


def _below_tentorium(x, y, z) -> np.ndarray:
    """Cerebellum side of the tentorium: a roof falling to the sides and to the back."""
    roof = -11 - 0.3 * np.maximum(np.abs(x) - 12, 0) - 0.25 * np.maximum(-60 - y, 0)
    return (z < roof) & (y < -36)


@lru_cache(maxsize=1)
def load_atlas() -> Volume:
    """Label image in SynthSeg's numbering on the MNI152 1 mm grid.

    Returns
    -------
    Volume
        uint8, shape (197, 233, 189), RAS, affine in MNI mm; left is negative x. Symmetric,
        as the template is. Thesis section 4.9.3 uses these labels to name locations.
    """
    maps = load_templates()
    axes = [
        maps.affine[a, 3] + np.arange(n, dtype=np.float32) for a, n in enumerate(maps.brain.shape)
    ]
    signed_x, y, z = axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]
    x = np.abs(signed_x)
    tissue = (maps.grey + maps.white > 0.5) & maps.brain
    fluid = maps.brain & ~tissue
    white = tissue & (maps.white > maps.grey)

    labels = np.zeros(maps.brain.shape, np.uint8)
    labels[fluid] = 24
    labels[tissue] = _SIDED["Cerebral Cortex"][0]
    labels[white] = _SIDED["Cerebral White Matter"][0]
    # Grey probability between the deep nuclei is not cortex: the capsules run there.
    labels[tissue & _inside(x, y, z, _CAPSULES)] = _SIDED["Cerebral White Matter"][0]
    hindbrain = tissue & _below_tentorium(x, y, z)
    labels[hindbrain] = _SIDED["Cerebellum Cortex"][0]
    labels[hindbrain & (maps.white > 0.45)] = _SIDED["Cerebellum White Matter"][0]
    for name, ellipsoids in _NUCLEI.items():
        where = tissue & _inside(x, y, z, ellipsoids)
        if name in ("Caudate", "Hippocampus", "Amygdala", "Accumbens Area"):
            where &= maps.grey > 0.4
        labels[where] = _SIDED[name][0]
    labels[tissue & _inside(x, y, z, _BRAINSTEM)] = 16
    labels[fluid & _inside(x, y, z, _INFERIOR_VENTRICLE)] = 5
    labels[fluid & _inside(x, y, z, _LATERAL_VENTRICLE)] = 4
    labels[fluid & _inside(x, y, z, _THIRD_VENTRICLE)] = 14
    labels[fluid & _inside(x, y, z, _FOURTH_VENTRICLE)] = 15

    mirror = np.arange(256, dtype=np.uint8)
    for left, right in _SIDED.values():
        mirror[left] = right
    labels = np.where(signed_x > 0, mirror[labels], labels)
    return Volume(np.ascontiguousarray(labels), maps.affine)


@lru_cache(maxsize=1)
def filled_atlas() -> tuple[Volume, Volume]:
    """The atlas, its background within 20 mm carrying the nearest label; and its brain mask.

    So a brain that reaches a little beyond the registered atlas is labelled all the same. Kept in
    the user's cache: to import nilearn and to make the atlas takes seconds.
    """
    made_of = f"nilearn{version('nilearn')}-{file_hash(Path(__file__))[:16]}"
    arrays = kept_arrays(user_cache("atlas") / made_of, _fill)
    labels, brain, affine = (arrays[name] for name in ("labels", "brain", "affine"))
    return Volume(labels, affine), Volume(brain, affine)


def _fill() -> dict[str, np.ndarray]:
    atlas = load_atlas()
    box = bounding_box(atlas.data)
    data = np.pad(atlas.data[box], FILL_MM)
    affine = atlas.affine.copy()
    affine[:3, 3] = atlas.to_mm([side.start - FILL_MM for side in box])
    nearest = ndimage.distance_transform_edt(data == 0, return_distances=False, return_indices=True)
    return {"labels": data[tuple(nearest)], "brain": (data > 0).astype(np.uint8), "affine": affine}
