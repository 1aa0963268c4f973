"""Mapping over scans whose results a cache keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cmbkit.running.cache import Cache
from cmbkit.running.map_scans import map_scans
from cmbkit.running.provenance import Asked
from cmbkit.running.report import report_line
from cmbkit.running.steps import duration

LONG_S = 60.0


def map_cached(
    cache: Cache,
    function: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    step: str,
    workers: int = 1,
    cluster: Any = None,
    **options,
) -> list[Any]:
    """As `map_scans`, but what is in the cache is read here, and the rest alone is mapped.

    Before that, unless it is known to take less than a minute, what is made is told, why, and how
    long it will take.

    Parameters
    ----------
    cache : Cache
        Which ``function`` asks for its result.
    function, items, step, workers, cluster, **options
        See `map_scans`. Nothing is sent to the cluster unless a result is missing.
    """
    items = list(items)
    results, missing, lacking = [None] * len(items), [], {}
    for index, item in enumerate(items):
        with cache.making_nothing() as lacks:
            try:
                results[index] = function(item)
            except Exception:  # also one that comes again when the result is made
                missing.append(index)
        lacking |= {(asked.step, asked.item): asked for asked in lacks}
    if not missing:
        return results
    if lacking and cache.not_made is None:
        count = f"{len(missing)} of {len(items)}"
        _announce(cache, f"{step}: {count} to make", list(lacking.values()), workers)
    made = map_scans(
        function,
        [items[index] for index in missing],
        step=step,
        workers=workers,
        cluster=cluster,
        **options,
    )
    for index, result in zip(missing, made, strict=True):
        results[index] = result
    return results


def _announce(cache: Cache, what: str, lacking: list[Asked], workers: int) -> None:
    """Say why results are made, and how long that takes by what such have taken so far."""
    steps = [asked.step for asked in lacking]
    each = {step: cache.seconds(step) for step in set(steps)}
    first, long = lacking[0], "how long is not known yet"
    if None not in each.values():
        seconds = sum(each[step] for step in steps) / min(workers, len(steps))
        if seconds < LONG_S:
            return
        long = f"about {duration(seconds)}"
    why = cache.why(first)
    why = f"has changed {why}" if why else "has never been made"
    report_line(f"{what}, {long}; {first.step} {first.item} {why}")
