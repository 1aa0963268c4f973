"""Training patches from standardised scans (section 6.4.1).

Scans are visited in a random order; each gives ``patches_per_scan`` patches to a queue that
holds ``queue_patches``; batches are drawn from the queue at random while it is refilled.
Everything comes from one seed, also with the background thread that prepares batches ahead.
"""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cmbkit.detector.augmentation import augment, margin
from cmbkit.params import Augmentation, Training
from cmbkit.records import StandardScan

MEMORY_BYTES = 2_500_000_000


@dataclass(frozen=True)
class SampledScan:
    """What sampling needs of one scan.

    Attributes
    ----------
    image : ndarray (x, y, z), float16
        z-scored.
    lesions : ndarray (x, y, z), uint16
        One integer per CMB.
    ids : ndarray (n,)
        The integers in ``lesions``.
    centres : ndarray (n, 3)
        Centre of mass of each CMB, in voxels.
    background : float
        The z-score of voxels outside the brain; fills patches beyond the image.
    spacing_mm : float
        Of the isotropic grid.
    dark : ndarray (m, 3)
        Dark spots that are no CMB, in voxels (see `dark_spots`).
    """

    image: np.ndarray
    lesions: np.ndarray
    ids: np.ndarray
    centres: np.ndarray
    background: float
    spacing_mm: float
    dark: np.ndarray

    @classmethod
    def load(cls, scan: StandardScan, *, dark: bool = False) -> SampledScan:
        """Read a standardised scan from its folder, and look for dark spots if asked."""
        image, lesions = scan.image(), scan.lesions()
        image.require_same_grid(lesions)
        boxes = {n: box for n, box in enumerate(ndimage.find_objects(lesions.data), 1) if box}
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
        return cls(
            image.data.astype(np.float16),
            lesions.data,
            ids,
            centres,
            float(scan.record()["background_value"]),
            spacing,
            spots,
        )

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.image.nbytes + self.lesions.nbytes

    def centre_of(self, id: int) -> np.ndarray:
        """Centre of mass in voxels of the CMB with this integer."""
        found = np.flatnonzero(self.ids == id)
        if not len(found):
            raise ValueError(f"expected CMB {id}, found only {self.ids.tolist()}")
        return self.centres[found[0]]


def dark_spots(image, brain, centres, spacing_mm: float, *, most: int = 400) -> np.ndarray:
    """Local minima in the brain that are no CMB: mostly vessels, sulci and calcifications.

    Parameters
    ----------
    image, brain : ndarray (x, y, z)
        Standard grid; brain is 0 or 1.
    centres : ndarray (n, 3)
        CMBs, in voxels; spots nearer than 5 mm to one are left out.
    spacing_mm : float
    most : int
        Only the spots that are darkest against their surroundings (5 mm) are returned.

    Returns
    -------
    ndarray (m, 3), voxels
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
    return places[np.argsort(-depth, kind="stable")[:most]]


class ScanMemory:
    """The most recently used scans, up to a number of bytes."""

    def __init__(self, maximum_bytes: int = MEMORY_BYTES, *, dark: bool = False):
        self.maximum_bytes = maximum_bytes
        self.dark = dark
        self._kept: OrderedDict[str, SampledScan] = OrderedDict()

    def get(self, scan: StandardScan) -> SampledScan:
        """Return the scan, read again if it was dropped."""
        key = str(scan.folder)
        if key not in self._kept:
            loaded = SampledScan.load(scan, dark=self.dark)
            while self._kept and self._bytes() + loaded.nbytes > self.maximum_bytes:
                self._kept.popitem(last=False)
            self._kept[key] = loaded
        self._kept.move_to_end(key)
        return self._kept[key]

    def _bytes(self) -> int:
        return sum(scan.nbytes for scan in self._kept.values())


def region(array: np.ndarray, start, shape, fill) -> np.ndarray:
    """Cut ``shape`` voxels from ``start`` (may lie outside); beyond the array is ``fill``."""
    start, shape = np.asarray(start, int), np.asarray(shape, int)
    low = np.clip(start, 0, array.shape)
    high = np.clip(start + shape, 0, array.shape)
    inside = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    if inside.shape == tuple(shape):
        return inside
    cut = np.full(shape, fill, array.dtype)
    if inside.size:
        offset = low - start
        cut[tuple(slice(o, o + n) for o, n in zip(offset, inside.shape, strict=True))] = inside
    return cut


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


def sample_patch(
    scan: SampledScan,
    patch,
    class_proportions,
    augmentation: Augmentation | None,
    rng: np.random.Generator,
    dark_background: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """One patch: around a random CMB or anywhere, in ``class_proportions`` [background, CMB].

    Of the patches anywhere, the share ``dark_background`` holds one of the scan's dark spots.

    Returns
    -------
    image : ndarray of shape ``patch``, float32
    mask : ndarray of shape ``patch``, uint8, 0/1
    """
    share = np.asarray(class_proportions, float)
    wants_lesion = rng.random() < share[1] / share.sum()
    if wants_lesion and len(scan.ids):
        start = start_around(scan.centres[rng.integers(len(scan.ids))], patch, rng)
    elif dark_background and rng.random() < dark_background and len(scan.dark):
        start = start_around(scan.dark[rng.integers(len(scan.dark))], patch, rng)
    else:
        start = random_start(scan.image.shape, patch, rng)
    border = margin(patch, augmentation)
    start, shape = start - border, np.asarray(patch) + 2 * border
    image = region(scan.image, start, shape, scan.background).astype(np.float32)
    mask = (region(scan.lesions, start, shape, 0) > 0).astype(np.uint8)
    return augment(image, mask, patch, augmentation, rng, spacing_mm=scan.spacing_mm)


def patches(
    scans: list[StandardScan], training: Training, patch, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless patches through the shuffled queue of section 6.4.1."""
    if not scans:
        raise ValueError("expected at least one scan to sample from, found none")
    memory = ScanMemory(dark=training.dark_background > 0)
    waiting: list[tuple[np.ndarray, np.ndarray]] = []
    order: list[int] = []
    while True:
        while len(waiting) <= max(0, training.queue_patches - training.patches_per_scan):
            if not order:
                order = rng.permutation(len(scans)).tolist()
            scan = memory.get(scans[order.pop()])
            for _ in range(training.patches_per_scan):
                drawn = sample_patch(
                    scan,
                    patch,
                    training.class_proportions,
                    training.augmentation,
                    rng,
                    training.dark_background,
                )
                waiting.append((drawn[0].astype(np.float16), drawn[1]))
        pick = int(rng.integers(len(waiting)))
        waiting[pick], waiting[-1] = waiting[-1], waiting[pick]
        yield waiting.pop()


def batches(
    scans: list[StandardScan], training: Training, patch, batch_size: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless batches: image (batch, *patch, 1) float32 and mask (batch, *patch) int32."""
    source = patches(scans, training, patch, np.random.default_rng(seed))
    while True:
        images, masks = zip(*(next(source) for _ in range(batch_size)), strict=True)
        yield np.stack(images).astype(np.float32)[..., None], np.stack(masks).astype(np.int32)


class Prefetched:
    """Prepare an iterator's items ahead in a background thread; the order stays.

    Use as a context manager; leaving it ends the thread. An error in the thread is raised
    where the item would have come.
    """

    def __init__(self, source: Iterator, ahead: int = 4):
        self._source = source
        self._items: queue.Queue = queue.Queue(ahead)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def _work(self):
        try:
            for item in self._source:
                if not self._put((item, None)):
                    return
            self._put((None, StopIteration()))
        except Exception as error:
            self._put((None, error))

    def _put(self, pair) -> bool:
        while not self._stop.is_set():
            try:
                self._items.put(pair, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def __iter__(self):
        return self

    def __next__(self):
        item, error = self._items.get()
        if error is not None:
            raise error
        return item
