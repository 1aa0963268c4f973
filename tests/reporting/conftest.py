"""Text of a PDF."""

import re
import zlib

import pytest


@pytest.fixture
def pdf_text():
    """Function of a path: what its pages say, letters in the order in which they are drawn."""

    def read(path) -> str:
        streams = re.findall(rb"stream\n(.*?)\nendstream", path.read_bytes(), re.DOTALL)
        pages = (zlib.decompress(part) for part in streams if part[:1] == b"x")
        said = (re.findall(rb"\(((?:[^()\\]|\\.)*)\)", page) for page in pages if b" Tf" in page)
        letters = b"".join(part for page in said for part in page)  # two bytes each
        return letters.replace(b"\0", b"").decode("latin-1")

    return read
