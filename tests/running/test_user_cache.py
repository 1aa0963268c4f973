"""Arrays kept from one run to the next."""

import numpy as np

from cmbkit.running.user_cache import kept_arrays, user_cache


def test_arrays_are_made_once_and_again_when_their_file_is_damaged(tmp_path):
    path, made = tmp_path / "new" / "a.npz", []

    def make():
        made.append(1)
        return {"a": np.arange(4000)}

    for times, expected in ((2, 1), (1, 2)):
        for _ in range(times):
            assert (kept_arrays(path, make)["a"] == np.arange(4000)).all()
        assert len(made) == expected
        content = bytearray(path.read_bytes())
        content[200] ^= 1  # within the array: only its checksum tells
        path.write_bytes(content)


def test_where_nothing_can_be_kept_arrays_are_made_each_time(tmp_path):
    (tmp_path / "file").touch()
    found = kept_arrays(tmp_path / "file" / "a.npz", lambda: {"a": np.ones(3)})
    assert found["a"].sum() == 3


def test_it_lies_where_the_system_keeps_such_files(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert str(user_cache("x")) == "/c/cmbkit/x"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/h")
    assert str(user_cache("x")) == "/h/.cache/cmbkit/x"
