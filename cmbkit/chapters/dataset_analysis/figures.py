"""Figures 2.1, 4.1, A.8 and S1."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cmbkit.chapters.raw_slices import (
    PLACE,
    axial_crop,
    axial_slice,
    largest_microbleed,
    most_conspicuous,
    raw_image,
    raw_marks,
    raw_phase,
)
from cmbkit.datasets.splits import UNKNOWN
from cmbkit.features.phase_sign import susceptibility_sign
from cmbkit.plotting.bars import split_bars
from cmbkit.plotting.canvas import nothing_to_show
from cmbkit.plotting.slices import annotation_overlay, contact_sheet, mimic_panels
from cmbkit.records import StandardScan
from cmbkit.volume import Volume

STRATA_TITLES = {
    "Dataset": "Dataset",
    "healthy_all": "Patient without CMB",
    "seq_type": "Sequence",
    "res_level": "In-plane resolution",
    "field_strength": "Field strength (T)",
    "CMB_level": "Number of CMBs",
    "TE": "Echo time (ms)",
}
"""Panels of Figure A.8."""
VALUES = {"healthy_all": {"True": "yes", "False": "no"}, "CMB_level": {UNKNOWN: "none"}}
UNKNOWN_VALUES = {UNKNOWN: "not stated"}


def figure_a_8(table: pd.DataFrame) -> Figure:
    """Share of each stratum of `table_a_8`, but for the joint ones (Figure A.8)."""
    if table.empty:
        return nothing_to_show("No dataset of this run is split into training and validation.")
    sums = table[table["column"] == "Dataset"].groupby("split")[["n_scans", "n_scans_thesis"]].sum()
    parts = [f"{name} {row.iloc[0]:.0f} ({row.iloc[1]:.0f})" for name, row in sums.iterrows()]
    title = f"Strata of the training and validation split; scans (thesis): {', '.join(parts)}"
    return split_bars(in_words(table), STRATA_TITLES, title)


def in_words(strata: pd.DataFrame) -> pd.DataFrame:
    """`table_a_8` with values as `VALUES` names them, and echo times as numbers."""
    shown = [
        VALUES.get(column, {}).get(value, UNKNOWN_VALUES.get(value, value))
        if np.isnan(te_ms)
        else f"{te_ms:g}"
        for column, value, te_ms in strata[["column", "value", "te_ms"]].itertuples(index=False)
    ]
    return strata.assign(value=shown)


def figure_s1(table: pd.DataFrame, standard: Mapping[str, StandardScan]) -> Figure:
    """One raw axial slice per dataset, through the largest CMB of its fullest scan (Figure S1)."""
    panels = []
    fullest = table.sort_values(["n_cmb", "uid"], ascending=[False, True])
    for dataset, uid in fullest.groupby("dataset")["uid"].first().items():
        scan, lesion = standard[uid].scan, largest_microbleed(standard[uid])
        volume, acquired = raw_image(scan), scan.acquisition
        place = volume.to_mm(np.array(volume.shape) / 2) if lesion is None else lesion[PLACE]
        slice2d, extent, _ = axial_slice(volume, np.asarray(place, float))
        size = f"{min(acquired.in_plane_mm):.2f} mm pixels"
        thick = f"{acquired.slice_thickness_mm:.2g} mm slices"
        panels.append((f"{dataset}, {scan.sequence}\n{size}, {thick}", slice2d, extent))
    return contact_sheet(panels)


def figure_2_1(standard: Iterable[StandardScan], mimics: int = 4) -> Figure:
    """One CMB per sequence and mimics that raters marked, cropped from raw slices (Figure 2.1).

    First come, where scans have a phase image, a CMB and a calcification, each on magnitude and
    phase: the calcification of clearest sign, and of the CMBs of the right sign the most
    conspicuous one (`cmbkit.chapters.raw_slices.conspicuity`); so is the other CMB in its scan.

    Parameters
    ----------
    standard : iterable of StandardScan
        All preprocessed scans; painted-in CMBs (sMOMENI) are passed over.
    mimics : int
        At most so many, each of another kind or sequence.
    """
    standard, seen = list(standard), set()
    panels = _on_phase(standard)
    real = [s for s in standard if s.scan.dataset != "sMOMENI" and len(s.microbleeds())]
    real.sort(key=lambda s: -len(s.microbleeds()))
    mimics -= bool(panels)  # one of them is there already
    for sequence in ("T2S",) if panels else ("SWI", "T2S"):
        found = next((s for s in real if s.scan.sequence == sequence), None)
        if found is not None:
            places = found.microbleeds()[PLACE].to_numpy(float)
            _, place = most_conspicuous(found.scan, places)
            crop = axial_crop(raw_image(found.scan), place)
            panels.append((f"CMB on {sequence}\n{found.scan.uid}", *crop))
    for scan in (s.scan for s in standard):
        for mimic in scan.annotation.mimics:
            if len(seen) < mimics and (mimic.kind, scan.sequence) not in seen:
                seen.add((mimic.kind, scan.sequence))
                place = Volume.read(scan.image).to_mm(mimic.voxel)
                crop = axial_crop(raw_image(scan), place)
                panels.append((f"{mimic.kind} on {scan.sequence}\n{scan.uid}", *crop))
    return mimic_panels(panels) if panels else nothing_to_show("No microbleed in this run.")


def _on_phase(standard: list[StandardScan]) -> list[tuple]:
    """Panels of one CMB and one calcification on magnitude and phase; none without a phase."""
    found = {"CMB": [], "Calcification": []}
    for one in standard:
        scan, phase = one.scan, raw_phase(one.scan)
        if phase is None:
            continue
        signs = [(susceptibility_sign(phase, p), p) for p in one.microbleeds()[PLACE].to_numpy()]
        clear, place = most_conspicuous(scan, [p for sign, p in signs if sign > 0])
        found["CMB"] += [] if place is None else [(clear, scan.uid, place, one)]
        marked = [m for m in scan.annotation.mimics if "calcification" in m.kind.lower()]
        image = Volume.read(scan.image) if marked else None
        for place in (image.to_mm(np.array(m.voxel)) for m in marked):
            found["Calcification"].append(
                (-susceptibility_sign(phase, place), scan.uid, place, one)
            )
    panels = []
    for kind, rows in found.items():
        if rows:
            _, uid, place, one = max(rows, key=lambda row: row[0])
            both = {"magnitude": raw_image(one.scan), "phase": raw_phase(one.scan)}
            panels += [(f"{kind}, {n}\n{uid}", *axial_crop(v, place)) for n, v in both.items()]
    return panels


def figure_4_1(standard: Iterable[StandardScan]) -> Figure:
    """An annotation as delivered: a scribble of CRB, else that of any annotated scan (Figure 4.1).

    ``standard``: all preprocessed scans; those without microbleeds are passed over.
    """
    scans = [s.scan for s in standard if len(s.microbleeds())]
    if not scans:
        return nothing_to_show("No annotated microbleed in the scans of this run.")
    scan = min(scans, key=lambda s: (s.annotation.kind != "scribbles", s.uid))
    image = Volume.read(scan.image)
    marks = raw_marks(scan.annotation, image)
    finding = next(iter(scan.annotation.findings), None)
    label = finding.segment if finding else int(marks.data[marks.data > 0].min())
    volume, drawn = image.reoriented("RAS"), marks.reoriented("RAS").data == label
    k = int(drawn.sum(axis=(0, 1)).argmax())
    metadata = {"scan": scan.uid, "sequence": scan.sequence, "annotation": scan.annotation.kind}
    if finding:
        told = ("certainty", "cause", "size", "location")
        metadata |= {name: getattr(finding, name) or "not noted" for name in told}
    mimics = []
    for mimic in scan.annotation.mimics:
        voxel = volume.to_voxels(image.to_mm(mimic.voxel))
        if abs(voxel[2] - k) <= 1:
            mimics.append((*(voxel[:2] + 0.5) * volume.spacing[:2], mimic.kind))
    extent = tuple(np.array(volume.shape[:2]) * volume.spacing[:2])
    return annotation_overlay(volume.data[:, :, k], drawn[:, :, k], extent, metadata, mimics)
