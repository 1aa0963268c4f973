"""Mapping over scans whose results a cache keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cmbkit.running.cache import Cache, NotMade
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

    Before that, where it takes more than a minute, what is made is told, why, and how long it
    will take; where nobody knows yet how long, the beginning of the step says why.

    Parameters
    ----------
    cache : Cache
        Which ``function`` asks for its result.
    function, items, step, workers, cluster, **options
        See `map_scans`. Nothing is sent to the cluster unless a result is missing.

    Raises
    ------
    cmbkit.running.cache.NotMade
        If a result is missing and the cache was told to make none.
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
    if cache.not_made is not None:
        raise NotMade(f"{step}: {len(missing)} of {len(items)} not in the cache")
    why = _why(cache, list(lacking.values()), step, f"{len(missing)} of {len(items)}", workers)
    made = map_scans(
        function,
        [items[index] for index in missing],
        step=step,
        workers=workers,
        cluster=cluster,
        stage=why,
        **options,
    )
    for index, result in zip(missing, made, strict=True):
        results[index] = result
    return results


def _why(cache: Cache, lacking: list[Asked], step: str, count: str, workers: int) -> str:
    """Why results are made; told at once where such have taken long so far."""
    if not lacking or cache.not_made is not None:
        return ""
    first, steps = lacking[0], [asked.step for asked in lacking]
    since = cache.why(first)
    why = f"{first.step} {first.item} " + (f"has changed {since}" if since else "was never made")
    each = {name: cache.seconds(name) for name in set(steps)}
    if None not in each.values():
        seconds = sum(each[name] for name in steps) / min(workers, len(steps))
        if seconds >= LONG_S:
            report_line(f"{step}: {count} to make, about {duration(seconds)}; {why}")
        return ""
    return why
