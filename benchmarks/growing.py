"""Region growing on a scan of DOU's size, beside plain Python, scikit-image and SimpleITK.

python benchmarks/growing.py
"""

import time

import numpy as np
import plain_growing
import SimpleITK as sitk
from scan import POINTS, dou_scan, sharp_ball
from skimage.segmentation import flood
from timing import machine, medians, ms, table

from cmbkit.params import Preprocessing
from cmbkit.preprocessing import region_growing as rg
from cmbkit.preprocessing.growing_kernels import breadth_first


def automatic_choice(params):
    """Eight settings, every tolerance: compiled against plain Python, the same voxels."""
    scan, rows = dou_scan(), []
    spacing = tuple(scan.spacing)
    for point in POINTS:
        compiled = medians({"compiled": lambda p=point: rg.grow_study(scan, [p], params)}, 15)
        start = time.process_time()
        setting, tolerance, region = plain_growing.automatic(scan.data, point, params, spacing)
        plain = time.process_time() - start
        (found,) = rg.grow_study(scan, [point], params)
        voxels = set(map(tuple, (np.argwhere(found.region) + found.origin).tolist()))
        if (setting, tolerance) != (found.setting, found.tolerance) or voxels != region:
            raise RuntimeError(f"{point}: expected the same region, found another")
        seconds = compiled["compiled"]
        rows.append([point, len(region), ms(seconds), ms(plain), f"{plain / seconds:.0f}"])
        rows[-1] += [seconds, plain]
    seconds, plain = np.median([row[5:] for row in rows], axis=0)
    rows.append(["median", "", ms(seconds), ms(plain), f"{plain / seconds:.0f}"])
    columns = ["CMB", "voxels", "cmbkit", "plain Python", "ratio"]
    return table(columns, [row[:5] for row in rows])


def one_tolerance(params):
    """One tolerance where all three compute the same region (README: exactly when)."""
    scan, point, tolerance = sharp_ball()
    cap = rg.size_cap(scan.voxel_volume_mm3, params.growing_max_radius_mm)
    rows = []
    low = np.array(point) - (23, 23, 10)
    part = scan.data[tuple(slice(a, a + n) for a, n in zip(low, (47, 47, 21), strict=True))]
    for name, data, seed in (
        ("whole scan", np.ascontiguousarray(scan.data), point),
        ("box of 21 mm", np.ascontiguousarray(part), tuple((np.array(point) - low).tolist())),
    ):
        value = float(data[seed])
        image, there = sitk.GetImageFromArray(data), [int(v) for v in seed[::-1]]

        def ours(data=data, seed=seed):
            values, allowed, seeds, origin = rg._box(data, seed, scan.spacing, 10.0)
            offsets = rg.neighbour_offsets(6)
            region, *_ = breadth_first(
                values, allowed, seeds, offsets, tolerance, False, False, cap
            )
            full = np.zeros(data.shape, bool)
            full[tuple(slice(o, o + n) for o, n in zip(origin, region.shape, strict=True))] = region
            return full

        def skimage(data=data, seed=seed):
            return flood(data, seed, connectivity=1, tolerance=tolerance)

        def simpleitk(image=image, there=there, value=value):
            return sitk.ConnectedThreshold(image, [there], value - tolerance, value + tolerance)

        masks = [ours(), skimage(), sitk.GetArrayFromImage(simpleitk()) > 0]
        if any((mask != masks[0]).any() for mask in masks):
            raise RuntimeError(f"{name}: expected three equal regions")
        found = medians({"cmbkit": ours, "scikit-image": skimage, "SimpleITK": simpleitk}, 15)
        others = [f"{ms(s)} ({s / found['cmbkit']:.1f}x)" for s in list(found.values())[1:]]
        rows.append([name, int(masks[0].sum()), ms(found["cmbkit"]), *others])
    return table(["", "voxels", "cmbkit", "scikit-image flood", "SimpleITK"], rows)


if __name__ == "__main__":
    settings = Preprocessing()
    print(machine(), "\n\nAutomatic choice for one CMB\n", sep="\n")
    print(automatic_choice(settings))
    print("\nOne tolerance\n")
    print(one_tolerance(settings))
