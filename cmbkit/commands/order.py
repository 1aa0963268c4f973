"""Which notebooks wait for which, and those that need not run side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait

NEEDS = {
    "02": ("01",),
    "03": ("01",),
    "04": ("01",),
    "05": ("04",),
    "06": ("03", "05"),
    "07": ("05",),
}
"""Which notebooks fill the cache that another one reads; the others can run beside it."""
FROZEN_NEEDS = NEEDS | {"05": ("01",)}
"""The same with frozen or given networks, where 04 trains none."""


def run_in_order(
    numbers: list[str],
    jobs: int,
    begin: Callable[[str], Future],
    end: Callable[[str], None],
    needs: Mapping[str, tuple[str, ...]] = NEEDS,
) -> None:
    """Begin each notebook once those that it needs have ended, at most ``jobs`` at a time.

    Of those that could begin, the one that most others wait for goes first.

    Parameters
    ----------
    numbers : list of str
        ``"01"`` to ``"07"``, or some of them; what is not among them need not end.
    jobs : int
    begin : callable
        Starts a notebook.
    end : callable
        Told of each notebook that ended well.
    needs : mapping
        `NEEDS` or `FROZEN_NEEDS`.

    Raises
    ------
    Exception
        The first one that a notebook raised, after those beside it have ended.
    """
    waiting = sorted(numbers, key=lambda number: (-_chain(number, needs), number))
    running: dict[Future, str] = {}
    failed: BaseException | None = None
    while running or (waiting and not failed):
        ended_not = {*waiting, *running.values()}
        ready = [n for n in waiting if not ended_not.intersection(needs.get(n, ()))]
        for number in [] if failed else ready[: jobs - len(running)]:
            waiting.remove(number)
            running[begin(number)] = number
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            number, error = running.pop(future), future.exception()
            failed = failed or error
            if error is None:
                end(number)
    if failed:
        raise failed


def _chain(number: str, needs: Mapping[str, tuple[str, ...]]) -> int:
    """How many notebooks have to run one after the other from this one on."""
    after = (n for n, needed in needs.items() if number in needed)
    return 1 + max((_chain(n, needs) for n in after), default=0)
