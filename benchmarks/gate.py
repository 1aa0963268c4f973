"""The gate before the count: scans that are fit, and images that are not, through its rules.

    python benchmarks/gate.py SCANS... [--otherworld FOLDER] [--real FOLDER] [--seed 1] [--out TSV]
    python benchmarks/gate.py --count TSV development|apart

SCANS: folders of scans that are fit, as the demo's cohort (data/raw/demo/synthetic); wrong images
are made of every third of them. ``--otherworld``: folder with heads.py and label maps of people
(../shared/otherworld), of which heads of other contrasts are made; ``--real``: ../shared/real.
No header says anything here but in the real DICOM series: the image alone has to tell. Scans 0, 3,
4, 7, 8 ... of each folder, and what is made of them, are for development, the others kept apart;
``--count`` shows one of these halves of a finished run.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

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

CSF, GREY = (4, 5, 14, 15, 24, 43, 44, 72, 506), (3, 42, 8, 47, 10, 49, 11, 50, 12, 51, 17, 18, 26,
                                                 53, 54, 58)  # fmt: skip
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


def contrasts(folder: Path, seed: int) -> Iterator[tuple[str, str, int, Volume]]:
    """T2*-like heads and two other contrasts by turns of each person, whole or stripped."""
    module = heads_module(folder)
    t2star = dict(module.T2S)
    tables = {"T2*-like head": t2star} | {
        kind: {**OUTSIDE, **dict.fromkeys(CSF, csf), **dict.fromkeys(GREY, grey),
               **dict.fromkeys(WHITE, white)}
        for kind, (csf, grey, white) in CONTRASTS.items()
    }  # fmt: skip
    for number, path in enumerate(sorted((folder / "labels").glob("*.nii.gz"))):
        turns = [list(CONTRASTS)[(2 * number + k) % len(CONTRASTS)] for k in (0, 1)]
        for kind in ("T2*-like head", *turns):
            table = tables[kind]
            module.T2S.clear()
            module.T2S.update(table)
            rng = np.random.default_rng([seed, number])
            image, brain, affine = module.tissue_and_image(path, rng)
            if number % 4 > 1:
                image = image * ndimage.binary_closing(brain > 0, iterations=3)
            data, affine = module.resample(
                image, affine, ((0.9, 0.9, 1.5), (0.9, 0.9, 3.0))[number % 2], 1
            )
            noise = rng.normal(0, 0.03, (2, *data.shape)) * (1 if number % 4 < 2 else data > 0)
            data = 800 * np.hypot(data + noise[0], noise[1])
            yield kind, path.stem, number, Volume(data.astype(np.float32), affine)


def scans_of(folder: Path, every: int) -> list[Path]:
    """Every n-th image, no mask, of all datasets below a folder."""
    masks = re.compile(r"segmentations|_CMB\.nii|mask\.nii")
    return [p for p in sorted(folder.rglob("*.nii*")) if not masks.search(str(p))][::every]


def cases(given) -> Iterator[tuple[str, str, int, Source]]:
    """Kind, what it was made of, number within its folder, and the scan."""
    scans = [(f, n, p) for f in given.scans for n, p in enumerate(scans_of(f, given.every))]
    for folder, number, path in scans:
        kind = "mIP" if "_mip" in path.parent.parent.name else f"fit: {folder.name}"
        kind = "phase" if "_PHASE" in path.name else kind
        yield kind, path.name, number, Source("scan", path, (path,))
    if given.real:
        for number, source in enumerate(find_sources([given.real / "nifti"])):
            kind = "phase" if "phase" in source.name else "fit: real T2*"
            yield kind, source.name, number, source if kind != "phase" else _first_echo(source)
        for number, source in enumerate(find_sources([given.real / "dicom"])):
            kind = "phase" if "phase" in source.name else "coarse field map"
            yield kind, source.name, number, source
    rng = np.random.default_rng(given.seed)
    third = [each[2] for each in scans if "_PHASE" not in each[2].name][::3]
    for number, path in enumerate(third):
        image = Volume.read(path)
        image = image.with_data(np.nan_to_num(image.data))
        for kind, change in TRANSFORMED.items():
            yield kind, path.name, number, source_in_memory(change(image, rng))
    for kind in ("bottle", "ball", "leg"):
        for number in range(4):
            yield kind, str(number), number, source_in_memory(body(kind, rng))
    if given.otherworld:
        for kind, name, number, image in contrasts(given.otherworld, given.seed):
            label = f"fit: {kind}" if kind.startswith("T2*") else kind
            yield label, name, number, source_in_memory(image)


def _first_echo(source: Source) -> Source:
    import nibabel as nib

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
    for what, hit, among in (
        ("wrong, but fit", table["verdict"].eq("fit"), ~fit),
        ("fit, but refused", table["verdict"].eq("unfit"), fit),
        ("fit, but doubted", table["verdict"].eq("doubtful"), fit),
    ):
        found, n = int((hit & among).sum()), int(among.sum())
        low, high = wilson(found, n)
        share, low, high = (100 * value for value in (found / n, low, high))
        print(f"{what}: {found} of {n}, {share:.1f} % [{low:.1f}, {high:.1f}]")


def main() -> None:
    """Print a row per case, and at the end the table; or count a half of a finished run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scans", type=Path, nargs="*")
    parser.add_argument("--count", nargs=2, metavar=("TSV", "HALF"))
    parser.add_argument("--otherworld", type=Path)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--every", type=int, default=5, help="Every nth scan of a folder.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("gate.tsv"))
    given = parser.parse_args()
    if given.count:
        table = pd.read_csv(given.count[0], sep="\t", dtype=str)
        return count(table[table["half"] == given.count[1]])
    rules = make_settings().preprocessing
    rows = []
    for kind, name, number, source in cases(given):
        half = "development" if number % 4 in (0, 3) else "apart"
        try:
            found = judged(source, rules)
            verdict, why = found.verdict, "; ".join(found.reasons)
        except (ValueError, RuntimeError) as error:
            verdict, why = "unfit", f"error: {str(error)[-90:]}"
        rows.append((half, kind, name, verdict, why))
        table = pd.DataFrame(rows, columns=["half", "kind", "made of", "verdict", "why"])
        table.to_csv(given.out, sep="\t", index=False)


if __name__ == "__main__":
    main()
