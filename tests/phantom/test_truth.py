"""True microbleeds are found again by place, and leaks told from true sizes."""

import numpy as np
import pandas as pd

from cmbkit.phantom import truth


def test_each_microbleed_gets_the_true_one_nearest_to_it_once(tmp_path):
    told = ["cmb 0 0 0 1.0 2.0", "cmb 6 0 0 0.5 1.5", "cmb 1 0 0 0.3 0.0", "vein 3 0 0 1 0"]
    lines = ["scan kind x_mm y_mm z_mm radius_mm visible_radius_mm", *(f"a {row}" for row in told)]
    (tmp_path / "phantom_truth.tsv").write_text("\n".join(lines).replace(" ", "\t"))
    marked = pd.DataFrame({"x_mm": [5.0, 1.0, 40.0], "y_mm": 0.0, "z_mm": 2.0})
    found = truth.with_truth(marked, truth.read_truth(tmp_path))
    np.testing.assert_array_equal(found["radius_true_mm"], [0.5, 1.0, np.nan])
    np.testing.assert_array_equal(found["radius_visible_mm"], [1.5, 2.0, np.nan])


def test_real_data_have_no_truth(tmp_path):
    none = truth.read_truth(tmp_path)
    assert none.empty
    marked = pd.DataFrame({"x_mm": [5.0], "y_mm": [0.0], "z_mm": [2.0]})
    assert truth.with_truth(marked, none)[truth.COLUMNS].isna().to_numpy().all()


def test_a_region_leaked_at_the_cap_over_twice_its_visible_one_or_if_it_leapt():
    rows = [  # tolerance, leap, native radius, visible radius, leaked
        (1.0, False, 4.9, 4.0, True),
        (1.0, False, 2.1, 1.0, True),
        (1.0, True, 1.9, 1.0, False),  # known to be about right
        (1.0, True, 1.9, np.nan, True),
        (1.0, False, 1.9, np.nan, False),
        (np.nan, pd.NA, 6.0, 1.0, False),  # a mask
    ]
    columns = ["tolerance", "leap", "native_radius_mm", "radius_visible_mm", "expected"]
    table = pd.DataFrame(rows, columns=columns)
    assert truth.leaked(table, 4.8).tolist() == table["expected"].tolist()
