"""Feed readers with damaged files: what comes out is a result, or an error that names the file.

    .venv/bin/python tests/fuzz_readers.py 600            # seconds; all readers
    .venv/bin/python tests/fuzz_readers.py 600 yaml mat   # some

Where atheris is installed (``pip install atheris``), it chooses the bytes by what code they reach;
else good files are cut, flipped and mixed by a fixed seed. Each kind of finding is printed once,
with the bytes; exit code 1 if there is any. `tests/test_fuzz_readers.py` tries a few.
"""

import contextlib
import io
import json
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.io import savemat

try:
    import atheris
except ImportError:
    atheris = None
with atheris.instrument_imports(include=["cmbkit"]) if atheris else contextlib.nullcontext():
    from cmbkit.datasets import bids, sources
    from cmbkit.evaluation.instances import from_points
    from cmbkit.params import read_parameters
    from cmbkit.scoring import layouts, points
    from cmbkit.volume import Volume

GRID = Volume(np.zeros((9, 8, 7), np.uint8), np.diag([2.0, 2.0, 2.0, 1.0]))
SLOW_S, MEMORY = 10.0, 8 << 30
SLICER = b"""# CoordinateSystem = LPS
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
1,-2.0,-1.0,12.0,0,0,0,1,1,1,0,F-1,certain,
"""
MARKUPS = b"""{"markups": [{"controlPoints": [{"position": [1, 2, 3], "positionStatus": "defined",
"description": "certain"}], "coordinateSystem": "RAS"}]}"""


def census(path: Path):
    return layouts.beside_remarks(path.with_name("labelled_cmb.nii.gz"), from_points([[1, 2, 3]]))


def nifti(path: Path):
    return sources.read_header(path), Volume.read(path), Volume.read(path, np.integer)


def header_of():
    return sources.Header(Path("a.nii"), GRID.shape, (2.0, 2.0, 2.0), GRID.affine)


def named(path: Path):
    """The file's content as a name."""
    name = Path(path.read_bytes().decode(errors="replace").replace("\0", "") or "x")
    return layouts.tool_layout(name), layouts.scan_of(name), bids.is_image(name), _entities(name)


def _entities(name: Path):
    with contextlib.suppress(sources.DatasetError):
        return bids.entities_of(name)


READERS = {
    "nii": ("a.nii", nifti),
    "gz": ("a.nii.gz", nifti),
    "yaml": ("a.yaml", read_parameters),
    "csv": ("a.csv", lambda path: points.read_points(path, GRID)),
    "tsv": ("sub-1_desc-cmb_points.tsv", lambda path: points.read_points(path, GRID)),
    "bids": ("sub-1_desc-cmb_points.tsv", lambda path: bids._points(path, header_of())),
    "mat": ("a.mat", lambda path: points.read_points(path, GRID)),
    "xlsx": ("a.xlsx", points.read_points),
    "fcsv": ("a.fcsv", points.read_points),
    "markups": ("a.mrk.json", points.read_points),
    "summary": (layouts.SUMMARY, layouts.of_summary),
    "boxes": ("a_boxes.json", lambda path: layouts.box_scores(path.with_suffix(".nii.gz"))),
    "census": ("cmb_census.csv", census),
    "sidecar": ("a.json", sources.read_fields),
    "names": ("name", named),
}


def seeds() -> dict[str, list[bytes]]:
    """Good files of each reader."""
    stream = io.BytesIO()
    savemat(stream, {"cen": [[7, 6, 5]]}, do_compression=True)
    book, image = io.BytesIO(), GRID.to_nifti()
    import pandas as pd

    pd.DataFrame({"x_mm": [1], "y_mm": [2], "z_mm": [3]}).to_excel(book, index=False)
    run = {"sid": "a", "centroids": "b.csv", "n_lesions": 1}
    table = b"i,j,k,score,certainty\n1,2,3,0.5,certain\n4,5,6,,\n"
    files = {
        "nii": [image.to_bytes(), nib.Nifti2Image(GRID.data, GRID.affine).to_bytes()],
        "yaml": [(Path(__file__).parent / "params/every_key.yaml").read_bytes(), b"a: [1, {b: c}]"],
        "csv": [table, b"x_mm;y_mm;z_mm\n1,5;2;3\n", b"l,p,s,defined,desc\n1,2,3,1,\n"],
        "tsv": [table.replace(b",", b"\t"), b"x\ty\tz\n1\t2\t3\n"],
        "mat": [stream.getvalue()],
        "xlsx": [book.getvalue()],
        "fcsv": [SLICER],
        "markups": [MARKUPS],
        "summary": [json.dumps({"outputs": [run]}).encode()],
        "boxes": [b'{"1": {"score": 0.5, "box": [1, 2, 3]}}'],
        "census": [b"Biomarker labels,Cluster size\n1,1\n"],
        "sidecar": [b'{"EchoTime": 0.02, "MagneticFieldStrength": "3"}'],
        "names": [b"sub-01_ses-1_desc-cmb_swi.nii.gz", b"x/censyncmb_mask_thr0.5.nii.gz"],
    }
    import gzip

    return files | {"bids": files["tsv"], "gz": [gzip.compress(file) for file in files["nii"]]}


class Fuzz:
    """Runs readers; ``found`` counts each kind of finding."""

    def __init__(self, folder: Path, readers):
        self.folder, self.readers = folder, readers
        self.found: Counter = Counter()
        self.tried: Counter = Counter()

    def once(self, data: bytes) -> None:
        """The first byte picks the reader; what follows is its file."""
        kind = self.readers[data[0] % len(self.readers)] if data else self.readers[0]
        name, read = READERS[kind]
        path = self.folder / name
        path.write_bytes(data[1:])
        self.tried[kind] += 1
        began = time.process_time()
        try:
            read(path)
        except Exception as error:
            if not isinstance(error, ValueError | OSError) or str(self.folder) not in str(error):
                self.tell(kind, error, data[1:])
        if time.process_time() - began > SLOW_S:
            self.tell(kind, TimeoutError(f"over {SLOW_S:g} s"), data[1:])

    def tell(self, kind: str, error: BaseException, data: bytes) -> None:
        frame = next(
            (f for f in reversed(traceback.extract_tb(error.__traceback__)) if "cmbkit" in f[0]),
            None,
        )
        place = f"{Path(frame.filename).name}:{frame.lineno}" if frame else "-"
        known = kind, type(error).__name__, place
        if not self.found[known]:
            print(*known, str(error)[:120].replace("\n", " "), data[:300], sep=" | ", flush=True)
        self.found[known] += 1


def mutated(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """One to four changes: a bit, a cut, a piece twice, a piece of another, an odd word."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(found) + 1), chance.randint(1, 12)
        other = chance.choice(others)
        start = chance.randrange(len(other) + 1)
        piece = chance.choice(
            [bytes(found[at : at + length]), other[start : start + length], chance.choice(ODD)]
        )
        keep = chance.choice([0, 0, length, len(found)])
        if chance.random() < 0.3 and at < len(found):
            found[at] ^= 1 << chance.randrange(8)
        else:
            found[at : at + keep] = piece
    return bytes(found)


ODD = [
    *(b"", b"\0", b"\xff", b"\n", b'"', b",", b"\t", b"1e999", b"nan", b"-1", b"[[", b"{}"),
    *(b"null", b"Infinity", b"[]", b"9" * 5000, b"2001-99-99", b"? [a]\n: b\n", b"<<: 1\n"),
    *(b"[" * 3000, b"&a [*a]", b"x_mm,x_mm ", b"\xff\xfe", b"\xef\xbb\xbf", b"!!int x", b"../"),
]


def _by_atheris(fuzz: Fuzz, start: list[bytes], seconds: float) -> None:
    """libFuzzer ends the process itself."""
    corpus = Path(tempfile.mkdtemp(prefix="corpus-"))
    for number, data in enumerate(start):
        (corpus / str(number)).write_bytes(data)
    options = [f"-max_total_time={seconds:g}", "-max_len=4096", "-rss_limit_mb=4096", str(corpus)]
    atheris.Setup([sys.argv[0], *options], fuzz.once)
    atheris.Fuzz()


def main() -> int:
    seconds, chosen = float(sys.argv[1]), sys.argv[2:] or list(READERS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    good = seeds()
    with tempfile.TemporaryDirectory() as place:
        fuzz = Fuzz(Path(place), chosen)
        start = [bytes([n]) + file for n, kind in enumerate(chosen) for file in good[kind]]
        for data in start:
            fuzz.once(data)
        if atheris:
            _by_atheris(fuzz, start, seconds)
        deadline, chance = time.monotonic() + seconds, random.Random(0)
        while time.monotonic() < deadline:
            data = chance.choice(start)
            fuzz.once(data[:1] + mutated(data[1:], good[chosen[data[0]]], chance))
        print(dict(fuzz.tried), f"{len(fuzz.found)} kinds of findings")
    return int(bool(fuzz.found))


if __name__ == "__main__":
    sys.exit(main())
