"""Does the stand-in parcellation put a synthetic cohort's microbleeds into the right region?

Run from the repository's root after ``cmbkit reproduce params/demo.yaml``:
``python benchmarks/bench_parcellation.py``. Reads data/raw/demo/synthetic and
data/derivatives/demo/preproc; ``--register`` registers anew instead of reading the labels.
The truth is the phantom's: ``synthseg_label`` in phantom_truth.tsv is the label at a
microbleed's centre, and the patient's own warp gives the label of every point around it.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.anatomy.parcellation import register_atlas
from cmbkit.anatomy.rating_scales import region_of
from cmbkit.features.location import assign_label
from cmbkit.params import read_parameters
from cmbkit.phantom.cohort import _plan
from cmbkit.phantom.lesions import label_at
from cmbkit.phantom.simulate import Patient, _scanner_frame
from cmbkit.running.ledger import newest
from cmbkit.volume import Volume

REAL_SETS = ("CRB", "DOU", "MOMENI", "RODEJA", "VALDO")
STEP = np.arange(-4, 4.1, 0.5)
BALL = np.stack(np.meshgrid(STEP, STEP, STEP, indexing="ij"), -1).reshape(-1, 3)


def true_labels(plan, mm):
    """Labels of the phantom at points of the written image."""
    frame = _scanner_frame(plan.protocol.tilt_deg, np.random.default_rng(plan.scan_seed))
    patient = Patient(plan.patient_seed)
    back = np.linalg.inv(frame)
    return label_at(patient.to_template(mm @ back[:3, :3].T + back[:3, 3]))


def found_labels(labels, mm):
    """Labels of the parcellation at points, 0 outside its grid."""
    voxels = np.rint(labels.to_voxels(mm)).astype(int)
    inside = ((voxels >= 0) & (voxels < labels.shape)).all(axis=1)
    found = np.zeros(len(mm), int)
    found[inside] = labels.data[tuple(voxels[inside].T)]
    return found


def compare(raw, preproc, register):
    """One row per microbleed: label at the centre and by the rule of section 4.9.3."""
    cohort, rows = read_parameters("params/demo.yaml"), []
    for dataset in REAL_SETS:
        truth = pd.read_csv(raw / dataset / "phantom_truth.tsv", sep="\t", dtype={"scan": str})
        truth = truth[truth["kind"] == "cmb"]
        for plan in _plan(dataset, cohort.cohort.phantom_scans[dataset], cohort.seed):
            mine = truth[truth["scan"] == plan.name]
            short = plan.name.replace("_MRI_SWI_BFC_50mm_HM", "")
            if mine.empty:
                continue
            [item] = [f for f in preproc.glob(f"{dataset}-*") if short in f.name]
            folder = newest(item)
            if register:
                image, brain = (
                    Volume.read(next(folder.glob(f"*{kind}.nii.gz")), dtype)
                    for kind, dtype in (("preproc_T2starw", "float32"), ("brain_mask", "uint8"))
                )
                labels = register_atlas(image, brain)
            else:
                labels = Volume.read(next(folder.glob("*synthseg_dseg.nii.gz")), "uint16")
            for cmb in mine.itertuples():
                centre = np.array([[cmb.x_mm, cmb.y_mm, cmb.z_mm]])
                points = centre + BALL[(BALL**2).sum(1) <= max(cmb.radius_mm, 0.75) ** 2]
                rows.append(
                    {
                        "column": cmb.synthseg_label,
                        "centre": found_labels(labels, centre)[0],
                        "rule": assign_label(found_labels(labels, points)),
                        "true rule": assign_label(true_labels(plan, points)),
                    }
                )
    return pd.DataFrame(rows).map(region_of)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--raw", type=Path, default=Path("data/raw/demo/synthetic"))
    parser.add_argument("--preproc", type=Path, default=Path("data/derivatives/demo/preproc"))
    parser.add_argument("--register", action="store_true")
    options = parser.parse_args()
    found = compare(options.raw, options.preproc, options.register)
    pairs = {
        "parcellation at the centre, truth at the centre": ("centre", "column"),
        "parcellation by the rule, truth by the rule": ("rule", "true rule"),
        "parcellation by the rule, truth at the centre": ("rule", "column"),
        "truth by the rule, truth at the centre": ("true rule", "column"),
    }
    print(f"{len(found)} microbleeds\n\n| same BOMBS region | share |\n|---|---|")
    for name, (a, b) in pairs.items():
        print(f"| {name} | {(found[a] == found[b]).mean():.1%} |")
    print("\nBy the rule, truth in rows:\n")
    print(pd.crosstab(found["true rule"], found["rule"]).to_string())


if __name__ == "__main__":
    main()
