"""What people hand to `cmbkit predict`: a review's built cases rebuilt, beside what they gave then.

    python benchmarks/inputs.py HEAD STRIPPED --out TSV [--weights FOLDER]

HEAD: a T2*-weighted or SWI scan with skull, as the demo's CRB-like ones; STRIPPED: one without, as
its VALDO-like ones. Prints a row per case; "found": microbleeds, and how many of the reference's
(the first case's) lie where they must, within 2 mm. `inputs.md` holds a run, and how the review's
other cases (DICOM, `cmbkit evaluate`) are tested.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from gate import inside_of, projection, r2star
from scipy import ndimage

from cmbkit.commands.predict import predict_into
from cmbkit.prediction.settings import make_settings
from cmbkit.prediction.sources import find_sources
from cmbkit.volume import Volume

Case = tuple[str, str, Path, np.ndarray | None]
"""Name, what the review saw, the file, and how millimetres of the reference become its own."""
SAME = np.eye(4)


def save(path: Path, data, affine, codes=(1, 1), qform=None, unit="mm") -> Path:
    """Write a NIfTI file; returns its path."""
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine, codes[0])
    image.set_qform(affine if qform is None else qform, codes[1])
    image.header.set_xyzt_units(unit)
    nib.save(image, path)
    return path


def scaled(affine, factor: float) -> np.ndarray:
    """An affine whose millimetres are multiplied."""
    return np.diag([factor, factor, factor, 1]) @ affine


def rotated(degrees: float) -> np.ndarray:
    """About the first axis."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1.0]])


def stored(image, order: str, path: Path) -> Path:
    """The same voxels in another storage order."""
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(order)
    )
    nib.save(image.as_reoriented(turn), path)
    return path


def containers(folder: Path, data, affine) -> Iterator[Case]:
    """Files, storage orders, units, codes and intensities of one scan."""
    image = nib.Nifti1Image(data, affine)
    yield "reference", "12", save(folder / "reference.nii", data, affine), SAME
    for order, before in (("RAS", "12"), ("AIR", "12"), ("SPL", "15"), ("LPI", "15")):
        yield f"stored {order}", before, stored(image, order, folder / f"{order}.nii"), SAME
    plain = (folder / "reference.nii").read_bytes()
    packed = bytearray(gzip.compress(plain, 1))
    for name, before, content in (
        ("upper.NII", "refused", plain),
        ("gz_named.nii", "refused", packed),
        ("packed.nii.bz2", "refused", bz2.compress(plain, 1)),
        ("sum_wrong.nii.gz", "refused", packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]),
    ):
        (folder / name).write_bytes(content)
        yield name, before, folder / name, SAME
    nib.save(nib.Nifti1Pair(data, affine), folder / "pair.hdr")
    yield "pair.hdr", "refused", folder / "pair.hdr", SAME
    sizes = np.diag([*nib.affines.voxel_sizes(affine), 1])
    nib.save(nib.AnalyzeImage(data, sizes), folder / "a.img")
    yield "Analyze", "refused", folder / "a.img", None
    yield "x, y, z, 1, 1", "refused", save(folder / "5d.nii", data[..., None, None], affine), SAME
    mirror = np.diag([-1.0, 1, 1, 1]) @ affine
    for name, before, keys in (
        ("codes 0", "12, no word", {"codes": (0, 0)}),
        ("forms mirrored", "12, no word", {"qform": mirror}),
    ):
        yield name, before, save(folder / f"{name}.nii", data, affine, **keys), None
    turn = rotated(12)
    yield "oblique, 12 degrees", "11", save(folder / "turned.nii", data, turn @ affine), turn
    skew = SAME + np.diag([1e-3, 0, 0], 1)
    yield "cosines off by 1e-3", "12", save(folder / "skew.nii", data, skew @ affine), skew
    for name, before, factor, unit in (
        ("voxels off by 1e-5", "12", 1.00001, "mm"),
        ("metres, said", "constant image", 1e-3, "meter"),
        ("metres, not said", "constant image", 1e-3, "mm"),
        ("microns, said", "MemoryError", 1e3, "micron"),
        ("centimetres, not said", "0, exit 0", 0.1, "mm"),
    ):
        yield (
            name,
            before,
            save(folder / f"{name}.nii", data, scaled(affine, factor), unit=unit),
            SAME,
        )
    yield "affine the identity", "1, exit 0", save(folder / "identity.nii", data, np.eye(4)), None
    values, noise = data.astype(np.float32), np.random.default_rng(0)
    hot, infinite = values.copy(), values.copy()
    hot[tuple(noise.integers(0, data.shape))], infinite[3, 3, 3] = 1e9, np.inf
    for name, before, changed in (
        ("values times 1e6", "12", values * 1e6), ("plus 1000", "4", values + 1000),
        ("minus 1000", "0", values - 1000), ("0 to 1", "12", values / values.max()),
        ("z-scored", "10", (values - values.mean()) / values.std()),
        ("one voxel of 1e9", "refused", hot), ("one voxel infinite", "12", infinite),
    ):  # fmt: skip
        yield name, before, save(folder / f"{name}.nii", changed, affine), SAME


def other_images(folder: Path, data, affine) -> Iterator[Case]:
    """Images made of a scan that are no scan to count on, and scans cut or turned."""
    rng, scan = np.random.default_rng(0), Volume(data.astype(np.float32), affine)
    inside, values = inside_of(scan), scan.data
    detail = values - ndimage.gaussian_filter(values, 4 / scan.spacing)
    wrapped = np.where(
        inside,
        np.angle(np.exp(values / values.max() * 18j)),
        rng.uniform(-np.pi, np.pi, data.shape),
    )
    along = 8 / scan.spacing[2]
    blocks = values[:, :, : int(values.shape[2] // along * along)]
    size = max(2, round(along))
    thick = np.stack(
        [blocks[:, :, k : k + size].min(2) for k in range(0, blocks.shape[2] - size, size)], 2
    )
    x, y, z = np.meshgrid(
        *((np.arange(n) - n / 2) * mm for n, mm in zip(data.shape, scan.spacing, strict=True)),
        indexing="ij",
    )
    bottle = np.where(np.hypot(x, y) < 70, 300 + rng.normal(0, 9, data.shape), 0)
    bubbles, ankle = bottle.copy(), np.where((x / 45) ** 2 + (y / 55) ** 2 < 1, 260.0, 0)
    for cx, cy, r in ((-8, 10, 18), (20, -12, 8)):
        away = np.hypot(x - cx, y - cy)
        ankle[away < r], ankle[away < r - 4] = 20, 420
    for target, count in ((ankle, 60), (bubbles, 80)):
        for p in rng.uniform([-30, -40, -70], [30, 40, 70], (count, 3)):
            target[(x - p[0]) ** 2 + (y - p[1]) ** 2 + (z - p[2]) ** 2 < rng.uniform(1, 3) ** 2] = (
                30
            )
    every = np.array(affine) @ np.diag([1, 1, 2, 1.0])
    half = values.copy()
    half[: data.shape[0] // 2] = 0
    middle = data.shape[2] // 2
    ends = [n // 2 + int(40 / mm) for n, mm in zip(data.shape, scan.spacing, strict=True)]
    crop = values[tuple(slice(n // 2, end) for n, end in zip(data.shape, ends, strict=True))]
    echoes = np.stack([values, values * 0.8, values * 0.6], -1)
    for name, before, changed, grid in (
        ("phase, wrapped", "2", wrapped * 1300, affine),
        ("phase, filtered", "0", (detail / detail.std() * 300 + 2048).clip(0, 4095), affine),
        ("mIP of 8 mm in blocks", "8", thick, np.array(affine) @ np.diag([1, 1, size, 1.0])),
        ("mIP, sliding", "15", projection(scan, rng).data, affine),
        ("inverted in the head", "0", np.where(inside, values.max() - values, 0), affine),
        ("maximum projection", "1", ndimage.maximum_filter1d(values, size, axis=2), affine),
        ("R2* map", "0, no word", r2star(scan, rng).data, affine),
        ("a brain mask as the scan", "0", inside.astype(np.float32), affine),
        ("a probability map", "1", ndimage.gaussian_filter(inside.astype(np.float32), 3), affine),
        ("every second slice", "14", values[:, :, ::2], every),
        ("one slice", "refused", values[:, :, middle : middle + 1], affine),
        ("8 slices", "1", values[:, :, middle : middle + 8], affine),
        ("half a head", "2, no word", half, affine),
        ("crop of 40 mm", "0", crop, affine),
        ("ankle", "41, no word", np.hypot(ankle, rng.normal(0, 12, data.shape)), affine),
        ("water bottle", "0", bottle, affine),
        ("bottle with bubbles", "78", bubbles, affine),
        ("4D of three echoes", "refused", echoes, affine),
        ("slices upside down", "14", values[:, :, ::-1], affine),
        ("mirrored against its header", "13", values[::-1], affine),
        ("axes swapped", "0", values.transpose(2, 1, 0), affine),
    ):  # fmt: skip
        yield name, before, save(folder / f"{name}.nii", changed.astype(np.float32), grid), None
    waves = bytearray(
        nib.Nifti1Image((values * np.exp(1j * values / 50)).astype("c8"), affine).to_bytes()
    )
    struct.pack_into("<2f", waves, 112, 2.0, 0.0)
    (folder / "complex.nii").write_bytes(waves)
    yield "complex with a slope", "4", folder / "complex.nii", None


def stripped(folder: Path, data, affine) -> Iterator[Case]:
    """A skull-stripped scan: backgrounds, kinds of image, units."""
    values = data.astype(np.float32)
    brain = np.isfinite(values) & (values != 0)
    clean, rng = np.where(brain, values, 0), np.random.default_rng(0)
    spread = (clean - clean[brain].mean()) / clean[brain].std()
    rate = np.where(brain, -np.log(np.clip(clean / clean.max(), 0.01, 1)) * 40, 0)
    high = np.where(brain, ndimage.gaussian_filter(clean, 4) - clean, 0)
    holes = clean.copy()
    holes[tuple(rng.permutation(np.argwhere(brain))[:20000].T)] = np.nan
    top = np.where(clean > np.percentile(clean[brain], 99.9), np.inf, clean)
    for name, before, changed, where, grid in (
        ("background not a number", "20", np.where(brain, clean, np.nan), SAME, affine),
        ("background -1000", "21", np.where(brain, clean, -1000), SAME, affine),
        ("z-scored, background 0", "19", np.where(brain, spread, 0), SAME, affine),
        ("smoothed edge", "22", ndimage.gaussian_filter(clean, 0.7), SAME, affine),
        ("20,000 voxels not a number", "20", holes, SAME, affine),
        ("brightest infinite", "20", top, SAME, affine),
        ("R2* map", "0, no word", rate, None, affine),
        ("filtered phase", "0, no word", high, None, affine),
        ("filtered phase, other sign", "26, no word", -high, None, affine),
        ("QSM", "0, no word", high / 1000, None, affine),
        ("affine the identity", "15", clean, None, np.eye(4)),
        ("centimetres, not said", "0, exit 0", clean, None, scaled(affine, 0.1)),
    ):  # fmt: skip
        path = save(folder / f"s {name}.nii", changed.astype(np.float32), grid)
        yield f"stripped: {name}", before, path, where


def answer(path: Path, settings, out: Path) -> tuple[str, str, np.ndarray]:
    """Verdict or status, what is said, and the microbleeds' places (mm)."""
    source = find_sources([path])[0]
    done = predict_into(source, settings, out, force=True)
    said = done.problem or done.notes
    places = np.empty((0, 3))
    if done.microbleeds:
        table = pd.read_csv(out / source.name / "microbleeds.tsv", sep="\t")
        places = table[["x_mm", "y_mm", "z_mm"]].to_numpy()
    found = "" if done.microbleeds is None else f"{done.microbleeds}, "
    verdict = done.fitness if done.status == "done" else done.status
    return found + verdict, said.replace(str(path.parent), ""), places


def main() -> None:
    """A row per case, written as they come."""
    parser = argparse.ArgumentParser()
    parser.add_argument("head", type=Path)
    parser.add_argument("stripped", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", default="compact")
    given = parser.parse_args()
    settings, rows = make_settings(given.weights), []
    for path, groups in ((given.head, (containers, other_images)), (given.stripped, (stripped,))):
        image, reference = nib.load(path), None
        for group in groups:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                for case, before, file, moved in group(
                    folder, image.get_fdata(dtype=np.float32), image.affine
                ):
                    now, said, places = answer(file, settings, folder / "out")
                    reference = places if reference is None else reference
                    there = ""
                    if moved is not None and len(places) and len(reference):
                        wanted = nib.affines.apply_affine(moved, reference)
                        near = np.linalg.norm(wanted[:, None] - places[None], axis=2).min(1) < 2
                        there = f"{near.sum()} of {len(reference)}"
                    rows.append((case, before, now, there, said))
                    pd.DataFrame(rows, columns=["case", "review", "now", "places", "said"]).to_csv(
                        given.out, sep="\t", index=False
                    )
                    file.unlink()


if __name__ == "__main__":
    main()
