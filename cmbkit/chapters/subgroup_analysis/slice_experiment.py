"""What thick slices do to one bleed, and what a simulator that averages magnitudes makes of it."""

from itertools import product

import pandas as pd

from cmbkit.phantom.slices import peak_loss
from cmbkit.phantom.tissues import GradientEcho
from cmbkit.reporting.layout import Column, heads, laid_out

THICKNESS_MM = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
TESLA = (1.5, 3.0)
TE_MS = (20.0, 40.0)


def table_peak_loss(radius_mm: float = 0.75, chi_ppm: float = 1.0) -> pd.DataFrame:
    """Peak loss of one bleed by slice thickness, field and echo time, summed in both ways.

    Returns
    -------
    DataFrame
        tesla, te_ms, thickness_mm, complex_sum, averaged (shares of the signal lost in the voxel
        that has the bleed at its centre), kept_complex, kept_averaged (of the loss at 1 mm).
    """
    rows = []
    for tesla, te, thickness in product(TESLA, TE_MS, THICKNESS_MM):
        acquisition = GradientEcho(te, 50.0, 15, tesla)
        losses = peak_loss(thickness, acquisition, radius_mm=radius_mm, chi_ppm=chi_ppm)
        rows.append((tesla, te, thickness, *losses))
    table = pd.DataFrame(
        rows, columns=["tesla", "te_ms", "thickness_mm", "complex_sum", "averaged"]
    )
    thinnest = table.groupby(["tesla", "te_ms"])[["complex_sum", "averaged"]].transform("first")
    table["kept_complex"] = table["complex_sum"] / thinnest["complex_sum"]
    table["kept_averaged"] = table["averaged"] / thinnest["averaged"]
    columns = [
        Column("tesla", "Field (T)", shows="setting"),
        *heads(te_ms="TE (ms)", thickness_mm="Slice (mm)"),
        Column("complex_sum", "Complex sum", 2),
        Column("averaged", "Averaged magnitudes", 2),
        Column("kept_complex", "Relative to 1 mm, complex", 2),
        Column("kept_averaged", "Relative to 1 mm, averaged", 2),
    ]
    note = (
        f"Share of the signal lost in the voxel around a sphere of {radius_mm:g} mm and "
        f"{chi_ppm:g} ppm, 0.5 mm in plane, main field along the slice axis, no noise. Averaged: "
        "the mean of the magnitudes of thin layers, as simulators do that draw on magnitude images."
    )
    return laid_out(table, columns, note=note)
