"""Preprocessing of many scans: time and peak memory per scan, in 1 and 2 worker processes.

Run from the repository's root: ``python benchmarks/bench_scale.py``. Writes benchmarks/scale.md.
Every scan is a copy of one of DOU's size with five microbleeds (`scan.py`), preprocessed as
published (0.5 mm): region growing, brain, atlas, standard grid, files. ``--scans 1 10 50`` asks
for other numbers. Each case runs in a process of its own with a cache of its own.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from scan import POINTS, dou_scan
from timing import machine, table

from cmbkit.params import Preprocessing
from cmbkit.records import Acquisition, Annotation, Scan
from cmbkit.running.cache import Cache
from cmbkit.running.map_scans import map_scans
from cmbkit.running.outcomes import ONE_THREAD
from cmbkit.study.cohort import preprocess_cached

THESIS_SCANS = 5000
PARAMS = Preprocessing(brain_mask="stand-in", parcellation="stand-in")


def one_scan(cache: Cache, scan: Scan) -> dict:
    """Preprocess a scan; seconds by the clock and on the processor, this process's peak memory."""
    clock, processor = time.perf_counter(), time.process_time()
    folder = preprocess_cached(cache, PARAMS, scan)
    return {
        "clock_s": time.perf_counter() - clock,
        "processor_s": time.process_time() - processor,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "written_mb": sum(p.stat().st_size for p in folder.iterdir()) / 1e6,
        "worker": os.getpid(),
    }


def measure(image: Path, folder: Path, count: int, workers: int) -> dict:
    """Map over ``count`` scans, then once more with everything in the cache."""
    annotation = Annotation("points", points=POINTS)
    acquisition = Acquisition((0.449, 0.449), 1.0)
    scans = [
        Scan("DOU", name, name, "SWI", image, annotation, acquisition)
        for name in (f"{n:02d}" for n in range(count))
    ]
    function = partial(one_scan, Cache(folder))
    start = time.perf_counter()
    done = map_scans(function, scans, step="scale", workers=workers)
    middle = time.perf_counter()
    map_scans(function, scans, step="scale again", workers=1)
    return {
        "clock_s": middle - start,
        "again_s": time.perf_counter() - middle,
        "processor_s": float(np.median([d["processor_s"] for d in done])),
        "first_mib": done[0]["peak_mib"],
        "peak_mib": max(d["peak_mib"] for d in done),
        "written_mb": float(np.median([d["written_mb"] for d in done])),
        "workers": len({d["worker"] for d in done}),
    }


def page(found: dict[tuple[int, int], dict], read_mb: float) -> str:
    """The measurements and what they mean for the thesis's cohort, as Markdown."""
    rows = [
        [
            *(count, workers, f"{m['clock_s']:.1f}", f"{m['clock_s'] / count:.1f}"),
            *(f"{m['processor_s']:.1f}", f"{m['first_mib']:.0f}", f"{m['peak_mib']:.0f}"),
            f"{m['again_s'] / count:.2f}",
        ]
        for (count, workers), m in found.items()
    ]
    columns = ["scans", "workers", "s in all", "s per scan", "processor s per scan, median"]
    columns += ["peak MiB after the first scan", "peak MiB after the last", "s per scan, cached"]
    largest = found[max(key for key in found if key[1] == 1)]
    hours = THESIS_SCANS * largest["processor_s"] / 3600
    rates = [[w, f"{hours / w:.1f} h", f"{w * largest['peak_mib'] / 1024:.0f} GiB"]
             for w in (2, 8, 40)]  # fmt: skip
    text = [
        "# Many scans: time and memory",
        "",
        "Preprocessing of copies of one scan of 512 x 512 x 150 voxels with five microbleeds to "
        "0.5 mm (region growing, brain, atlas, resampling, files), mapped by "
        "`cmbkit.running.map_scans.map_scans`; one thread per worker. Made by "
        f"`python benchmarks/bench_scale.py`; {machine()}; 2 cores; "
        "the processor's time says more than the clock's.",
        "",
        table(columns, rows),
        "",
        "Peak memory is the largest resident size that a worker has had so far; 1 worker is the "
        "calling process. The processor's time of a single scan has what a process needs once in "
        "it (imports, compiled functions, atlas). The last column is a second run, with every "
        "result in the cache.",
        "",
        f"## {THESIS_SCANS:,} scans",
        "",
        "Computed from the row with 1 worker and most scans, not measured: processor time times "
        "scans, shared evenly among the workers, each with a core and a disk that keeps up.",
        "",
        table(["workers", "time", "memory"], rates),
        "",
        f"Standard scans on disk: {THESIS_SCANS * largest['written_mb'] / 1e3:.0f} GB "
        f"({largest['written_mb']:.0f} MB each). The thesis's 220 GB over {THESIS_SCANS:,} scans "
        f"are 44 MB a scan; the one here has {read_mb:.0f} MB unpacked, so these times are for "
        "scans larger than its average.",
    ]
    return "\n".join(text) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scans", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--case", nargs=4)
    options = parser.parse_args()
    if options.case:
        image, folder, count, workers = options.case
        print(json.dumps(measure(Path(image), Path(folder), int(count), int(workers))))
        return
    found = {}
    with tempfile.TemporaryDirectory() as name:
        image = dou_scan().write(Path(name) / "image.nii.gz", dtype=np.int16)
        for count in options.scans:
            for workers in (1, 2) if count > 1 else (1,):
                with tempfile.TemporaryDirectory(dir=name) as folder:
                    case = ["--case", str(image), folder, str(count), str(workers)]
                    command = [sys.executable, __file__, *case]
                    said = subprocess.check_output(command, env=os.environ | ONE_THREAD, text=True)
                found[count, workers] = json.loads(said.splitlines()[-1])
                print(count, workers, found[count, workers], file=sys.stderr, flush=True)
    text = page(found, 512 * 512 * 150 * 2 / 1e6)
    Path(__file__).with_name("scale.md").write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
