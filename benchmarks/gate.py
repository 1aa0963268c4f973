"""The gate before the count: scans that are fit, and images that are not, through its rules.

    python benchmarks/gate.py SCANS... [--otherworld FOLDER] [--real FOLDER] [--seed 1] [--out TSV]
    python benchmarks/gate.py --count TSV development|apart|both

SCANS: folders of scans that are fit, as the demo's cohort (data/raw/demo/synthetic), a folder in
them for each dataset; wrong images are made of every third scan. ``--otherworld``: folder with
heads.py and label maps of people (../shared/otherworld), of which heads of other contrasts are
made; ``--real``: ../shared/real. No header says anything here but in the real DICOM series: the
image alone has to tell. Scans 0, 3, 4, 7, 8 ... of each folder, and what is made of them, are for
development, the others kept apart; ``--count`` shows one of these halves or both, by images and by
what they are made of. Started again with the same TSV, a run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from zlib import crc32

import nibabel as nib
import numpy as np
import pandas as pd
from wrong_images import CONTRASTS, FURTHER, TRANSFORMED, body, head

from cmbkit.anatomy.parcellation import parcellate
from cmbkit.evaluation.intervals import wilson
from cmbkit.params import Preprocessing
from cmbkit.prediction.fitness import Fitness
from cmbkit.prediction.fitness_header import judge_header
from cmbkit.prediction.fitness_image import judge_brain, judge_values
from cmbkit.prediction.one_scan import _scan, read_given
from cmbkit.prediction.settings import make_settings
from cmbkit.prediction.sources import Source, find_sources, source_in_memory
from cmbkit.preprocessing.pipeline import prepare
from cmbkit.volume import Volume

COLUMNS = ["half", "kind", "made of", "name", "verdict", "why"]


def scans_of(folder: Path, every: int) -> list[Path]:
    """Every n-th image, no mask, of all datasets below a folder."""
    masks = re.compile(r"segmentations|_CMB\.nii|mask\.nii")
    return [p for p in sorted(folder.rglob("*.nii*")) if not masks.search(str(p))][::every]


def made_of(folder: Path, path: Path) -> str:
    """Folder, dataset and patient of a phantom scan; a simulated one is its original's."""
    dataset = path.relative_to(folder).parts[0].removeprefix("s")
    return f"{folder.parent.name} {dataset} {re.match(r'[a-z-]*[0-9]+', path.name)[0]}"


def cases(given) -> Iterator[tuple[str, str, str, int, Callable[[], Source]]]:
    """Kind, what it was made of, name, number within its folder, and what makes the scan."""
    scans = [(f, n, p) for f in given.scans for n, p in enumerate(scans_of(f, given.every))]
    for folder, number, path in () if given.further else scans:
        kind = f"fit: {path.relative_to(folder).parts[0]}"
        kind = "mIP" if "_mip/" in str(path) else "phase" if "_PHASE" in path.name else kind
        yield kind, made_of(folder, path), path.name, number, partial(Source, "scan", path, (path,))
    for kind in ("nifti", "dicom") if given.real else ():
        for number, source in enumerate(find_sources([given.real / kind])):
            phased, name = "phase" in source.name, source.name
            what = "fit: real T2*" if kind == "nifti" else "coarse field map"
            made = partial(_first_echo if phased and kind == "nifti" else _same, source)
            yield "phase" if phased else what, name, name, number, made
    for folder in given.scans:
        whole = [p for p in scans_of(folder, given.every) if "_PHASE" not in p.name]
        for number, path in enumerate(whole[:: given.changed]):
            origin = made_of(folder, path)
            for kind, change in (FURTHER if given.further else TRANSFORMED).items():
                rng = rng_of(given.seed, kind, origin, path.name)
                yield kind, origin, path.name, number, partial(_changed, path, change, rng)
    for kind in ("bottle", "ball", "leg"):
        for number in range(given.bodies):
            made = partial(_in_memory, body, kind, rng_of(given.seed, kind, number))
            yield kind, f"{kind} {number}", kind, number, made
    paths = sorted((given.otherworld / "labels").glob("*.nii.gz")) if given.otherworld else []
    for number, path in enumerate(paths):
        turns = [list(CONTRASTS)[(2 * number + k) % len(CONTRASTS)] for k in (0, 1)]
        for kind in ("fit: T2*-like head", *turns):
            made = partial(_in_memory, head, given.otherworld, path, kind, number, given.seed)
            yield kind, path.stem, kind, number, made


def rng_of(seed: int, *words) -> np.random.Generator:
    """The same for a case whatever was judged before it."""
    return np.random.default_rng([seed, crc32(repr(words).encode())])


def _same(source: Source) -> Source:
    return source


def _in_memory(make: Callable[..., Volume], *values) -> Source:
    return source_in_memory(make(*values))


def _changed(path: Path, change: Callable, rng) -> Source:
    image = Volume.read(path)
    return source_in_memory(change(image.with_data(np.nan_to_num(image.data)), rng))


def _first_echo(source: Source) -> Source:
    image = nib.load(source.path)
    return source_in_memory(Volume(np.asarray(image.dataobj)[..., 0], image.affine))


def judged(source: Source, rules: Preprocessing) -> Fitness:
    """The gate's answer; the brain is looked at only where nothing spoke against a scan before."""
    with tempfile.TemporaryDirectory() as folder:
        given = read_given(source, None, Path(folder))
        image = Volume.read(given.image)
        found = judge_header(given.fields, "scan", image.spacing) + judge_values(image)
        if found.reasons:
            return found
        done = prepare(_scan(source, given.image), rules)
        labels, _ = parcellate(done.image, done.brain, registration=rules.atlas_registration)
        return judge_brain(done.image, done.brain, labels, done.record["background_value"])


def count(table: pd.DataFrame) -> None:
    """Print a table by kind, then wrong images called fit and fit ones refused, with intervals."""
    print(pd.crosstab(table["kind"], table["verdict"]).to_string())
    fit = table["kind"].str.startswith("fit:")
    for what, verdict, among in (
        ("wrong, but fit", "fit", table[~fit]),
        ("fit, but refused", "unfit", table[fit]),
        ("fit, but doubted", "doubtful", table[fit]),
    ):
        hit = among["verdict"].eq(verdict)
        for unit, hits in (("images", hit), ("sources", hit.groupby(among["made of"]).any())):
            found, n = int(hits.sum()), len(hits)
            low, high = (100 * value for value in wilson(found, n))
            share = 100 * found / n
            print(f"{what}: {found} of {n} {unit}, {share:.1f} % [{low:.1f}, {high:.1f}]")


def finished(out: Path) -> pd.DataFrame:
    """Rows judged so far; of a case that two processes judged, one."""
    if not out.is_file():
        out.write_text("\t".join(COLUMNS) + "\n")
    table = pd.read_csv(out, sep="\t", dtype=str, keep_default_na=False)
    return table.drop_duplicates(COLUMNS[:4])


def main() -> None:
    """Add a row per case that is not in the table yet; or count a finished run or a half of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scans", type=Path, nargs="*")
    parser.add_argument("--count", nargs=2, metavar=("TSV", "HALF"))
    parser.add_argument("--otherworld", type=Path)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--every", type=int, default=5, help="Every nth scan of a folder.")
    parser.add_argument("--changed", type=int, default=3, help="Wrong images of every nth of them.")
    parser.add_argument("--further", action="store_true", help="Images of kinds without a rule.")
    parser.add_argument("--bodies", type=int, default=4, help="Bodies of each kind.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("gate.tsv"))
    parser.add_argument("--backwards", action="store_true", help="For a second process.")
    given = parser.parse_args()
    if given.count:
        table = finished(Path(given.count[0]))
        return count(table if given.count[1] == "both" else table[table["half"] == given.count[1]])
    rules = make_settings().preprocessing
    for kind, origin, name, number, make in list(cases(given))[:: -1 if given.backwards else 1]:
        half = "development" if number % 4 in (0, 3) else "apart"
        done = finished(given.out)[COLUMNS[:4]]
        if (done == [half, kind, origin, name]).all(axis=1).any():
            continue
        try:
            found = judged(make(), rules)
            verdict, why = found.verdict, "; ".join(found.reasons)
        except (ValueError, RuntimeError) as error:
            verdict, why = "unfit", f"error: {' '.join(str(error).split())[-90:]}"
        with given.out.open("a") as file:
            file.write("\t".join((half, kind, origin, name, verdict, why)) + "\n")


if __name__ == "__main__":
    main()
