"""Microbleeds and their blob-like mimics: where they sit and how they look."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from cmbkit.anatomy.atlas import load_atlas, load_templates
from cmbkit.phantom.implant import random_rotation

APART_MM = 8.0
GOLDEN = (np.sqrt(5) - 1) / 2
GAP_MM = (1.5, 4.0)  # tissue between two microbleeds that lie together
REGIONS = {
    "cortex": (3, 42, 17, 53),
    "white matter": (2, 41),
    "thalamus": (10, 49),
    "basal ganglia": (11, 50, 12, 51, 13, 52),
    "brainstem": (16,),
    "cerebellum": (7, 46, 8, 47),
}
"""SynthSeg labels of the regions in which microbleeds are placed."""
REGION_SHARES = dict(zip(REGIONS, (0.32, 0.33, 0.10, 0.10, 0.06, 0.09), strict=True))
"""Two thirds lobar, one third deep and posterior fossa (section 4.9.3)."""
FROM_WHITE_MM = 2.5
"""So far from white matter are cortical ones: by the thesis's rule any white voxel makes a
microbleed subcortical."""


@dataclass(frozen=True)
class Blob:
    """A compact structure: kind, centre in MNI mm, radius in mm, share of signal lost.

    ``seed`` fixes its shape. ``label`` is the SynthSeg label at its centre; ``place`` names what
    is calcified. ``source`` is radius (mm) and susceptibility (ppm) in the physical model; if None,
    `sources.source_of` draws them.
    """

    kind: str
    mni: tuple[float, float, float]
    radius_mm: float
    depth: float
    seed: int
    label: int = 0
    certainty: str = "certain"
    place: str = ""
    source: tuple[float, float] | None = None

    @property
    def half_mm(self) -> float:
        """Beyond this distance along any axis the drawing is zero."""
        return 2.0 * self.radius_mm + 0.5

    def draw(self, x, y, z) -> np.ndarray:
        """Share of signal lost at offsets from the centre (mm); negative brightens."""
        rng = np.random.default_rng(self.seed)
        return _DRAWINGS[self.kind](self, x, y, z, rng)


def _radial(x, y, z, radius, rng, uneven=0.12, bumpy=0.06):
    """Distance from the centre of a slightly irregular ellipsoid, in radii."""
    rotation = random_rotation(rng)
    axes = np.exp(rng.uniform(-uneven, uneven, 3))
    axes *= radius / np.cbrt(axes.prod())
    own = [(r[0] * x + r[1] * y + r[2] * z) / a for r, a in zip(rotation, axes, strict=True)]
    d = np.sqrt(own[0] ** 2 + own[1] ** 2 + own[2] ** 2)
    phase = rng.uniform(0, 2 * np.pi, 3)
    bumps = sum(np.sin(2.2 * own[k] + 1.7 * own[k - 1] + phase[k]) for k in range(3))
    return d * (1 + bumpy * bumps)


def _soft_ball(d, edge):
    return 1 / (1 + np.exp(np.clip((d - 1) / edge, -40, 40)))


def _microbleed(blob, x, y, z, rng):
    d = _radial(x, y, z, blob.radius_mm, rng)
    return blob.depth * _soft_ball(d, rng.uniform(0.09, 0.17))


def _calcification(blob, x, y, z, rng):
    """A cluster of crumbs with a faint bright rim; crisper than a microbleed."""
    loss = 0.0
    for _ in range(rng.integers(2, 5)):
        c = rng.normal(0, 0.45 * blob.radius_mm, 3)
        d = _radial(x - c[0], y - c[1], z - c[2], 0.6 * blob.radius_mm, rng, 0.35, 0.1)
        loss = np.maximum(loss, blob.depth * _soft_ball(d, 0.07))
    d = np.sqrt(x * x + y * y + z * z) / blob.radius_mm
    return np.where(loss > 0.08, loss, loss - 0.14 * np.exp(-(((d - 1.25) / 0.2) ** 2)))


def _cavernoma(blob, x, y, z, rng):
    """A dark rim around a mottled core."""
    d = _radial(x, y, z, blob.radius_mm, rng, 0.2, 0.1)
    k, phase = rng.uniform(1.5, 2.5, 3), rng.uniform(0, 6, 3)
    mottle = np.sin(k[0] * x + phase[0]) * np.sin(k[1] * y + phase[1]) * np.sin(k[2] * z + phase[2])
    core = _soft_ball(d, 0.05) * (0.15 + 0.5 * mottle)
    return np.maximum(core, blob.depth * np.exp(-(((d - 1) / 0.2) ** 2)))


def _haemorrhage(blob, x, y, z, rng):
    d = _radial(x, y, z, blob.radius_mm, rng, 0.3, 0.1)
    rim = np.exp(-(((d - 1) / 0.12) ** 2))
    return np.maximum(0.55 * _soft_ball(d, 0.05), blob.depth * rim)


def _infarct(blob, x, y, z, rng):
    d = _radial(x, y, z, blob.radius_mm, rng, 0.4, 0.12)
    return -blob.depth * _soft_ball(d, 0.08)


_DRAWINGS = {
    "cmb": _microbleed,
    "calcification": _calcification,
    "cavernoma": _cavernoma,
    "haemorrhage": _haemorrhage,
    "infarct": _infarct,
}


@lru_cache(maxsize=1)
def _candidates() -> dict[str, np.ndarray]:
    """Template voxels deep enough inside each region to hold a microbleed's centre."""
    maps, atlas = load_templates(), load_atlas()
    solid = ndimage.gaussian_filter(maps.grey + maps.white, 1.5)
    from_white = ndimage.distance_transform_edt(~np.isin(atlas.data, REGIONS["white matter"]))
    places = {}
    for region, labels in REGIONS.items():
        inside = np.isin(atlas.data, labels) & (solid > (0.7 if region == "cortex" else 0.9))
        if region == "cortex":
            inside &= from_white > FROM_WHITE_MM
        inside[:, :, : int(-58 - maps.affine[2, 3])] = False
        places[region] = np.argwhere(inside)
    return places


def label_at(mni) -> np.ndarray:
    """SynthSeg label at MNI mm, shape (n, 3) to (n,)."""
    atlas = load_atlas()
    index = np.clip(np.rint(atlas.to_voxels(np.atleast_2d(mni))).astype(int), 0,
                    np.array(atlas.shape) - 1)  # fmt: skip
    return atlas.data[tuple(index.T)]


def blob_at(kind: str, mni, radius_mm: float, depth: float, rng, **more) -> Blob:
    """Structure at MNI mm, its shape drawn, with the label that is there."""
    seed = int(rng.integers(2**31))
    return Blob(kind, tuple(mni), radius_mm, depth, seed, int(label_at(mni)[0]), **more)


def _place(region: str, rng: np.random.Generator) -> np.ndarray:
    voxels = _candidates()[region]
    return load_atlas().to_mm(voxels[rng.integers(len(voxels))]) + rng.uniform(-0.5, 0.5, 3)


def _beside(blob: Blob, radius: float, rng: np.random.Generator) -> np.ndarray:
    way = rng.standard_normal(3)
    apart = blob.radius_mm + radius + rng.uniform(*GAP_MM)
    return np.array(blob.mni) + apart * way / np.linalg.norm(way)


def draw_microbleeds(
    radii_mm,
    sequence: str,
    rng: np.random.Generator,
    accept,
    *,
    avoid=(),
    shares=REGION_SHARES,
    together: float = 0.0,
) -> list[Blob]:
    """Draw one microbleed per radius; ``accept(mni)`` says whether the scan covers the place.

    Most take 55 to 100 % of the signal, one in seven is pale and hard to see. They keep
    8 mm from each other and from the blobs in ``avoid``; fewer come out when no room
    is found. ``shares``: of each region, summing to one; regions are dealt along the golden ratio
    from a drawn start, so that few microbleeds come close to the shares.
    The share ``together`` of them lies beside the one before, in the same structure, `GAP_MM` of
    tissue between them.
    """
    regions, ends = list(shares), np.cumsum(list(shares.values()))
    dealt, blobs = rng.random(), list[Blob]()
    for radius in radii_mm:
        for _ in range(200):
            dealt = (dealt + GOLDEN) % 1
            mni = _place(regions[np.searchsorted(ends, dealt * ends[-1], side="right")], rng)
            taken = [*avoid, *blobs]
            if blobs and together and rng.random() < together:
                mni, taken = _beside(blobs[-1], radius, rng), [*avoid, *blobs[:-1]]
                if label_at(mni)[0] != blobs[-1].label:
                    continue
            far = all(np.linalg.norm(mni - b.mni) > APART_MM + b.radius_mm for b in taken)
            if far and accept(mni):
                break
        else:
            continue
        pale = rng.random() < 0.15
        depth = rng.uniform(0.3, 0.5) if pale else rng.uniform(0.6, 1.0)
        if sequence == "T2S":
            depth *= 0.9
        certainty = "uncertain" if pale else "certain"
        blobs.append(blob_at("cmb", mni, float(radius), depth, rng, certainty=certainty))
    return blobs


def draw_mimics(age: float, rng: np.random.Generator, accept) -> list[Blob]:
    """Calcifications of basal ganglia, choroid plexus and pineal gland; a rare cavernoma."""
    found: list[tuple[str, np.ndarray, float, float, str]] = []

    def calcify(place, centre, spread, radius, depth):
        found.append(
            ("calcification", np.asarray(centre, float) + rng.normal(0, spread, 3),
             rng.uniform(*radius), rng.uniform(*depth), place)
        )  # fmt: skip

    if rng.random() < 0.2 + 0.005 * max(age - 40, 0):
        for side in (-1, 1):
            for _ in range(rng.integers(1, 4)):
                calcify("basal ganglia", (side * 19, -1, 0), 2.0, (1.2, 2.4), (0.5, 0.85))
    for side in (-1, 1):
        if rng.random() < 0.75:
            calcify("choroid plexus", (side * 24, -42, 11), 1.5, (1.3, 2.6), (0.5, 0.9))
    if rng.random() < 0.7:
        calcify("pineal gland", (0, -29, 3), 0.8, (1.3, 2.4), (0.5, 0.9))
    for _ in range(rng.poisson(1.5)):  # falx and dura
        calcify("falx", (rng.normal(0, 0.7), rng.uniform(-40, 55), rng.uniform(45, 70)), 1.0,
                (0.9, 1.8), (0.5, 0.9))  # fmt: skip
    if rng.random() < 0.12:
        found.append(("cavernoma", _place("white matter", rng), rng.uniform(3, 6), 0.9, ""))
    return [
        blob_at(kind, mni, radius, depth, rng, place=place)
        for kind, mni, radius, depth, place in found
        if accept(mni)
    ]


def draw_pathology(rng: np.random.Generator, accept, chance: float) -> list[Blob]:
    """Perhaps an infarct or a macro-haemorrhage, as in CRB and CRBneg (sections 4.1 and 4.2)."""
    if rng.random() > chance:
        return []
    mni = _place("white matter", rng)
    kind = "haemorrhage" if rng.random() < 0.45 else "infarct"
    depth = 0.92 if kind == "haemorrhage" else rng.uniform(0.25, 0.5)
    blob = Blob(kind, tuple(mni), rng.uniform(7, 15), depth, int(rng.integers(2**31)))
    return [blob] if accept(mni) else []
