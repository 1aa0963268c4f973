"""Text of a PDF."""

import re
import zlib

import pytest


@pytest.fixture
def pdf_text():
    """Function of a path: the lines of its pages, in the order in which they are drawn."""

    def read(path) -> str:
        streams = re.findall(rb"stream\n(.*?)\nendstream", path.read_bytes(), re.DOTALL)
        pages = b"".join(zlib.decompress(part) for part in streams if part[:1] == b"x")
        lines = re.findall(rb"BT\n(.*?)\nET", pages, re.DOTALL)
        pieces = (re.findall(rb"\(((?:[^()\\]|\\.)*)\)", line) for line in lines)
        letters = b" ".join(b"".join(line) for line in pieces)  # two bytes each
        return letters.replace(b"\0", b"").decode("latin-1")

    return read
