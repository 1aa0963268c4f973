import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def scan_rows():
    """Scan rows that add up to given counts, all of the remainder on the first scan."""

    def make(dataset, model, tp, fp, fn, n_scans, sequence="SWI"):
        table = pd.DataFrame({"uid": [f"{dataset}-{i}" for i in range(n_scans)]})
        for name, total in (("tp", tp), ("fp", fp), ("fn", fn)):
            each = total // n_scans
            table[name] = [total - each * (n_scans - 1)] + [each] * (n_scans - 1)
        return table.assign(
            dataset=dataset,
            patient=table["uid"],
            model=model,
            sequence=sequence,
            dice_tp=np.where(table["tp"] > 0, 0.5, np.nan),
            n_gt=table["tp"] + table["fn"],
            n_pred=table["tp"] + table["fp"],
            slice_thickness_mm=1.0,
            in_plane_mm=0.5,
        )

    return make
