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
import importlib.util
import re
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from zlib import crc32

import nibabel as nib
import numpy as np
import pandas as pd
from scipy import ndimage

from cmbkit.anatomy.parcellation import parcellate
from cmbkit.evaluation.intervals import wilson
from cmbkit.params import Preprocessing
from cmbkit.prediction.fitness import Fitness
from cmbkit.prediction.fitness_header import judge_header
from cmbkit.prediction.fitness_image import judge_brain, judge_values
from cmbkit.prediction.given_image import read_given
from cmbkit.prediction.one_scan import _scan
from cmbkit.prediction.settings import make_settings
from cmbkit.prediction.sources import Source, find_sources, source_in_memory
from cmbkit.preprocessing.pipeline import prepare
from cmbkit.volume import Volume

CSF = (4, 5, 14, 15, 24, 43, 44, 72, 506)
GREY = (3, 42, 8, 47, 10, 49, 11, 50, 12, 51, 17, 18, 26, 53, 54, 58)
WHITE = (2, 41, 7, 46, 13, 52, 16, 28, 60, 77, 85)
CONTRASTS = {
    "T1-like": (0.2, 0.65, 1.0),
    "T2-like": (2.6, 1.35, 1.0),
    "FLAIR-like": (0.2, 1.2, 1.0),
    "PD-like": (1.15, 1.2, 1.0),
    "CT-like": (1.008, 1.037, 1.028),
}
"""Fluid, grey and white matter; the iron of a pallidum does not show."""
OUTSIDE = {258: 0.4, 502: 0.3, 507: 0.4, 508: 0.4, 509: 0.6, 511: 0.8, 512: 0.7, 514: 0.3, 515: 0.1,
           516: 0.9, 530: 0.6}  # fmt: skip


COLUMNS = ["half", "kind", "made of", "name", "verdict", "why"]


def inside_of(image: Volume) -> np.ndarray:
    """Where there is more than air, smoothed."""
    smooth = ndimage.gaussian_filter(image.data, 2 / image.spacing)
    return smooth > 0.25 * np.percentile(smooth, 98)


def phase(image: Volume, rng) -> Volume:
    """Wrapped, with noise outside."""
    inner = 3 * image.data / image.data.max() * 6 + rng.normal(0, 0.3, image.shape)
    noise = rng.uniform(-np.pi, np.pi, image.shape)
    found = np.where(inside_of(image), np.angle(np.exp(1j * inner)), noise)
    return image.with_data((found * 1000).astype(np.float32))


def filtered_phase(image: Volume, rng) -> Volume:
    """High-pass of the image around 0, 0 outside."""
    detail = image.data - ndimage.gaussian_filter(image.data, 4 / image.spacing)
    return image.with_data(np.where(inside_of(image), -detail, 0).astype(np.float32))


def r2star(image: Volume, rng) -> Volume:
    """1/s of a magnitude that decayed from its brightest, 0 outside."""
    rate = -np.log(np.clip(image.data / image.data.max(), 0.01, 1)) * 40
    return image.with_data(np.where(inside_of(image), rate, 0).astype(np.float32))


def projection(image: Volume, rng) -> Volume:
    """Minimum over 8 mm across the slices, of as many slices."""
    axis = int(np.argmax(image.spacing))
    size = max(2, round(8 / image.spacing[axis]))
    return image.with_data(ndimage.minimum_filter1d(image.data, size, axis=axis))


def inverted(image: Volume, rng) -> Volume:
    """Bright outside."""
    return image.with_data(image.data.max() - image.data)


def inverted_inside(image: Volume, rng) -> Volume:
    """The head inverted, 0 outside."""
    top = np.percentile(image.data, 99.9)
    return image.with_data(np.where(inside_of(image), np.maximum(top - image.data, 0), 0))


def coarse(image: Volume, rng) -> Volume:
    """Voxels of 3 mm."""
    steps = np.maximum(1, np.round(3 / image.spacing)).astype(int)
    smooth = ndimage.uniform_filter(image.data, steps)
    affine = image.affine @ np.diag([*steps, 1.0])
    return Volume(smooth[tuple(slice(n // 2, None, n) for n in steps)], affine)


TRANSFORMED: dict[str, Callable] = {
    "phase": phase, "filtered phase": filtered_phase, "R2* map": r2star, "mIP": projection,
    "inverted": inverted, "inverted, 0 outside": inverted_inside, "EPI of 3 mm": coarse,
}  # fmt: skip


def body(kind: str, rng) -> Volume:
    """A bottle of water, a ball of gel, a leg with two bones, on 1 x 1 x 2 mm."""
    x, y, z = np.indices((200, 220, 90)) - np.array([100, 110, 45]).reshape(3, 1, 1, 1)
    z = 2 * z
    data = np.zeros(x.shape)
    if kind == "bottle":
        data[(x**2 + y**2 < rng.uniform(55, 75) ** 2) & (abs(z) < rng.uniform(60, 85))] = 300
    elif kind == "ball":
        data[x**2 + y**2 + z**2 < rng.uniform(60, 85) ** 2] = 300
    else:
        data[(x / rng.uniform(40, 60)) ** 2 + (y / rng.uniform(45, 65)) ** 2 < 1] = 260
        for at, radius in (((-8, 10), 18), ((20, -12), 8)):
            bone = np.hypot(x - at[0], y - at[1])
            data[bone < radius] = 20
            data[bone < radius - 4] = 420
        for place in rng.uniform([-30, -40, -70], [30, 40, 70], (60, 3)):
            away = sum((a - p) ** 2 for a, p in zip((x, y, z), place, strict=True))
            data[away < rng.uniform(1, 3) ** 2] = 30
    data *= 1 + 0.1 * x / 100
    data = np.hypot(data + rng.normal(0, 10, x.shape), rng.normal(0, 10, x.shape))
    return Volume(data.astype(np.float32), np.diag([1.0, 1.0, 2.0, 1.0]))


def heads_module(folder: Path):
    """heads.py of OTHERWORLD."""
    spec = importlib.util.spec_from_file_location("heads", folder / "heads.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def head(folder: Path, path: Path, kind: str, number: int, seed: int) -> Volume:
    """A person's head of a contrast, whole or stripped by turns."""
    module = heads_module(folder)
    if kind in CONTRASTS:
        csf, grey, white = CONTRASTS[kind]
        module.T2S.clear()
        for labels, value in ((CSF, csf), (GREY, grey), (WHITE, white)):
            module.T2S.update(dict.fromkeys(labels, value))
        module.T2S.update(OUTSIDE)
    rng = np.random.default_rng([seed, number])
    image, brain, affine = module.tissue_and_image(path, rng)
    if number % 4 > 1:
        image = image * ndimage.binary_closing(brain > 0, iterations=3)
    data, affine = module.resample(image, affine, ((0.9, 0.9, 1.5), (0.9, 0.9, 3.0))[number % 2], 1)
    noise = rng.normal(0, 0.03, (2, *data.shape)) * (1 if number % 4 < 2 else data > 0)
    return Volume((800 * np.hypot(data + noise[0], noise[1])).astype(np.float32), affine)


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
    for folder, number, path in scans:
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
            for kind, change in TRANSFORMED.items():
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
        image = Volume.read(given.path)
        found = judge_header(given.fields, "scan", image.spacing) + judge_values(image)
        if found.reasons:
            return found
        done = prepare(_scan(source, given.path), rules)
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
