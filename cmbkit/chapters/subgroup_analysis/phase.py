"""Which mimics the sign of the phase tells from blood (Table S37b)."""

from collections.abc import Mapping

import pandas as pd

from cmbkit.chapters.detection import INTERVAL, share_of
from cmbkit.chapters.raw_slices import PLACE, raw_phase
from cmbkit.features.phase_sign import susceptibility_sign
from cmbkit.records import StandardScan
from cmbkit.reporting.layout import Column, heads, laid_out

CMB = "CMB"


def table_s37b(
    mimics: pd.DataFrame, microbleeds: pd.DataFrame, standard: Mapping[str, StandardScan]
) -> pd.DataFrame:
    """CMBs and marked mimics whose phase has the sign of calcium (Table S37b).

    Parameters
    ----------
    mimics, microbleeds : DataFrame
        One row each: uid, x_mm, y_mm, z_mm; mimics also kind.
    standard : mapping of uid to StandardScan
        Those whose raw scan comes with a phase image count.

    Returns
    -------
    DataFrame
        kind ("CMB" first), n_scans, n, n_calcium, share with its parts.
    """
    places = pd.concat([microbleeds.assign(kind=CMB), mimics])[["uid", "kind", *PLACE]]
    rows = []
    for uid, part in places.groupby("uid"):
        phase = raw_phase(standard[uid].scan)
        if phase is None:
            continue
        signs = [susceptibility_sign(phase, place) for place in part[PLACE].to_numpy(float)]
        who = standard[uid].scan.patient
        rows.append(part.assign(patient=who, calcium=[sign < 0 for sign in signs]))
    columns = [
        Column("kind", "What it is", names={CMB: "Microbleed"}),
        *heads(n_scans="Scans", n="n", n_calcium="Phase of calcium"),
        Column("share", "Share", 2),
    ]
    if not rows:
        note = "No scan of this run comes with a phase image."
        return laid_out(pd.DataFrame(columns=[c.key for c in columns]), columns, note=note)
    counted = [
        {"kind": kind, "n_scans": group["uid"].nunique(), "n": len(group)}
        | {"n_calcium": int(group["calcium"].sum())}
        | share_of("share", group["patient"], group["calcium"])
        for kind, group in pd.concat(rows).groupby("kind")
    ]
    table = pd.DataFrame(sorted(counted, key=lambda row: (row["kind"] != CMB, row["kind"])))
    note = (
        "Sign of the dipole in the high-pass filtered phase: blood is paramagnetic, calcium "
        f"diamagnetic, so a mimic with the sign of calcium is told from a CMB {INTERVAL}. What "
        "holds blood too (cavernomas, veins) is not distinguished."
    )
    return laid_out(table, columns, note=note)
