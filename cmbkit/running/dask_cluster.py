"""Scans on a Dask cluster: one that runs already, or workers started as SLURM jobs.

The workers need this package and the data under the same paths as here. Each has one thread,
so that it holds one scan at a time.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any
from uuid import uuid4

from cmbkit.running.outcomes import ONE_THREAD, WorkerLost
from cmbkit.running.provenance import software_versions
from cmbkit.running.source import whole_package

LOOK_EVERY_S = 2.0
CONNECT_S = 20.0


class ClusterError(RuntimeError):
    """The cluster cannot be reached or used; the message says what is expected."""


def run_on_cluster(
    function: Callable[[Any], Any], items: list, cluster: Any, workers: int
) -> Iterator[tuple[int, Callable[[], Any]]]:
    """Submit every item and give the outcomes as they come.

    A scan whose worker died runs again on another; one that has cost several workers their
    lives (Dask's ``allowed-failures``, 3) counts as failed. When no worker has been there for
    ``cluster.patience_s``, the scans that are left fail instead of waiting for ever.

    ``workers``: SLURM jobs.

    Yields
    ------
    index : int
    outcome : callable
        Returns the item's result or raises what it raised.

    Raises
    ------
    ClusterError
        If no scheduler answers, no worker comes in time, or one has several threads. Also as
        the outcome of an item whose worker has another version of the code or of a package.
    """
    from dask.utils import funcname
    from distributed import wait

    with ExitStack() as stack:
        client = stack.enter_context(_connect(cluster, workers, stack))
        _await_workers(client, cluster)
        here, named = _versions(), funcname(function)  # what the dashboard shows
        futures = {
            client.submit(_as_here, here, function, item, key=f"{named}-{uuid4()}"): index
            for index, item in enumerate(items)
        }
        alone_since = None
        while futures:
            try:
                done = wait(list(futures), timeout=LOOK_EVERY_S, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                done = ()
            for future in done:
                yield futures.pop(future), partial(_outcome, future)
            now = time.monotonic()
            alone_since = None if done or client.nthreads() else alone_since or now
            if alone_since and now - alone_since > cluster.patience_s:
                client.cancel(list(futures))
                for index in futures.values():
                    yield index, partial(_no_worker, cluster.patience_s)
                return


def _versions() -> dict[str, str | None]:
    return {**software_versions(), "cmbkit": whole_package()}


def _as_here(here: dict[str, str | None], function: Callable[[Any], Any], item: Any) -> Any:
    """Call a function on a worker, if its code and packages are those of the caller."""
    there = _versions()
    other = [f"{name} {here[name]}, found {there.get(name)}" for name in here]
    other = [text for name, text in zip(here, other, strict=True) if here[name] != there.get(name)]
    if other:
        raise ClusterError(f"cluster: {socket.gethostname()}: expected {'; '.join(other)}")
    return function(item)


def _outcome(future):
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    try:
        return future.result()
    except KilledWorker:
        raise WorkerLost("every worker that had it died (out of memory, or a crash)") from None
    except FutureCancelledError as error:
        raise WorkerLost(f"the scheduler gave it up: {error}") from None


def _no_worker(seconds):
    raise WorkerLost(f"no worker was left, and none came within {seconds:g} s")


def _connect(cluster, workers: int, stack: ExitStack):
    from distributed import Client

    address = cluster.address
    if cluster.slurm is not None:
        address = stack.enter_context(slurm_cluster(cluster.slurm, workers))
    try:
        return Client(address, timeout=min(CONNECT_S, cluster.patience_s))
    except (OSError, ValueError) as error:
        raise ClusterError(f"cluster: expected a Dask scheduler at {address}: {error}") from None


def slurm_cluster(slurm, workers: int):
    """Start ``workers`` SLURM jobs of one thread each (package dask-jobqueue).

    ``slurm`` (cmbkit.params.Slurm).

    Returns
    -------
    dask_jobqueue.SLURMCluster
    """
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError:
        raise ClusterError(
            "cluster.slurm: expected the package dask-jobqueue (pip install dask-jobqueue)"
        ) from None
    cluster = SLURMCluster(
        cores=1,
        processes=1,
        memory=slurm.memory,
        queue=slurm.queue,
        account=slurm.account,
        walltime=slurm.walltime,
        job_extra_directives=slurm.directives,
        job_script_prologue=[f"export {k}={v}" for k, v in ONE_THREAD.items()] + slurm.prologue,
    )
    cluster.scale(jobs=workers)
    return cluster


def _await_workers(client, cluster) -> None:
    try:
        client.wait_for_workers(1, timeout=cluster.patience_s)
    except TimeoutError:
        raise ClusterError(
            f"cluster: expected a worker within {cluster.patience_s:g} s, found none"
        ) from None
    for worker, threads in client.nthreads().items():
        if threads != 1:
            raise ClusterError(
                f"cluster: {worker}: expected 1 thread (dask worker --nthreads 1), found {threads}"
            )
