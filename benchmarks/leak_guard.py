"""What the guard of region growing does on synthetic scans of a seed of its own and on implants.

``python benchmarks/leak_guard.py FOLDER [SEED]`` prints a table, and refined radii in a real scan.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.ball import ball_radius
from cmbkit.datasets.registry import read_dataset
from cmbkit.params import Preprocessing
from cmbkit.phantom.cohort import build
from cmbkit.phantom.implant import implant
from cmbkit.phantom.truth import read_truth, with_truth
from cmbkit.preprocessing.region_growing import grow_study
from cmbkit.preprocessing.seeds import read_marks
from cmbkit.study.real_scan import RADII_MM, implant_places, read_example
from cmbkit.study.refinement import grown_with_each_setting, true_of
from cmbkit.volume import Volume

SEED, SCANS = 4711, {"CRB": 20, "DOU": 12}
IMPLANT_SEEDS = (2024, *range(11, 17))  # the demo's first


def chosen(scan, told) -> pd.DataFrame:
    """Microbleeds of one scan with the setting that is biggest, by both rules."""
    image, params = Volume.read(scan.image), Preprocessing()
    table = grown_with_each_setting(scan, params)
    centres = [image.to_mm(centre) for centre in read_marks(scan, image, params).centres]
    places = pd.DataFrame(centres, columns=["x_mm", "y_mm", "z_mm"])
    places = with_truth(places.assign(id=np.arange(1, len(places) + 1)), true_of(scan, told))
    table = table.merge(places, on="id")
    names = ["guard", "connectivity", "reference", "difference"]
    volume = (table["radius_mm"] ** 3).groupby([table[n] for n in names]).sum()
    best = volume.groupby("guard").idxmax()
    return table.set_index(names).loc[best.tolist()].reset_index()


def implanted(seed: int) -> pd.DataFrame:
    """Radii (mm) of the implants of notebook 05 in the real scan, refined with, without guard."""
    image = read_example()
    places = implant_places(image, len(RADII_MM), seed)
    radii = np.array(RADII_MM[: len(places)])
    made = implant(image, places, radii, np.random.default_rng(seed))
    made = made.with_data(np.rint(made.data))
    columns = {
        guard: [
            ball_radius(growth.n_voxels * made.voxel_volume_mm3)
            for growth in grow_study(made, list(places), Preprocessing(growing_guard=guard))
        ]
        for guard in (False, True)
    }
    return pd.DataFrame(columns).assign(radius_mm=radii, seed=seed)


def main(folder: Path, seed: int = SEED) -> None:
    """Build the cohort below ``folder`` and print n and shares for each dataset and rule."""
    for dataset, count in SCANS.items():
        build(dataset, count, seed, folder / dataset, model="physical")
        told = read_truth(folder / dataset)
        scans = [s for s in read_dataset(dataset, folder / dataset) if s.annotation.kind != "none"]
        table = pd.concat([chosen(scan, told) for scan in scans])
        for guard, part in table.groupby("guard"):
            ratio = part["radius_mm"] / part["radius_visible_mm"]
            off = np.exp(np.abs(np.log(ratio)).mean())
            print(f"{dataset} guard={guard}: n {len(part)}, over 2x {(ratio > 2).sum()}, "
                  f"under 0.5x {(ratio < 0.5).sum()}, off by a factor of {off:.2f}")  # fmt: skip
    table = pd.concat([implanted(seed) for seed in IMPLANT_SEEDS])
    print(table[table["seed"] == IMPLANT_SEEDS[0]].round(1).to_string(index=False))
    others = table[table["seed"] != IMPLANT_SEEDS[0]]
    for guard in (False, True):
        off = np.abs(np.log(others[guard] / others["radius_mm"]))
        print(f"guard={guard}: off by a factor of", np.exp(off.groupby(others["radius_mm"]).mean()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
