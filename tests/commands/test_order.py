"""The order of notebooks that run side by side."""

import time
from concurrent.futures import ThreadPoolExecutor

from cmbkit.commands.order import FROZEN_NEEDS, NEEDS, run_in_order


def run(numbers, jobs, fails=(), needs=NEEDS):
    """Run notebooks that only note when they begin and end; returns these events."""
    events, ended = [], []

    def begin(number):
        events.append(("begin", number))
        return pool.submit(work, number)

    def work(number):
        time.sleep(0.02)
        events.append(("end", number))
        if number in fails:
            raise ValueError(number)

    with ThreadPoolExecutor(len(numbers)) as pool:
        try:
            run_in_order(numbers, jobs, begin, ended.append, needs)
        except ValueError as error:
            events.append(("raised", str(error)))
    return events, ended


ALL = ["01", "02", "03", "04", "05", "06", "07"]


def test_notebooks_run_side_by_side_but_after_those_that_they_need():
    events, ended = run(ALL, 2)
    assert sorted(ended) == ALL
    for number, needed in NEEDS.items():
        for before in needed:
            assert events.index(("end", before)) < events.index(("begin", number))
    running, most = set(), 0
    for what, number in events:
        running = running | {number} if what == "begin" else running - {number}
        most = max(most, len(running))
    assert most == 2
    begun = [number for what, number in events if what == "begin"]
    assert begun[:2] == ["01", "04"]  # three others wait for 04, one after the other


def test_with_frozen_networks_the_evaluation_waits_for_the_scans_alone():
    events, ended = run(ALL, 2, needs=FROZEN_NEEDS)
    assert sorted(ended) == ALL
    begun = [number for what, number in events if what == "begin"]
    assert begun[:3] == ["01", "03", "05"]  # 06 waits for both


def test_one_job_runs_them_one_after_the_other():
    events, _ = run(ALL, 1)
    assert [what for what, _ in events] == ["begin", "end"] * 7


def test_what_is_not_asked_for_is_not_waited_for():
    assert run(["05", "07"], 2)[1] == ["05", "07"]


def test_after_a_failure_nothing_new_begins():
    events, ended = run(ALL, 2, fails={"04"})
    assert events[-1] == ("raised", "04")
    assert not {number for _, number in events} & {"05", "06", "07"}
    assert "01" in ended and "04" not in ended
