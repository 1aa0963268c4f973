"""What a reader must know of a scan, and what the literature ties to a number of microbleeds."""

from __future__ import annotations

import pandas as pd

from cmbkit.params import Preprocessing
from cmbkit.prediction.microbleed_table import THICK_MM

RESEARCH_ONLY = "For research only. Not a medical device, not for clinical decisions."
COARSE_MM = 1.2
MANY = 50
THRESHOLDS = {
    1: "Any microbleed. Raters agree least on this one: Cohen's kappa between 0.33 and 0.88 on "
    "T2*-weighted images.",
    3: "Three or more: a higher risk of bleeding within 24 hours of intravenous thrombolysis, and "
    "a worse outcome.",
    5: "Five or more: associated with cognitive decline.",
    11: "More than ten: worse results of reperfusion therapy in ischaemic stroke; the authors warn "
    "against a rule to treat or not on the count alone.",
}
"""Smallest number of microbleeds of each group (sections 2.1 and 7.3 of the thesis)."""


def thresholds_reached(count: int) -> list[tuple[int, bool, str]]:
    """Each threshold, whether ``count`` reaches it, and what is tied to it."""
    return [(limit, count >= limit, text) for limit, text in THRESHOLDS.items()]


def is_stand_in(method: str) -> bool:
    """Whether a brain mask or brain regions were made in place of the program's."""
    from cmbkit.anatomy import brain_mask, parcellation

    return method == brain_mask.STAND_IN or method in parcellation.STAND_IN.values()


def scan_remarks(
    methods: dict,
    changes: pd.DataFrame,
    spacing,
    slice_mm: float | None,
    trained: Preprocessing,
    used: Preprocessing,
    not_seen=(),
) -> list[str]:
    """Warnings about one scan, in the order in which they matter.

    Parameters
    ----------
    methods : dict
        ``brain_mask`` and ``parcellation``: how each was made.
    changes : DataFrame
        See `cmbkit.preprocessing.changes`.
    spacing : (3,) float
        Voxel size of the scan in mm.
    slice_mm : float or None
        Slice thickness, where a header says it; without one the distance of slices counts.
    trained, used : Preprocessing
        Of the network, and of this scan.
    not_seen : list of str
        See `cmbkit.anatomy.rating_scales.lines_not_seen`.
    """
    remarks = []
    in_plane, apart = sorted(spacing)[1], max(spacing)
    if (slice_mm or apart) >= THICK_MM:
        thick = f"of {slice_mm:.3g} mm, " if slice_mm else ""
        remarks.append(
            f"Slices {thick}{apart:.3g} mm apart. At 3 mm and more the thesis found recall to drop "
            "in its clinical scans (CRB: F1 0.29 against 0.54; not so in its validation scans): "
            "microbleeds look drawn out, like veins."
        )
    if in_plane > COARSE_MM:
        remarks.append(f"Voxels of {in_plane:.3g} mm within the slice: small microbleeds blur.")
    for key, what, better in (
        ("brain_mask", "brain mask", "SynthStrip"),
        ("parcellation", "brain regions", "SynthSeg"),
    ):
        if is_stand_in(methods[key]):
            remarks.append(
                f"The {what} came from a {methods[key]}; {better} is not installed or was not "
                "asked for. "
                + ("Regions are approximate." if key == "parcellation" else "Look at its outline.")
            )
    if not_seen:
        remarks.append(
            "Not seen, or not distinguished in part of a brain: " + ", ".join(not_seen) + ". "
            "No microbleed there does not mean none."
        )
    replaced = changes.loc[changes["kind"] == "replaced", "before"].sum()
    if replaced:
        remarks.append(f"{replaced:.0f} voxels held no number; background took their place.")
    if trained.spacing_mm != used.spacing_mm:
        remarks.append(
            f"The network was trained on a {trained.spacing_mm:g} mm grid and ran on one of "
            f"{used.spacing_mm:g} mm."
        )
    return remarks
