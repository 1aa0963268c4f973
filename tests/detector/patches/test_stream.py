from itertools import chain

import numpy as np
import pytest

from cmbkit.detector.patches.sampling import SampledScan, ScanMemory
from cmbkit.detector.patches.stream import epoch_batches, prefetched, scan_of_visit

PATCH, BATCH, STEPS = (16, 16, 16), 2, 12


@pytest.fixture
def scans(standard_scan):
    return [standard_scan(f"s{i}", dark=[(12, 12, 12)], seed=i) for i in range(3)]


@pytest.fixture
def epoch(scans, small_training):
    """Call with a seed and an epoch: its batches as one array of images and one of masks."""

    def run(seed=1, epoch=1, **more):
        found = epoch_batches(
            scans, small_training, PATCH, BATCH, STEPS, seed=seed, epoch=epoch, **more
        )
        images, masks = zip(*found, strict=True)
        return np.stack(images), np.stack(masks)

    return run


def test_an_epoch_has_its_steps_and_types(epoch):
    images, masks = epoch()
    assert images.shape == (STEPS, BATCH, *PATCH, 1) and images.dtype == np.float32
    assert masks.shape == (STEPS, BATCH, *PATCH) and masks.dtype == np.int32
    assert set(np.unique(masks)) == {0, 1}


def test_neither_earlier_epochs_nor_memory_change_the_patches(epoch, scans):
    """A memory for one scan makes every patch of the others when their scan is dropped."""
    images, masks = epoch(epoch=2)
    small = ScanMemory(SampledScan.load(scans[0]).nbytes)
    epoch(epoch=1, memory=small)
    again = epoch(epoch=2, memory=small)
    np.testing.assert_array_equal(images, again[0])
    np.testing.assert_array_equal(masks, again[1])
    for other in ({"epoch": 3}, {"epoch": 2, "seed": 2}):
        assert not np.array_equal(images, epoch(**other)[0])


def test_no_patch_comes_twice(epoch):
    images = np.concatenate([epoch(epoch=n)[0].reshape(-1, 16**3) for n in (1, 2)])
    assert len(np.unique(images, axis=0)) == 2 * STEPS * BATCH


def test_the_queue_mixes_scans_and_visits_each_equally_often(standard_scan, small_training):
    """Scans of one value each. 6 batches of 5 are 3 visits of 10 patches: each scan once in
    one epoch. In a queue of 20 the first batches hold patches of two scans, not of one."""
    flat = small_training.model_copy(update={"augmentation": None})
    scans = [standard_scan(f"f{i}", dark=[]) for i in range(3)]
    memory = ScanMemory()
    for value, scan in enumerate(scans):
        memory.get(scan).image[:] = value
    for number in (1, 2):
        found = epoch_batches(scans, flat, PATCH, 5, 6, seed=0, epoch=number, memory=memory)
        values = np.array([image[:, 0, 0, 0, 0] for image, _ in found])
        np.testing.assert_array_equal(np.bincount(values.ravel().astype(int)), [10, 10, 10])
        assert len(np.unique(values[:2])) == 2


def test_every_round_visits_every_scan_once():
    visits = [scan_of_visit(5, visit, seed=3) for visit in range(20)]
    rounds = [visits[i : i + 5] for i in range(0, 20, 5)]
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in rounds)
    assert len({tuple(order) for order in rounds}) > 1


def test_epochs_follow_each_other_through_the_background_thread(epoch, scans, small_training):
    source = chain.from_iterable(
        epoch_batches(scans, small_training, PATCH, BATCH, STEPS, seed=1, epoch=n) for n in (1, 2)
    )
    with prefetched(source) as stream:
        images = np.stack([image for image, _ in stream])
    np.testing.assert_array_equal(images, np.concatenate([epoch(epoch=n)[0] for n in (1, 2)]))


def test_an_error_in_the_background_thread_reaches_the_caller():
    def broken():
        yield 1
        raise OSError("disk gone")

    with prefetched(broken()) as stream:
        assert next(stream) == 1
        with pytest.raises(OSError, match="disk gone"):
            next(stream)


def test_a_missing_scan_and_a_wrong_epoch_are_errors(scans, small_training):
    with pytest.raises(ValueError, match="at least one scan"):
        next(epoch_batches([], small_training, (8, 8, 8), 1, 1, seed=0, epoch=1))
    with pytest.raises(ValueError, match="expected 1 or more, found 0"):
        next(epoch_batches(scans, small_training, (8, 8, 8), 1, 1, seed=0, epoch=0))
