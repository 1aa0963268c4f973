"""Build a miniature of one dataset: plan the scans, map over them, write the shared files."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.phantom import layouts, profiles, smomeni, wide
from cmbkit.phantom.simulate import MODELS, simulate
from cmbkit.running.map_scans import map_scans

TRUTH_COLUMNS = ["scan", "kind", "x_mm", "y_mm", "z_mm", "radius_mm", "synthseg_label"]
TRUTH_COLUMNS += ["place", "chi_ppm", "visible_mm3", "visible_radius_mm"]
MOMENI_FOLDER = "PublicDataShare_2020"
MOMENI_STEM = "{patient:03d}_T{time}_MRI_SWI_BFC_50mm_HM"


@dataclass(frozen=True)
class ScanPlan:
    """What one scan will be; everything else follows from its seeds."""

    dataset: str
    index: int
    name: str
    protocol: profiles.Protocol
    patient_seed: tuple[int, ...]
    scan_seed: tuple[int, ...]
    radii_mm: tuple[float, ...]
    new_radii_mm: tuple[float, ...] = ()


def build(
    dataset: str,
    n_scans: int,
    seed: int,
    folder: Path,
    *,
    momeni_folder: Path | None = None,
    workers: int = 1,
    model: str = "contrast",
) -> None:
    """Write a synthetic miniature of a dataset in its raw layout.

    Parameters
    ----------
    dataset : str
        CRB, CRBneg, DOU, MOMENI, sMOMENI, RODEJA or VALDO.
    n_scans : int
    seed : int
        Same seed, same files, whatever the number of workers.
    folder : path-like
        The dataset's root; created.
    momeni_folder : path-like, optional
        For sMOMENI: the root of the synthetic MOMENI that it is derived from.
    workers : int
    model : {"contrast", "physical", "wide"}
        See `simulate`; "wide" draws one of the two and a protocol for each scan
        (`cmbkit.phantom.wide`).

    Notes
    -----
    Beside the raw files it writes ``dataset_description.json`` with ``"Synthetic": true`` and
    ``phantom_truth.tsv``: one row per structure (scan, kind, x_mm, y_mm, z_mm in RAS mm of the
    written image, radius_mm, synthseg_label, place of a calcification). Of a microbleed it also
    has the visible region on the image without noise and the radius of a ball of that volume;
    in the physical model ``radius_mm`` is the source's, and ``chi_ppm`` its susceptibility.
    """
    if dataset not in profiles.DATASET_NUMBER:
        raise ValueError(
            f"phantom: expected one of {sorted(profiles.DATASET_NUMBER)}, found {dataset!r}"
        )
    if model not in (*MODELS, "wide"):
        raise ValueError(f"phantom_model: expected one of {(*MODELS, 'wide')}, found {model!r}")
    if n_scans < 1:
        raise ValueError(f"phantom {dataset}: expected 1 scan or more, found {n_scans}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    step = f"synthetic {dataset}"
    if dataset == "sMOMENI":
        if momeni_folder is None:
            raise ValueError("phantom sMOMENI: expected momeni_folder, found None")
        plans, write = smomeni.plan(n_scans, seed, Path(momeni_folder)), smomeni.write
    else:
        plans, write = _plan(dataset, n_scans, seed), partial(_write, model=model)
    write = partial(write, folder=folder)
    results = map_scans(write, plans, step=step, workers=workers, name=lambda p: p.name)
    if dataset == "sMOMENI":
        smomeni.finish(folder, plans, results, seed)
    else:
        _finish(dataset, folder, plans, results)
    truth = [row for result in results for row in result["truth"]]
    table = pd.DataFrame(truth, columns=TRUTH_COLUMNS)
    table.to_csv(folder / "phantom_truth.tsv", sep="\t", index=False)
    description = {
        "Name": f"{dataset}, synthetic cohort of cmbkit",
        "BIDSVersion": "1.9.0",
        "Synthetic": True,
        "Seed": seed,
        "Scans": n_scans,
    }
    (folder / "dataset_description.json").write_text(json.dumps(description, indent=1))


def _plan(dataset: str, n_scans: int, seed: int) -> list[ScanPlan]:
    number = profiles.DATASET_NUMBER[dataset]
    rng = np.random.default_rng([seed, number])
    if dataset == "MOMENI":
        return _plan_momeni(
            n_scans, seed, profiles.cmb_counts(dataset, n_scans - n_scans // 4, rng)
        )
    counts = profiles.cmb_counts(dataset, n_scans, rng)
    plans = []
    for index, count in enumerate(counts):
        radii = profiles.draw_radii(dataset, count, np.random.default_rng([seed, number, index, 9]))
        plans.append(
            ScanPlan(
                dataset,
                index,
                _name(dataset, index),
                profiles.protocol_of(dataset, index, n_scans),
                (seed, number, index),
                (seed, number, index, 5),
                tuple(float(r) for r in radii),
            )
        )
    return plans


def _name(dataset: str, index: int) -> str:
    if dataset in ("CRB", "CRBneg"):
        return f"study{index + 1:03d}"
    if dataset == "DOU":
        return f"{index + 1:02d}"
    if dataset == "RODEJA":
        return f"{20001 + 37 * index:05d}"
    return f"{101 + index}"


def _plan_momeni(n_scans: int, seed: int, counts: list[int]) -> list[ScanPlan]:
    """Every third patient has two time points: the same head, perhaps with new microbleeds.

    ``counts`` has one number per patient.
    """
    number, plans, patient = profiles.DATASET_NUMBER["MOMENI"], [], 0
    protocol = profiles.PROFILES["MOMENI"].protocols[0][1]
    while len(plans) < n_scans:
        patient += 1
        times = 2 if patient % 3 == 0 else 1
        rng = np.random.default_rng([seed, number, patient, 9])
        radii = profiles.draw_radii("MOMENI", counts[patient - 1], rng)
        new = profiles.draw_radii("MOMENI", int(rng.integers(0, 3)) if len(radii) else 0, rng)
        new = new[: 19 - len(radii)]
        for time in range(1, times + 1):
            if len(plans) == n_scans:
                break
            plans.append(
                ScanPlan(
                    "MOMENI",
                    len(plans),
                    MOMENI_STEM.format(patient=100 + 11 * patient, time=time),
                    protocol,
                    (seed, number, patient),
                    (seed, number, patient, 5, time),
                    tuple(float(r) for r in radii),
                    tuple(float(r) for r in new) if time > 1 else (),
                )
            )
    return plans


def _write(plan: ScanPlan, folder: Path, model: str = "contrast") -> dict:
    """Simulate and write one scan; returns its truth rows and what the shared files need."""
    projected = plan.dataset == "RODEJA" and plan.index % 3 == 2
    crop = plan.dataset == "DOU" and plan.index % 5 == 3
    if model == "wide":
        rng = np.random.default_rng([*plan.scan_seed, 12])
        plan = replace(
            plan,
            protocol=wide.widened(plan.protocol, rng),
            radii_mm=wide.resized(plan.radii_mm, rng),
        )
        crop, projected = rng.random() < wide.CROPPED_SHARE, False
        model = "physical" if rng.random() < wide.PHYSICAL_SHARE else "contrast"
    scan = simulate(
        plan.protocol,
        patient_seed=plan.patient_seed,
        scan_seed=plan.scan_seed,
        radii_mm=plan.radii_mm,
        new_radii_mm=plan.new_radii_mm,
        pathology={"CRB": 0.4, "CRBneg": 0.6}.get(plan.dataset, 0.0),
        crop=crop,
        model=model,
        projected=projected,
        shares=profiles.PROFILES[plan.dataset].shares,
    )
    rng = np.random.default_rng([*plan.scan_seed, 77])
    result = {"truth": [{"scan": plan.name, **row} for row in scan.structures]}
    if plan.dataset == "VALDO":
        layouts.write_valdo(folder, plan.name, scan, rng)
    elif plan.dataset == "RODEJA":
        subfolder = "cph_annotated_mip" if projected else "cph_annotated"
        layouts.write_rodeja(folder, plan.name, scan, subfolder)
    elif plan.dataset == "DOU":
        layouts.write_dou(folder, plan.name, scan)
    elif plan.dataset == "MOMENI":
        group = "rCMB_DefiniteSubject" if scan.microbleeds else "NoCMBSubject"
        path = folder / MOMENI_FOLDER / group / f"{plan.name}.nii.gz"
        layouts.write_int16(scan.image, path)
        result["points"] = layouts.one_based(scan)
    else:
        result["task"] = layouts.write_crb(folder, plan.name, scan, plan.protocol, rng)
    return result


def _finish(dataset: str, folder: Path, plans: list[ScanPlan], results: list[dict]) -> None:
    if dataset == "MOMENI":
        rows = [
            (f"{plan.name}.nii.gz", result["points"])
            for plan, result in zip(plans, results, strict=True)
            if result["points"]
        ]
        layouts.momeni_workbook(folder / MOMENI_FOLDER / "rCMBInformationInfo.xlsx", rows)
    elif dataset in ("CRB", "CRBneg"):
        tasks = [result["task"] for result in results]
        (folder / "tasks.json").write_text(json.dumps(tasks, indent=1))
