"""Features on a lesion's crop against pyradiomics on the whole volume: equal values, less time.

Run from the repository's root: ``python benchmarks/bench_features.py``. Writes
benchmarks/features.md. The scan has 400^3 voxels of 0.5 mm and 10 microbleeds; pyradiomics
gets the whole volume for the first few of them (it needs seconds for each).
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cmbkit.features import intensity, shape
from cmbkit.features.analytic import analytic_table
from cmbkit.features.describe import describe_lesions
from cmbkit.volume import Volume

SIZE, SPACING, LESIONS, WHOLE = 400, 0.5, 10, 3
SHAPE = {
    "sphericity": "Sphericity",
    "max_diameter_mm": "Maximum3DDiameter",
    "inv_flatness": "Flatness",
    "inv_elongation": "Elongation",
    "surface_mm2": "SurfaceArea",
    "mesh_volume_mm3": "MeshVolume",
    "major_axis_mm": "MajorAxisLength",
    "minor_axis_mm": "MinorAxisLength",
    "least_axis_mm": "LeastAxisLength",
}


def synthetic_scan():
    """Noise with 10 dark ellipsoids in a ball of brain."""
    rng = np.random.default_rng(7)
    image = rng.normal(size=(SIZE,) * 3).astype(np.float32)
    lesions = np.zeros(image.shape, np.uint16)
    near = np.indices((24, 24, 24)) - 12
    for label in range(1, LESIONS + 1):
        corner = rng.integers(100, SIZE - 140, 3)
        axes = rng.uniform(1.5, 6, 3)
        shift = rng.uniform(0, 1, 3)
        blob = (((near - shift[:, None, None, None]) / axes[:, None, None, None]) ** 2).sum(0) <= 1
        box = tuple(slice(c, c + 24) for c in corner)
        lesions[box][blob & (lesions[box] == 0)] = label
    image[lesions > 0] -= 3
    grid = np.arange(SIZE, dtype=np.float32) - SIZE / 2
    away = grid[:, None, None] ** 2 + grid[None, :, None] ** 2 + grid[None, None, :] ** 2
    brain = (away < 170**2).astype(np.uint8)
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    return [Volume(data, affine) for data in (image, lesions, brain, brain * 2)]


def pyradiomics_whole(image, mask, names, kind):
    """Seconds and values of one of pyradiomics' classes on whole SimpleITK images."""
    start = time.perf_counter()
    found = kind(image, mask, label=1, binWidth=intensity.BIN_WIDTH)
    found._initCalculation()
    values = {
        key: float(np.squeeze(getattr(found, f"get{name}FeatureValue")()))
        for key, name in names.items()
    }
    return time.perf_counter() - start, values


def median_time(function, repeats=5):
    """Median seconds of several calls, after one to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def compare():
    """Times per lesion and the largest relative difference."""
    from radiomics.firstorder import RadiomicsFirstOrder
    from radiomics.shape import RadiomicsShape

    image, lesions, brain, labels = synthetic_scan()
    table = describe_lesions(image, lesions, labels, uid="bench", dataset="bench", brain=brain)
    whole_image = sitk.GetImageFromArray(image.data.transpose(2, 1, 0))
    whole_image.SetSpacing([SPACING] * 3)
    extractor = both_classes()
    times, worst = {"shape": [], "first order": [], "extractor": []}, 0.0
    for label in range(1, WHOLE + 1):
        mask = sitk.GetImageFromArray((lesions.data == label).astype(np.uint8).transpose(2, 1, 0))
        mask.SetSpacing([SPACING] * 3)
        row = table.set_index("id").loc[label]
        for name, names, kind in (
            ("shape", SHAPE, RadiomicsShape),
            ("first order", intensity.FIRST_ORDER, RadiomicsFirstOrder),
        ):
            seconds, values = pyradiomics_whole(whole_image, mask, names, kind)
            times[name].append(seconds)
            for key, value in values.items():
                worst = max(worst, abs(row[key] - value) / max(1.0, abs(value)))
        start = time.perf_counter()
        extractor.execute(whole_image, mask)
        times["extractor"].append(time.perf_counter() - start)

    boxes = {}
    for label, (low, high) in find_boxes(lesions).items():
        box = tuple(slice(a - 5, b + 5) for a, b in zip(low, high, strict=True))
        boxes[label] = (image.data[box], lesions.data[box] == label)
    spacing = image.spacing
    crop = {
        "shape": median_time(
            lambda: [shape.shape_features(mask, spacing) for _, mask in boxes.values()]
        ),
        "first order": median_time(
            lambda: [intensity.first_order(data, mask, spacing) for data, mask in boxes.values()]
        ),
    }
    finding = median_time(lambda: find_boxes(lesions))
    everything = {
        "without brain mask": median_time(lambda: row_of_each(image, lesions, labels, None), 3),
        "with brain mask": median_time(lambda: row_of_each(image, lesions, labels, brain), 3),
    }
    whole = {name: statistics.median(found) for name, found in times.items()}
    crop = {name: seconds / LESIONS for name, seconds in crop.items()}
    everything = {name: seconds / LESIONS for name, seconds in everything.items()}
    return whole, crop, finding / LESIONS, everything, worst


def both_classes():
    """pyradiomics' own extractor: it checks the whole mask and then crops by itself."""
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    extractor = RadiomicsFeatureExtractor(binWidth=intensity.BIN_WIDTH)
    extractor.disableAllFeatures()
    extractor.enableFeatureClassByName("shape")
    extractor.enableFeatureClassByName("firstorder")
    return extractor


def find_boxes(lesions):
    """Boxes of all lesions."""
    from cmbkit.preprocessing.grid import label_boxes

    return dict(label_boxes(lesions.data))


def row_of_each(image, lesions, labels, brain):
    """All columns of all lesions."""
    return describe_lesions(image, lesions, labels, uid="bench", dataset="bench", brain=brain)


def report() -> str:
    """The page as Markdown."""
    whole, crop, finding, everything, worst = compare()
    extractor = whole.pop("extractor")
    both_whole, both_crop = sum(whole.values()), sum(crop.values()) + finding
    lines = [
        "# Features of microbleeds: time and values",
        "",
        f"A scan of {SIZE}^3 voxels with {LESIONS} microbleeds; milliseconds per microbleed, "
        "median of several runs in one process. Made by `python benchmarks/bench_features.py`.",
        "",
        "| features | pyradiomics, whole volume | cmbkit, crop | times faster |",
        "|---|---|---|---|",
    ]
    for name in whole:
        lines.append(
            f"| {name} | {1e3 * whole[name]:.0f} | {1e3 * crop[name]:.2f} | "
            f"{whole[name] / crop[name]:.0f} |"
        )
    lines += [
        f"| both, and finding the crops ({1e3 * finding:.1f} ms) | {1e3 * both_whole:.0f} | "
        f"{1e3 * both_crop:.2f} | {both_whole / both_crop:.0f} |",
        f"| both, by pyradiomics' extractor class, which crops by itself | {1e3 * extractor:.0f} | "
        f"{1e3 * both_crop:.2f} | {extractor / both_crop:.0f} |",
        *(
            f"| a whole row (place, shell, axes), {name} | not offered | {1e3 * seconds:.1f} | |"
            for name, seconds in everything.items()
        ),
        "",
        f"Largest difference between the two over all {len(SHAPE)} shape and "
        f"{len(intensity.FIRST_ORDER)} first-order features of {WHOLE} microbleeds, relative to "
        f"the value (absolute below 1): {worst:.1e}.",
        "",
        "## Analytic against computed",
        "",
        "Digitised shapes against their closed form. `allowed` is what the digitisation "
        "explains (`cmbkit.features.analytic.allowed_error`).",
        "",
        "| shape | voxel (mm) | feature | closed form | computed | difference | allowed |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in analytic_table().itertuples():
        numbers = (row.closed_form, row.computed, row.difference, row.allowed)
        texts = " | ".join(f"{0.0 if abs(n) < 5e-7 else n:.4g}" for n in numbers)
        lines.append(f"| {row.shape} | {row.voxel_mm} | {row.feature} | {texts} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = report()
    Path(__file__).with_name("features.md").write_text(text)
    sys.stdout.write(text)
