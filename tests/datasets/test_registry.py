"""All datasets by name; the table of scans."""

import numpy as np
import pytest
from scipy.io import savemat

from cmbkit.datasets.registry import READERS, read_dataset, scan_table
from cmbkit.datasets.sources import DatasetError
from cmbkit.records import DATASETS


def test_every_dataset_has_a_reader():
    assert set(READERS) == set(DATASETS)


def test_unknown_name_and_missing_folder(tmp_path):
    with pytest.raises(DatasetError, match="found 'OASIS'"):
        read_dataset("OASIS", tmp_path)
    for name in READERS:
        with pytest.raises(DatasetError, match="found n"):
            read_dataset(name, tmp_path)  # an empty folder
        with pytest.raises(DatasetError, match=f"expected the folder of {name}"):
            read_dataset(name, tmp_path / "nowhere")


def test_scan_table(tmp_path, write_nifti):
    (tmp_path / "ground_truth").mkdir()
    for name, count in (("02", 3), ("01", 0)):
        spacing = (0.449, 1.0, 0.6)  # slices along the second axis
        write_nifti(tmp_path / "nii" / f"{name}.nii", np.ones((5, 5, 5), np.int16), spacing)
        centres = np.arange(1, 3 * count + 1).reshape(-1, 3) % 5 + 1
        savemat(tmp_path / "ground_truth" / f"{name}.mat", {"cen": centres})
    table = scan_table(read_dataset("DOU", tmp_path)).set_index("uid")
    assert list(table.index) == ["DOU-01", "DOU-02"]
    row = table.loc["DOU-02"]
    assert (row["dataset"], row["patient"], row["sequence"]) == ("DOU", "02", "SWI")
    assert (row["in_plane_mm"], row["slice_thickness_mm"]) == (0.449, 1.0)
    assert (row["resolution_level"], row["field_strength"]) == ("high", "3")
    assert list(table["n_cmb"]) == [0, 3]
    assert list(table["cmb_level"]) == ["none", "high"]
