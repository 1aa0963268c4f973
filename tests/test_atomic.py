"""What is written appears whole or not at all."""

import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from cmbkit.atomic import (
    OutputError,
    part_beside,
    require_free,
    sweep,
    temporary_folder,
    whole_file,
    whole_folder,
    write_whole,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_error_leaves_the_earlier_file(tmp_path):
    write_whole(tmp_path / "deep" / "a.txt", "first ±")
    with pytest.raises(RuntimeError), whole_file(tmp_path / "deep" / "a.txt") as part:
        part.write_text("half")
        raise RuntimeError
    assert names(tmp_path / "deep") == ["a.txt"]
    assert (tmp_path / "deep" / "a.txt").read_text(encoding="utf-8") == "first ±"


def test_the_part_has_the_ending_of_the_file(tmp_path):
    with whole_file(tmp_path / "scan.nii.gz") as part:
        assert part.name.endswith(".nii.gz") and part.parent == tmp_path
        part.write_bytes(b"1")
    assert (tmp_path / "scan.nii.gz").stat().st_mode & 0o777 == 0o644


def test_a_folder_is_replaced_whole(tmp_path):
    folder = tmp_path / "out"
    for text in ("one", "two"):
        with whole_folder(folder, ours="run.json", force=True) as new:
            (new / "run.json").write_text(text)
            (new / text).touch()
    assert names(folder) == ["run.json", "two"] and names(tmp_path) == ["out"]
    with pytest.raises(RuntimeError), whole_folder(folder, ours="run.json", force=True) as new:
        (new / "half").touch()
        raise RuntimeError
    assert names(folder) == ["run.json", "two"] and names(tmp_path) == ["out"]


def test_nobody_elses_folder_is_replaced(tmp_path):
    require_free(tmp_path / "none", ours="run.json")
    require_free(tmp_path, ours="run.json")
    (tmp_path / "letter.txt").touch()
    with pytest.raises(OutputError, match="found 1 entries; --force replaces"):
        require_free(tmp_path, ours="run.json")
    with pytest.raises(OutputError, match=r"with run\.json\) to replace, found letter\.txt"):
        require_free(tmp_path, ours="run.json", force=True)
    with pytest.raises(OutputError, match="expected a folder, found a file"):
        require_free(tmp_path / "letter.txt", ours="run.json", force=True)


WRITING = """
import sys, time
from pathlib import Path
from cmbkit.atomic import part_beside, temporary_folder, whole_file

target = Path(sys.argv[1])
with part_beside(target / "a/b") as one, whole_file(target / "c"), temporary_folder() as two:
    (one / "half").write_text("half")
    (two / "scan.nii").write_text("a patient's")
    (target / "begun").touch()
    time.sleep(60)
"""


def test_what_a_killed_writer_left_is_swept_and_what_a_living_one_holds_stays(
    tmp_path, monkeypatch
):
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    out.mkdir(), temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    (temporary / "cmbkit-of-a-user").mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    run = subprocess.Popen([sys.executable, "-c", WRITING, str(out)], env=environment)
    while not (out / "begun").exists() and run.poll() is None:
        time.sleep(0.05)
    left = [*out.rglob(".part-*"), *temporary.glob("cmbkit-part-*")]
    assert len(left) == 3
    sweep(out)
    assert all(path.exists() for path in left)
    run.send_signal(signal.SIGKILL)
    run.wait()
    with part_beside(out / "mine") as mine, temporary_folder() as ours:
        sweep(out)
        assert mine.exists() and ours.exists()
    assert not any(path.exists() for path in left)
    assert names(out) == ["a", "begun"] and names(temporary) == ["cmbkit-of-a-user"]
