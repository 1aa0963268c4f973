"""Training patches from standardised scans (section 6.4.1).

One patch lies around a random microbleed or anywhere, in the wanted proportions. How patches
become the batches of an epoch is in `cmbkit.detector.patches.stream`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cmbkit.boxes import cut_box
from cmbkit.detector.patches.augmentation import augment, margin
from cmbkit.params import Augmentation, Training
from cmbkit.preprocessing.grid import label_boxes
from cmbkit.records import StandardScan

MOST_SPOTS = 400


@dataclass(frozen=True)
class SampledScan:
    """What sampling needs of one scan."""

    image: np.ndarray  # (x, y, z), float16, z-scored
    lesions: np.ndarray  # (x, y, z), uint16, one integer per CMB
    ids: np.ndarray  # (n,), the integers in ``lesions``
    centres: np.ndarray  # (n, 3), centre of mass of each CMB, in voxels
    background: float  # the z-score of voxels outside the brain; fills patches beyond the image
    spacing_mm: float  # of the isotropic grid
    dark: np.ndarray  # (m, 3), dark spots that are no CMB, in voxels (see `dark_spots`)
    intensity_range: tuple[float, float]  # lowest and highest value of the image and its background

    @classmethod
    def load(cls, scan: StandardScan, *, dark: bool = False) -> SampledScan:
        """Read a standardised scan from its folder, and look for dark spots if asked."""
        image, lesions = scan.image(), scan.lesions()
        image.require_same_grid(lesions)
        boxes = dict(label_boxes(lesions.data))
        ids = np.array(list(boxes), int)
        middles = [
            np.argwhere(lesions.data[box] == n).mean(axis=0) + [part.start for part in box]
            for n, box in boxes.items()
        ]
        centres = np.array(middles).reshape(-1, 3)
        spacing = float(image.spacing.mean())
        spots = np.empty((0, 3))
        if dark:
            spots = dark_spots(image.data, scan.brain().data, centres, spacing)
        background = float(scan.record()["background_value"])
        low, high = min(image.data.min(), background), max(image.data.max(), background)
        ends = float(np.float16(low)), float(np.float16(high))
        half = image.data.astype(np.float16)
        return cls(half, lesions.data, ids, centres, background, spacing, spots, ends)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.image.nbytes + self.lesions.nbytes

    def centre_of(self, id: int) -> np.ndarray:
        """Centre of mass in voxels of the CMB with this integer."""
        if id not in self.ids:
            raise ValueError(f"expected CMB {id}, found only {self.ids.tolist()}")
        return self.centres[self.ids == id][0]


def dark_spots(image, brain, centres, spacing_mm: float) -> np.ndarray:
    """Local minima in the brain that are no CMB: mostly vessels, sulci and calcifications.

    Parameters
    ----------
    image, brain : ndarray (x, y, z)
        Standard grid; brain is 0 or 1.
    centres : ndarray (n, 3)
        CMBs, in voxels; spots nearer than 5 mm to one are left out.

    Returns
    -------
    ndarray (m, 3), voxels
        At most `MOST_SPOTS`, those that are darkest against their surroundings (5 mm).
    """
    inside = brain > 0
    if not inside.any():
        return np.empty((0, 3))
    filled = np.where(inside, image, np.median(image[inside])).astype(np.float32)
    smooth = ndimage.gaussian_filter(filled, 0.7 / spacing_mm, truncate=3)
    reach = 2 * round(1.5 / spacing_mm) + 1
    lowest = (smooth == ndimage.minimum_filter(smooth, reach)) & inside
    around = ndimage.uniform_filter(filled, 2 * round(2.5 / spacing_mm) + 1)
    places = np.argwhere(lowest).astype(float)
    depth = (around - smooth)[lowest]
    for centre in centres:
        far = np.linalg.norm(places - centre, axis=1) * spacing_mm >= 5
        places, depth = places[far], depth[far]
    return places[np.argsort(-depth, kind="stable")[:MOST_SPOTS]]


class ScanMemory:
    """The most recently used scans, up to a number of bytes."""

    def __init__(self, maximum_bytes: int = 2_500_000_000, *, dark: bool = False):
        self.maximum_bytes = maximum_bytes
        self.dark = dark
        self._kept: OrderedDict[str, SampledScan] = OrderedDict()

    @classmethod
    def of(cls, training: Training) -> ScanMemory:
        """An empty one for training scans, as large as the parameters say."""
        return cls(int(training.memory_gb * 1e9), dark=training.dark_background > 0)

    def get(self, scan: StandardScan) -> SampledScan:
        """Return the scan, read again if it was dropped."""
        key = str(scan.folder)
        if key not in self._kept:
            loaded = SampledScan.load(scan, dark=self.dark)
            room = self.maximum_bytes - loaded.nbytes
            while self._kept and sum(kept.nbytes for kept in self._kept.values()) > room:
                self._kept.popitem(last=False)
            self._kept[key] = loaded
        self._kept.move_to_end(key)
        return self._kept[key]

    def holds(self, scan: SampledScan) -> bool:
        """Whether this very object is still kept."""
        return any(kept is scan for kept in self._kept.values())


def random_start(shape, patch, rng: np.random.Generator) -> np.ndarray:
    """Uniform start of a patch inside the image; centred where the image is smaller."""
    room = np.asarray(shape) - np.asarray(patch)
    drawn = rng.integers(0, np.maximum(room, 0) + 1)
    return np.where(room >= 0, drawn, room // 2)


def start_around(centre, patch, rng: np.random.Generator) -> np.ndarray:
    """Start of a patch that holds ``centre`` at a random place, 1/8 of it away from its faces."""
    patch = np.asarray(patch)
    shift = rng.uniform(-0.375, 0.375, 3) * patch
    return np.floor(np.asarray(centre) - patch / 2 + shift + 0.5).astype(int)


def patch_start(
    scan: SampledScan, patch, class_proportions, rng: np.random.Generator, spots=()
) -> np.ndarray:
    """Start of a patch around a random CMB or anywhere, in ``class_proportions``.

    Parameters
    ----------
    class_proportions : 2 float
        Background, CMB. A scan without CMB gives background.
    spots : sequence of (share, ndarray (m, 3))
        Of the patches anywhere, the share that holds one of these places (in voxels); of the
        rest, the share of the next pair. Pairs without a place are passed over.
    """
    share = np.asarray(class_proportions, float)
    wants_lesion = rng.random() < share[1] / share.sum()
    if wants_lesion and len(scan.ids):
        return start_around(scan.centres[rng.integers(len(scan.ids))], patch, rng)
    for wanted, places in spots:
        if wanted and rng.random() < wanted and len(places):
            return start_around(places[rng.integers(len(places))], patch, rng)
    return random_start(scan.image.shape, patch, rng)


def cut_patch(
    scan: SampledScan, start, patch, augmentation: Augmentation | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cut one patch from the scan, augmented.

    Returns
    -------
    image : ndarray of shape ``patch``, float32, or float16 as in the scan
    mask : ndarray of shape ``patch``, uint8, 0/1
    """
    border = margin(patch, augmentation, scan.spacing_mm)
    start, shape = np.asarray(start) - border, np.asarray(patch) + 2 * border
    image = cut_box(scan.image, start, shape, scan.background)
    lesions = cut_box(scan.lesions, start, shape, 0)
    return augment(
        image,
        lesions,
        patch,
        augmentation,
        rng,
        spacing_mm=scan.spacing_mm,
        intensity_range=scan.intensity_range,
    )
