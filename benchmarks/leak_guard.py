"""What the guard of region growing does on synthetic scans of a seed of its own; prints a table."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.datasets.registry import read_dataset
from cmbkit.params import Preprocessing
from cmbkit.phantom.cohort import build
from cmbkit.phantom.truth import read_truth, with_truth
from cmbkit.preprocessing.seeds import read_marks
from cmbkit.study.refinement import grown_with_each_setting, true_of
from cmbkit.volume import Volume

SEED, SCANS = 4711, {"CRB": 20, "DOU": 12}


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


def main(folder: Path) -> None:
    """Build the cohort below ``folder`` and print n and shares for each dataset and rule."""
    for dataset, count in SCANS.items():
        build(dataset, count, SEED, folder / dataset, model="physical")
        told = read_truth(folder / dataset)
        scans = [s for s in read_dataset(dataset, folder / dataset) if s.annotation.kind != "none"]
        table = pd.concat([chosen(scan, told) for scan in scans])
        for guard, part in table.groupby("guard"):
            ratio = part["radius_mm"] / part["radius_visible_mm"]
            off = np.exp(np.abs(np.log(ratio)).mean())
            print(f"{dataset} guard={guard}: n {len(part)}, over 2x {(ratio > 2).sum()}, "
                  f"under 0.5x {(ratio < 0.5).sum()}, off by a factor of {off:.2f}")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
