"""What is in the cache is read; the rest is told of and made by all workers."""

import json
import os
import sys
import time
from functools import partial

import cloudpickle
import pytest

from cmbkit.running import report
from cmbkit.running.cache import Cache
from cmbkit.running.map_cached import map_cached
from cmbkit.running.map_scans import ScanFailures
from cmbkit.running.provenance import RECORD

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests


def tenth(cache, threshold, number):
    """Number over ten and the process that divided it; a result of ``threshold``."""

    def compute(folder):
        (folder / "result.json").write_text(json.dumps([number / 10, os.getpid()]))
        time.sleep(0.2)
        if number < 0:
            raise ValueError("negative")

    inputs = {"number": number, "threshold": threshold}
    folder = cache.get("tenth", f"n{number}", inputs, compute, code=[])
    return json.loads((folder / "result.json").read_text())


def ask(cache, threshold, numbers, **options):
    return map_cached(cache, partial(tenth, cache, threshold), numbers, step="tenths", **options)


def test_after_a_changed_value_all_workers_work(tmp_path):
    """The older results of the same code must not make it look as if nothing were to be done."""
    cache = Cache(tmp_path, "someone")
    first = ask(cache, 0.5, [1, 2, 3, 4])
    assert first == [[n / 10, os.getpid()] for n in (1, 2, 3, 4)]
    changed = ask(cache, 0.9, [1, 2, 3, 4], workers=2)
    assert [value for value, _ in changed] == [0.1, 0.2, 0.3, 0.4]
    assert len({process for _, process in changed} - {os.getpid()}) == 2
    assert ask(cache, 0.9, [1, 2, 3, 4], workers=2) == changed
    assert ask(cache, 0.5, [4, 1], workers=2) == [first[3], first[0]]


def test_one_that_is_missing_is_made_here_among_those_that_are_there(tmp_path):
    cache = Cache(tmp_path)
    there = ask(cache, 0.5, [1, 3])
    found = ask(cache, 0.5, [1, 2, 3], workers=2)
    assert found == [there[0], [0.2, os.getpid()], there[1]]


def test_a_failure_is_one_whatever_is_in_the_cache(tmp_path):
    cache = Cache(tmp_path)
    ask(cache, 0.5, [1])
    with pytest.raises(ScanFailures, match=r"tenths: 1 of 1 failed:\n  -2: negative"):
        ask(cache, 0.5, [1, -2])


def test_it_says_what_is_made_why_and_how_long(tmp_path, capsys, monkeypatch):
    cache = Cache(tmp_path)
    monkeypatch.setattr(report, "DELAY_S", 0.1)
    ask(cache, 0.5, [1, 2])
    first, last = capsys.readouterr().err.splitlines()
    assert first == "tenths: 0 of 2, tenth n1 was never made"
    assert last.startswith("tenths: 2 of 2 in ")
    for record in tmp_path.glob(f"tenth/*/*/{RECORD}"):
        known = json.loads(record.read_text())
        assert 0.2 <= known["seconds"] < 5
        record.write_text(json.dumps(known | {"seconds": 240}))
    ask(cache, 0.9, [1, 2], workers=2)
    (line,) = capsys.readouterr().err.splitlines()[:1]
    assert line.startswith("tenths: 2 of 2 to make, about 4 min; tenth n1 has changed since ")
    assert line.endswith(": input threshold: 0.5 -> 0.9")


def test_what_takes_seconds_is_not_worth_a_word(tmp_path, capsys, monkeypatch):
    cache = Cache(tmp_path)
    monkeypatch.setattr(report, "DELAY_S", 60.0)  # also where this machine is busy
    ask(cache, 0.5, [1, 2])
    capsys.readouterr()
    ask(cache, 0.9, [1, 2])
    assert capsys.readouterr().err == ""
