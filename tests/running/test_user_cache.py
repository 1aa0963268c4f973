"""Arrays kept from one run to the next."""

import numpy as np

from cmbkit.running.user_cache import kept_arrays, user_cache


def test_arrays_are_made_once_and_again_when_their_file_is_damaged(tmp_path):
    path, made = tmp_path / "new" / "a", []

    def make():
        made.append(1)
        return {"a": np.arange(4000)}

    for times, expected in ((2, 1), (1, 2)):
        for _ in range(times):
            assert (kept_arrays(path, make)["a"] == np.arange(4000)).all()
        assert len(made) == expected
        content = bytearray(path.read_bytes())
        content[200] ^= 1
        path.write_bytes(content)


def test_no_damage_is_an_error_or_another_array(tmp_path):
    """Each byte of the file in turn, and each length, every third."""
    path, arrays = tmp_path / "a", {"a": np.arange(40) % 7, "b": np.eye(4)}
    kept_arrays(path, lambda: arrays)
    whole = path.read_bytes()
    for at in range(0, len(whole), 3):
        changed = bytes([whole[at] ^ 128])
        for content in (whole[:at], whole[:at] + changed + whole[at + 1 :]):
            path.write_bytes(content)
            found = kept_arrays(path, lambda: arrays)
            assert all((found[name] == array).all() for name, array in arrays.items())
            assert path.read_bytes() == whole


def test_where_nothing_can_be_kept_arrays_are_made_each_time(tmp_path):
    (tmp_path / "file").touch()
    found = kept_arrays(tmp_path / "file" / "a", lambda: {"a": np.ones(3)})
    assert found["a"].sum() == 3


def test_it_lies_where_the_system_keeps_such_files(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert str(user_cache("x")) == "/c/cmbkit/x"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/h")
    assert str(user_cache("x")) == "/h/.cache/cmbkit/x"
