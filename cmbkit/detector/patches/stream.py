"""The batches of an epoch through the shuffled queue of section 6.4.1.

Scans are visited in a random order, all of them before one comes again; each visit puts
``patches_per_scan`` patches into a queue that is refilled to ``queue_patches``, and batches are
drawn from the queue at random. The random numbers of a patch depend on seed, epoch, visit and
number alone, not on when it is made. So only tickets wait in the queue: a patch is made when its
turn comes, or when its scan leaves the memory, which bounds both.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from cmbkit.detector.patches.hard_negatives import NO_ALARMS, FalseAlarms
from cmbkit.detector.patches.sampling import SampledScan, ScanMemory, cut_patch, patch_start
from cmbkit.params import Training
from cmbkit.records import StandardScan

ORDER, DRAW, PATCH = range(3)  # what a stream of random numbers is for


def _generator(seed: int, purpose: int, *numbers: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(purpose, *numbers)))


class _Ticket:
    """A patch of the queue: what it takes to make it, later the patch itself."""

    def __init__(self, scan: SampledScan, training: Training, patch, key: tuple[int, ...], hard):
        self.scan, self.training, self.patch, self.key = scan, training, patch, key
        self.hard = hard
        self.made: tuple[np.ndarray, np.ndarray] | None = None

    def make(self) -> tuple[np.ndarray, np.ndarray]:
        """Image, float16 as it may have to wait, and mask; made once, then the scan is let go."""
        if self.made is not None:
            return self.made
        training, (seed, *numbers) = self.training, self.key
        rng = _generator(seed, PATCH, *numbers)
        spots = [self.hard, (training.dark_background, self.scan.dark)]
        start = patch_start(self.scan, self.patch, training.class_proportions, rng, spots)
        image, mask = cut_patch(self.scan, start, self.patch, training.augmentation, rng)
        self.made, self.scan = (image.astype(np.float16, copy=False), mask), None
        return self.made


def scan_of_visit(n_scans: int, visit: int, seed: int) -> int:
    """Index of the scan of a visit, counted from the first epoch on: round by round."""
    rounds, place = divmod(visit, n_scans)
    return int(_generator(seed, ORDER, rounds).permutation(n_scans)[place])


def _tickets(scans, training: Training, patch, needed: int, seed, epoch, memory, alarms):
    """Tickets in the order in which the shuffled queue gives them, ``needed`` of them."""
    visits = -(-needed // training.patches_per_scan)
    rng = _generator(seed, DRAW, epoch)
    waiting: list[_Ticket] = []
    visit = 0
    for _ in range(needed):
        while visit < visits and (
            not waiting or len(waiting) <= training.queue_patches - training.patches_per_scan
        ):
            number = (epoch - 1) * visits + visit
            standard = scans[scan_of_visit(len(scans), number, seed)]
            scan, hard = memory.get(standard), (alarms.share, alarms.of(standard))
            keys = [(seed, epoch, visit, k) for k in range(training.patches_per_scan)]
            waiting += [_Ticket(scan, training, patch, key, hard) for key in keys]
            for ticket in waiting:
                if ticket.made is None and not memory.holds(ticket.scan):
                    ticket.make()
            visit += 1
        pick = int(rng.integers(len(waiting)))
        waiting[pick], waiting[-1] = waiting[-1], waiting[pick]
        yield waiting.pop()


def epoch_batches(
    scans: list[StandardScan],
    training: Training,
    patch,
    batch_size: int,
    steps: int,
    *,
    seed: int,
    epoch: int,
    memory: ScanMemory | None = None,
    alarms: FalseAlarms = NO_ALARMS,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The batches of one epoch; the same whatever ran before.

    Parameters
    ----------
    patch : 3 int
        Voxels per axis.
    epoch : int
        From 1. Epochs of equally many steps go on with the round of scans where the one before
        ended, so that every scan is visited equally often.
    memory : ScanMemory, optional
        Keeps scans from one epoch to the next.
    alarms : FalseAlarms, optional
        Where an earlier network was wrong, for patches without a microbleed.

    Yields
    ------
    image : ndarray (batch, x, y, z, 1), float32
    mask : ndarray (batch, x, y, z), int32, 0/1
    """
    if not scans:
        raise ValueError("expected at least one scan to sample from, found none")
    if epoch < 1:
        raise ValueError(f"epoch: expected 1 or more, found {epoch}")
    if memory is None:
        memory = ScanMemory.of(training)
    if training.dark_background > 0 and not memory.dark:
        raise ValueError("dark_background: expected a memory of scans with their dark spots")
    tickets = _tickets(scans, training, patch, batch_size * steps, seed, epoch, memory, alarms)
    for _ in range(steps):
        images, masks = zip(*(next(tickets).make() for _ in range(batch_size)), strict=True)
        yield np.stack(images).astype(np.float32)[..., None], np.stack(masks).astype(np.int32)


@contextmanager
def prefetched(source: Iterator, ahead: int = 4) -> Iterator[Iterator]:
    """An iterator's items, prepared ahead in a background thread; the order stays.

    An error in the thread is raised where the item would have come.
    """
    end = object()
    with ThreadPoolExecutor(1) as thread:
        waiting = deque(thread.submit(next, source, end) for _ in range(ahead))

        def items() -> Iterator:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(thread.submit(next, source, end))
                yield item

        try:
            yield items()
        finally:
            thread.shutdown(cancel_futures=True)
