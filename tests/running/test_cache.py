"""A result is whole or absent, and found again by its key: inputs, code and packages."""

import errno
import json
import multiprocessing
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from cmbkit.atomic import sweep
from cmbkit.preprocessing import cleaning, intensities
from cmbkit.running import cache as module
from cmbkit.running import source
from cmbkit.running.cache import Cache, NotMade
from cmbkit.running.file_hashes import FileHashes, checksum, file_hash
from cmbkit.running.provenance import read_record
from cmbkit.running.report import PROGRESS_FILE


def writer(text, calls):
    def compute(folder):
        calls.append(text)
        (folder / "result.txt").write_text(text)

    return compute


def ask(cache, inputs, text="text", calls=None, **options):
    calls = [] if calls is None else calls
    options = {"code": [], **options}
    return cache.get("step", "item", inputs, writer(text, calls), **options)


def test_computed_once_and_again_when_an_input_changes(tmp_path):
    cache, calls = Cache(tmp_path), []
    source_file = tmp_path / "input.txt"
    for text in ("one", "one", "two", "one"):
        source_file.write_text(text)
        folder = ask(cache, {"file": source_file}, text, calls)
        assert (folder / "result.txt").read_text() == text
    assert calls == ["one", "two"]


def test_two_values_of_a_parameter_lie_side_by_side(tmp_path):
    cache, calls = Cache(tmp_path), []
    folders = {ask(cache, {"threshold": t}, str(t), calls) for t in (0.5, 0.9, 0.5, 0.9)}
    assert calls == ["0.5", "0.9"] and len(folders) == 2
    assert all(folder.parent == tmp_path / "step" / "item" for folder in folders)
    assert all(len(folder.name) == 12 for folder in folders)


def test_another_package_or_other_code_makes_anew(tmp_path, monkeypatch):
    cache, calls = Cache(tmp_path), []
    ask(cache, {}, "first", calls)
    real = module.software_versions()
    monkeypatch.setattr(module, "software_versions", lambda: {**real, "cmbkit": "9"})
    ask(cache, {}, "not made: the code counts, not the version", calls)
    monkeypatch.setattr(module, "software_versions", lambda: {**real, "scipy": "9.9"})
    ask(cache, {}, "other scipy", calls)
    ask(cache, {}, "with code", calls, code=[cleaning.prune])
    definitions = source.definitions

    def edited(*code, **options):
        return {**definitions(*code, **options), "cmbkit.preprocessing.cleaning.prune": "0" * 16}

    monkeypatch.setattr(source, "definitions", edited)
    ask(cache, {}, "prune edited", calls, code=[cleaning.prune])
    assert calls == ["first", "other scipy", "with code", "prune edited"]


def test_the_folder_of_a_result_counts_by_its_content(tmp_path):
    """What is made anew with the same content changes nothing further down."""
    cache, calls = Cache(tmp_path), []
    for inputs, text in (({"a": 1}, "same"), ({"a": 2}, "same"), ({"a": 3}, "other")):
        above = cache.get("above", "item", inputs, writer(text, []), code=[])
        ask(cache, {"above": above}, text, calls)
    assert calls == ["same", "other"]
    with pytest.raises(FileNotFoundError, match=r"provenance.json: expected the record"):
        ask(cache, {"above": tmp_path})


def test_sidecars_of_images_are_not_content(tmp_path):
    cache, found = Cache(tmp_path), []
    for name, sidecar in (("a.nii.gz", "1"), ("a.nii.gz", "2"), ("b.json", "1"), ("b.json", "2")):

        def compute(folder, name=name, sidecar=sidecar):
            (folder / name).write_text("voxels")
            (folder / name.replace(".nii.gz", ".json")).write_text(sidecar)

        folder = cache.get("step", name, {"n": sidecar}, compute, code=[])
        found.append(read_record(folder)["content"])
    assert found[0] == found[1] and found[2] != found[3]


def test_a_failure_leaves_nothing_behind(tmp_path):
    cache = Cache(tmp_path)
    old = ask(cache, {"a": 1}, "old")

    def fail(folder):
        (folder / "half.txt").write_text("half")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        cache.get("step", "item", {"a": 2}, fail, code=[])
    assert list((tmp_path / "step/item").iterdir()) == [old]
    assert (old / "result.txt").read_text() == "old"


def test_the_record_names_inputs_code_and_software(tmp_path):
    folder = ask(Cache(tmp_path), {"a": 1.5, "b": (1, 2)}, code=[intensities.fill_nan])
    record = read_record(folder)
    assert record["inputs"] == {"a": 1.5, "b": [1, 2]} and record["software"]["numpy"]
    assert (record["step"], record["item"]) == ("step", "item")
    assert "cmbkit.preprocessing.intensities.fill_nan" in record["code"]
    assert record["key"].startswith(folder.name) and len(record["key"]) == 32


def test_a_cache_told_to_make_nothing_says_what_it_lacks(tmp_path):
    cache, calls = Cache(tmp_path, "someone"), []
    there = ask(cache, {"a": 1}, "made", calls)
    with cache.making_nothing() as lacks:
        assert ask(cache, {"a": 1}) == there
        with pytest.raises(NotMade, match="step item: not in the cache"):
            ask(cache, {"a": 2}, "never", calls)
    (lacking,) = lacks
    assert lacking.inputs == {"a": 2} and calls == ["made"]
    assert lacking.differences(read_record(there)) == ["input a: 1 -> 2"]


def test_before_a_long_computation_the_changes_are_told(tmp_path, monkeypatch, capsys):
    cache, watched = Cache(tmp_path), tmp_path / "progress"
    ask(cache, {"phase": {"epochs": 2}, "seed": 1}, resumable=True)
    assert capsys.readouterr().err == "", "there was none before"
    older = ask(cache, {"phase": {"epochs": 3}, "seed": 1}, resumable=True)
    said = capsys.readouterr().err
    assert "step item is made anew, since" in said
    assert "input phase.epochs: 2 -> 3" in said and "seed" not in said
    monkeypatch.setenv(PROGRESS_FILE, str(watched))
    time.sleep(0.02)
    ask(cache, {"phase": {"epochs": 3}, "seed": 2}, resumable=True)
    told = json.loads(watched.read_text())["line"]
    assert told == f"step item is made anew, since {older.name}: input seed: 1 -> 2"


def slow(root, number, started, resumable):
    def compute(folder):
        with open(folder.parent / "computed", "a") as stream:
            stream.write(f"{number}\n")
        started.set()
        time.sleep(0.5)

    Cache(root).get("step", "item", {}, compute, code=[], resumable=resumable)


@pytest.fixture
def started_one(tmp_path):
    """Two processes that ask for the same result; the first is making it."""
    context = multiprocessing.get_context("fork")

    def start(resumable):
        event = context.Event()
        common = (event, resumable)
        processes = [context.Process(target=slow, args=(tmp_path, i, *common)) for i in range(2)]
        processes[0].start()
        assert event.wait(60)
        processes[1].start()
        return processes

    return start


@pytest.mark.parametrize("resumable", [True, False])
def test_a_second_process_waits_for_the_result(tmp_path, started_one, resumable):
    for process in started_one(resumable):
        process.join()
        assert process.exitcode == 0
    assert (tmp_path / "step/item/computed").read_text() == "0\n"
    (made,) = (path for path in (tmp_path / "step/item").iterdir() if path.name != "computed")
    assert read_record(made)["item"] == "item", "and neither a lock nor half a result"


@pytest.mark.parametrize("resumable", [True, False])
def test_a_process_that_is_killed_lets_the_one_that_waits_go_on(tmp_path, started_one, resumable):
    first, second = started_one(resumable)
    time.sleep(0.1)
    first.kill()
    second.join()
    assert second.exitcode == 0
    assert (tmp_path / "step/item/computed").read_text() == "0\n1\n"
    sweep(tmp_path)
    (made,) = (path for path in (tmp_path / "step/item").iterdir() if path.name != "computed")
    assert read_record(made)["item"] == "item"


def test_while_one_result_is_made_another_can_be_had(tmp_path):
    cache, seen = Cache(tmp_path), []

    def compute(folder):
        seen.append(cache.get("step", "other", {}, writer("other", []), code=[]))
        seen.append(Cache(tmp_path).get("step", "item", {"a": 2}, writer("2", []), code=[]))

    cache.get("step", "item", {"a": 1}, compute, code=[])
    assert [(folder / "result.txt").read_text() for folder in seen] == ["other", "2"]


def test_on_a_disk_without_locks_a_result_is_made_all_the_same(tmp_path, monkeypatch):
    def no_lock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_lock)
    assert (ask(Cache(tmp_path), {"a": 1}) / "result.txt").read_text() == "text"
    with pytest.raises(OSError, match="No locks"):
        ask(Cache(tmp_path), {"a": 2}, resumable=True)


def test_an_interrupted_result_is_handed_back_even_after_another_was_made(tmp_path):
    cache, seen = Cache(tmp_path), []

    def half(folder):
        (folder / "half.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.get("step", "item", {"a": 1}, half, code=[], resumable=True)
    ask(cache, {"a": 2}, resumable=True)
    cache.get(
        "step",
        "item",
        {"a": 1},
        lambda folder: seen.extend(path.name for path in folder.iterdir()),
        code=[],
        resumable=True,
    )
    assert seen == ["half.txt"]


def emptied(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[:-3])


def edited(path):
    path.write_text(path.read_text().replace("t", "s", 1))


def other_input(path):
    path.write_text(path.read_text().replace('"a": 1', '"a": 2'))


def no_text(path):
    path.write_bytes(b"\xff\xfe")


def no_record(path):
    path.write_text("{}")


def no_files(path):
    path.write_text(json.dumps(json.loads(path.read_text()) | {"files": []}))


def no_hash(path):
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"files": {"result.txt": 1}}))


OF_ANY = [emptied, cut, edited, no_text, no_record, Path.unlink]
OF_RECORD = [other_input, no_files, no_hash]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *(("result.txt", damage) for damage in OF_ANY),
        *(("provenance.json", damage) for damage in OF_ANY + OF_RECORD),
    ],
)
def test_a_damaged_result_is_one_line_and_made_anew(tmp_path, capsys, damage, name):
    cache, calls = Cache(tmp_path), []
    folder = ask(cache, {"a": 1}, "first", calls)
    damage(folder / name)
    with cache.making_nothing() as lacks, pytest.raises(NotMade):
        ask(cache, {"a": 1})
    assert len(lacks) == 1 and not capsys.readouterr().err
    assert ask(cache, {"a": 1}, "second", calls) == folder and calls == ["first", "second"]
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and f"{folder / name}: expected" in told and "made anew" in told
    assert (
        ask(cache, {"a": 1}, "third", calls) == folder
        and (folder / "result.txt").read_text() == "second"
    )
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_damaged_record_stops_neither_estimate_nor_reason(tmp_path):
    cache = Cache(tmp_path)
    emptied(ask(cache, {"a": 1}) / "provenance.json")
    assert cache.seconds("step") is None
    assert "record is damaged" in cache.why(cache.asked("step", "item", {"a": 2}, []))


@pytest.mark.parametrize("item", ["../out", "a/../../../out", "/tmp/out"])
def test_no_name_leads_out_of_the_cache(tmp_path, item):
    with pytest.raises(ValueError, match="found a way out"):
        Cache(tmp_path / "root").get("step", item, {}, writer("", []), code=[])
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_told_of_its_folder(tmp_path):
    def compute(folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        Cache(tmp_path).get("step", "item", {}, compute, code=[])
    assert caught.value.filename.startswith(str(tmp_path / "step/item"))


def test_file_hash_follows_the_content_not_the_name(tmp_path):
    (tmp_path / "a").write_text("same")
    (tmp_path / "b").write_text("same")
    (tmp_path / "c").write_text("other")
    hashes = [file_hash(tmp_path / name) for name in "abc"]
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_checksum_is_that_of_gzip(tmp_path):
    content = np.random.default_rng(0).bytes(3_000_001)
    (tmp_path / "a").write_bytes(content)
    assert checksum(tmp_path / "a") == f"{zlib.crc32(content):08x}"


def test_hashes_are_remembered_on_disk_until_size_or_time_changes(tmp_path):
    """A line of the record is believed while size and time agree, and only then."""
    source, record = tmp_path / "scan.nii", tmp_path / "kept" / "hashes.tsv"
    source.write_text("12345")
    first = FileHashes(record).get(source)
    assert first == file_hash(source)
    line = record.read_text()
    record.write_text("no line\n" + line.replace(first, "0" * 24))
    assert FileHashes(record).get(source) == "0" * 24
    source.write_text("123456")
    assert FileHashes(record).get(source) == file_hash(source) != first
    assert record.read_text().count(str(source)) == 2


def test_what_describes_the_derivatives_appears_whole_and_once(tmp_path):
    """A hard link keeps what it had: the file is replaced; where it says the same, it stays."""
    cache, path = Cache(tmp_path), tmp_path / "dataset_description.json"
    cache.describe("1")
    (tmp_path / "link").hardlink_to(path)
    cache.describe("1")
    assert path.samefile(tmp_path / "link")
    cache.describe("2")
    written = [json.loads(p.read_text())["GeneratedBy"] for p in (path, tmp_path / "link")]
    assert written == [[{"Name": "cmbkit", "Version": version}] for version in ("2", "1")]
