"""Content hashes of files, remembered while size and modification time stay."""

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from isal import isal_zlib

NAME = ".file_hashes.tsv"
CHUNK = 1 << 20


class FileHashes:
    """Hashes kept in a text file, so that a cohort of hundreds of GB is read once.

    Parameters
    ----------
    record : Path
        One line per hash: hash, size in bytes, modification time in ns, path. Several processes
        may append to it; the last line of a path counts, lines that make no sense do not.
    """

    def __init__(self, record: Path):
        self.record = Path(record)
        self._known: dict[str, tuple[str, int, int]] = {}
        told = self.record.read_text(errors="replace") if self.record.is_file() else ""
        for line in told.splitlines():
            parts = line.split("\t", 3)
            if len(parts) == 4 and parts[1].isdigit() and parts[2].isdigit():
                self._known[parts[3]] = (parts[0], int(parts[1]), int(parts[2]))

    def get(self, path) -> str:
        """Hash of a file's content (BLAKE2b, 12 bytes, hexadecimal)."""
        place, *now = _state(path)
        known = self._known.get(place)
        if known and [*known[1:]] == now:
            return known[0]
        found = _hash(place, *now)
        self._known[place] = (found, *now)
        if not any(c in place for c in "\n\t"):
            self.record.parent.mkdir(parents=True, exist_ok=True)
            with open(self.record, "a") as stream:
                stream.write(f"{found}\t{now[0]}\t{now[1]}\t{place}\n")
        return found


def _state(path) -> tuple[str, int, int]:
    """Place, size in bytes and modification time in ns of a file."""
    status = os.stat(path)
    return str(Path(path).absolute()), status.st_size, status.st_mtime_ns


@lru_cache(maxsize=65536)
def _hash(path: str, size: int, mtime_ns: int) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=12)).hexdigest()


def checksum(path) -> str:
    """CRC-32 of a file's content, 8 hexadecimal digits (remembered by this process).

    It finds damage and costs a tenth of `file_hash`.
    """
    return _checksum(*_state(path))


@lru_cache(maxsize=65536)
def _checksum(path: str, size: int, mtime_ns: int) -> str:
    found = 0
    with open(path, "rb", buffering=0) as stream:
        while piece := stream.read(CHUNK):
            found = isal_zlib.crc32(piece, found)
    return f"{found:08x}"


def sha256(path) -> str:
    """SHA-256 of a file's content, hexadecimal: what is written down beside committed files."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_hash(path) -> str:
    """Content hash of a file (remembered by this process)."""
    return _hash(*_state(path))
