"""Damaged files, some of those that `tests/fuzz_readers.py` makes for hours, in each reader."""

import importlib
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def fuzz_readers():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        yield importlib.import_module("fuzz_readers")
        sys.modules.pop("fuzz_readers")


def test_a_damaged_file_is_a_result_or_a_line_that_names_it(fuzz_readers, tmp_path):
    good, kinds = fuzz_readers.seeds(), list(fuzz_readers.READERS)
    fuzz = fuzz_readers.Fuzz(tmp_path, kinds)

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(st.sampled_from(kinds), st.integers(0, 2**32))
    def once(kind, seed):
        chance = random.Random(seed)
        data = fuzz_readers.mutated(chance.choice(good[kind]), good[kind], chance)
        fuzz.once(bytes([kinds.index(kind)]) + data)

    once()
    assert not fuzz.found and set(fuzz.tried) == set(kinds)
