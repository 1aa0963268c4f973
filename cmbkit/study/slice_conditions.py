"""What the experiment on slice thickness varies, one factor at a time."""

import numpy as np
import pandas as pd

from cmbkit.params import SliceExperiment
from cmbkit.phantom.controlled import AVERAGING, LAYER_MM, Condition

FACTORS = {"radius": "radius_mm", "contrast": "contrast", "count": "count"}
PHYSICAL = {"tesla": "tesla", "te_ms": "te_ms"}
KEYS = [*Condition.__dataclass_fields__, "averaging", *PHYSICAL]


def conditions(design: SliceExperiment, model: str = "contrast") -> pd.DataFrame:
    """Every condition of the experiment.

    Parameters
    ----------
    model : {"contrast", "physical"}
        Of the phantom. In the physical model averaging, field and echo time are factors, contrast
        is none, and factors of a single level are left out.

    Returns
    -------
    DataFrame
        factor (what is varied), level (its value), and `KEYS`: thickness_mm, radius_mm, contrast,
        count, averaging, tesla, te_ms (the last three missing in the contrast model). The base has
        a row for each factor: it is one level of each.
    """
    if model == "physical":
        return _physical_conditions(design)
    table = _varied(design, FACTORS)
    return table.reindex(columns=["factor", "level", *KEYS])


def _physical_conditions(design: SliceExperiment) -> pd.DataFrame:
    factors = {name: column for name, column in FACTORS.items() if name != "contrast"} | PHYSICAL
    several = {f: c for f, c in factors.items() if len(set(getattr(design, c))) > 1}
    base = {column: getattr(design, column)[0] for column in factors.values()}
    rows = [
        {"factor": "averaging", "level": how, **base, "averaging": how, "thickness_mm": thickness}
        for how in AVERAGING
        for thickness in sorted(set(design.thickness_mm))
    ]
    others = _varied(design, several, base) if several else pd.DataFrame()
    table = pd.concat([pd.DataFrame(rows), others], ignore_index=True)
    table = table.assign(contrast=np.nan).fillna({"averaging": AVERAGING[0]})
    same = table["thickness_mm"] <= LAYER_MM  # one layer: nothing to average
    table.loc[same, "averaging"] = AVERAGING[0]
    return table[["factor", "level", *KEYS]].astype({"level": object})


def _varied(design: SliceExperiment, factors: dict, base: dict | None = None) -> pd.DataFrame:
    base = base or {column: getattr(design, column)[0] for column in factors.values()}
    rows = []
    for factor, column in factors.items():
        for position, level in enumerate(dict.fromkeys(getattr(design, column))):
            thicknesses = design.varied_thickness_mm if position else design.thickness_mm
            for thickness in sorted(set(thicknesses)):
                varied = {**base, column: level, "thickness_mm": thickness}
                rows.append({"factor": factor, "level": level, **varied})
    return pd.DataFrame(rows)
