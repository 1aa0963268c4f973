"""One scan of DOU's size to the standard grid, beside the same steps with nilearn and numpy.

python benchmarks/standard_grid.py
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
from nilearn.image import resample_img, resample_to_img
from scan import AFFINE, POINTS, SHAPE, dou_scan
from timing import machine, medians, ms, table

from cmbkit.anatomy.brain_mask import brain_mask
from cmbkit.params import Preprocessing
from cmbkit.preprocessing import cleaning, grid, pipeline
from cmbkit.preprocessing.labels import draw_spheres
from cmbkit.records import Acquisition, Annotation, Scan
from cmbkit.volume import Volume

PARAMS = Preprocessing(brain_mask="stand-in")
SEPARATE = {"copy_header": True, "force_resample": True}


def write_scan(folder: Path) -> Scan:
    """The scan as int16 with one NaN-free background, and a mask of spheres, one label each."""
    scan = dou_scan()
    spheres = draw_spheres(Volume(np.empty(SHAPE, bool), AFFINE), POINTS, (1.2, 1.6, 2.0, 2.4, 2.8))
    scan.write(folder / "image.nii.gz", dtype=np.int16)
    Volume(spheres, AFFINE).write(folder / "mask.nii.gz")
    annotation = Annotation("mask", folder / "mask.nii.gz")
    acquisition = Acquisition((0.449, 0.449), 1.0)
    return Scan("RODEJA", "p", "1", "SWI", folder / "image.nii.gz", annotation, acquisition)


def cmbkit_arrays(scan):
    done = pipeline.prepare(scan, PARAMS)
    return done.image, done.lesions, done.brain


def cmbkit_files(scan, folder):
    image, lesions, brain = cmbkit_arrays(scan)
    image.write(folder / "image.nii.gz", dtype=np.int16)
    lesions.write(folder / "lesions.nii.gz")
    brain.write(folder / "brain.nii.gz")


def nilearn_arrays(scan):
    """The steps of chapter 5 in their order, as one writes them with nilearn and numpy."""
    image = nib.load(scan.image)
    data = image.get_fdata(dtype=np.float32)
    data[~np.isfinite(data)] = 0
    drawn = np.asarray(nib.load(scan.annotation.mask_path).dataobj)
    mask = brain_mask(Volume(data, image.affine), "stand-in")[0].data
    used = np.argwhere((mask > 0) | (drawn > 0))
    box = tuple(slice(a, b) for a, b in zip(used.min(0), used.max(0) + 1, strict=True))
    affine = image.affine.copy()
    affine[:3, 3] = nib.affines.apply_affine(image.affine, [s.start for s in box])
    part, brain, lesions = (
        nib.as_closest_canonical(nib.Nifti1Image(values[box], affine))
        for values in (data * mask, mask, drawn)
    )
    shape, target = grid.standard_grid(Volume(part.dataobj, part.affine), PARAMS.spacing_mm)
    low = float(np.min(part.dataobj))
    kind = {"interpolation": "linear", "fill_value": low, **SEPARATE}
    part = resample_img(part, target_affine=target, target_shape=shape, **kind)
    kind = {"interpolation": "nearest", **SEPARATE}
    brain, lesions = (resample_to_img(labels, part, **kind) for labels in (brain, lesions))
    labels = np.array(lesions.dataobj)
    back = np.linalg.inv(target) @ image.affine
    centres = {
        label: nib.affines.apply_affine(back, np.argwhere(drawn == label).mean(axis=0))
        for label in range(1, len(POINTS) + 1)
    }
    cleaning.prune(labels, centres, 2.0)
    cleaning.close(labels, 2)
    if len(np.unique(labels)) != len(POINTS) + 1:
        raise RuntimeError("expected every microbleed to be there still")
    data = part.get_fdata(dtype=np.float32)
    missing = [PARAMS.pad_voxels - n for n in data.shape]
    cube = np.pad(data, [(n // 2, n - n // 2) for n in missing])
    data = (data - cube.mean()) / cube.std()
    return Volume(data, target), Volume(labels, target), Volume(np.asarray(brain.dataobj), target)


def nilearn_files(scan, folder):
    names = ("image", "lesions", "brain")
    for name, volume in zip(names, nilearn_arrays(scan), strict=True):
        dtype = np.int16 if name == "image" else volume.data.dtype
        nib.save(
            nib.Nifti1Image(volume.data, volume.affine, dtype=dtype), folder / f"{name}.nii.gz"
        )


WAYS = {"cmbkit": cmbkit_files, "nilearn": nilearn_files}


def require_same(scan):
    """Same labels and brain in every voxel, images within what linear interpolation allows."""
    ours, theirs = cmbkit_arrays(scan), nilearn_arrays(scan)
    for a, b in zip(ours, theirs, strict=True):
        a.require_same_grid(b)
    gap = np.abs(ours[0].data - theirs[0].data).max() / np.ptp(theirs[0].data)
    others = [int((a.data != b.data).sum()) for a, b in zip(ours[1:], theirs[1:], strict=True)]
    if gap > 1e-5 or any(others):
        raise RuntimeError(f"expected the same result, found {gap:.2g} of the range, {others}")
    return gap


def peak_mib(way: str, folder: Path) -> float:
    """Peak of resident memory beyond what the process held before, in a process of its own."""
    command = [sys.executable, __file__, "--peak", way, str(folder)]
    return float(json.loads(subprocess.check_output(command, text=True)))


def print_peak(way: str, folder: Path):
    def status(key):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024

    annotation = Annotation("mask", folder / "mask.nii.gz")
    acquisition = Acquisition((0.449, 0.449), 1.0)
    scan = Scan("RODEJA", "p", "1", "SWI", folder / "image.nii.gz", annotation, acquisition)
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    WAYS[way](scan, folder / way)
    print(status("VmHWM") - before)


def resampling(scan):
    """Linear resampling of the whole scan alone."""
    native = Volume.read(scan.image).reoriented("RAS")
    shape, target = grid.standard_grid(native, PARAMS.spacing_mm)
    image = nib.Nifti1Image(native.data, native.affine)
    kind = {"interpolation": "linear", **SEPARATE}
    return medians(
        {
            "cmbkit": lambda: grid.resample_linear(native, shape, target, 0.0),
            "nilearn": lambda: resample_img(
                image, target_affine=target, target_shape=shape, **kind
            ),
        },
        3,
    )


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scan = write_scan(folder)
        for way in WAYS:
            (folder / way).mkdir()
        print(machine(), f"\nlargest difference {require_same(scan):.1g} of the range\n")
        cases = {
            "linear resampling, whole scan": resampling(scan),
            "file to arrays": medians(
                {
                    "cmbkit": lambda: cmbkit_arrays(scan),
                    "nilearn": lambda: nilearn_arrays(scan),
                },
                3,
            ),
            "file to files": medians(
                {w: lambda run=run, w=w: run(scan, folder / w) for w, run in WAYS.items()}, 3
            ),
        }
        rows = [
            [case, ms(s["cmbkit"]), ms(s["nilearn"]), f"{s['nilearn'] / s['cmbkit']:.1f}"]
            for case, s in cases.items()
        ]
        peaks = {way: peak_mib(way, folder) for way in WAYS}
        ratio = f"{peaks['nilearn'] / peaks['cmbkit']:.1f}"
        rows.append(
            ["peak memory, file to files", *(f"{p:.0f} MiB" for p in peaks.values()), ratio]
        )
        print(table(["", "cmbkit", "nilearn and numpy", "ratio"], rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        print_peak(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
