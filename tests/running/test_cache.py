"""A result is whole or absent, and valid only while its key matches."""

import json

import pytest

from cmbkit.running.cache import Cache
from cmbkit.running.file_hashes import FileHashes, file_hash


def writer(text, calls):
    def compute(folder):
        calls.append(text)
        (folder / "result.txt").write_text(text)

    return compute


def test_computed_once_and_again_when_an_input_changes(tmp_path):
    cache, calls = Cache(tmp_path), []
    source = tmp_path / "input.txt"
    source.write_text("one")
    for text in ("one", "one", "two"):
        source.write_text(text)
        folder = cache.get("step", "item", 1, {"file": source}, writer(text, calls))
        assert (folder / "result.txt").read_text() == text
    assert calls == ["one", "two"]
    cache.get("step", "item", 2, {"file": source}, writer("three", calls))
    assert calls[-1] == "three"


def test_a_failure_leaves_nothing_behind_and_keeps_the_old_result(tmp_path):
    cache = Cache(tmp_path)
    cache.get("step", "item", 1, {}, writer("old", []))

    def fail(folder):
        (folder / "half.txt").write_text("half")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        cache.get("step", "item", 2, {}, fail)
    assert sorted(p.name for p in (tmp_path / "step").iterdir()) == ["item"]
    assert (tmp_path / "step/item/result.txt").read_text() == "old"


def test_provenance_names_inputs_and_software(tmp_path):
    folder = Cache(tmp_path).get("step", "item", 3, {"a": 1.5}, writer("x", []))
    record = json.loads((folder / "provenance.json").read_text())
    assert record["inputs"] == {"a": 1.5} and record["version"] == 3
    assert record["software"]["numpy"]


def test_file_hash_follows_the_content_not_the_name(tmp_path):
    (tmp_path / "a").write_text("same")
    (tmp_path / "b").write_text("same")
    (tmp_path / "c").write_text("other")
    hashes = [file_hash(tmp_path / name) for name in "abc"]
    assert hashes[0] == hashes[1] != hashes[2]


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
