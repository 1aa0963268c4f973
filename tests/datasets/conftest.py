"""Tiny files in the raw layouts of the datasets."""

import nibabel as nib
import numpy as np
import pytest

LAS = np.diag([-1.0, 1.0, 1.0, 1.0])


@pytest.fixture
def write_nifti():
    """Write an array with voxel sizes in mm along its axes; returns the path."""

    def write(path, data, spacing=(1.0, 1.0, 1.0), orientation=LAS):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = nib.Nifti1Image(np.asarray(data), orientation @ np.diag([*spacing, 1.0]))
        image.header.set_xyzt_units("mm")
        nib.save(image, path)
        return path

    return write


@pytest.fixture
def write_workbook():
    """Write rows of cells as the only sheet of an Excel file."""

    def write(path, rows):
        from openpyxl import Workbook

        path.parent.mkdir(parents=True, exist_ok=True)
        book = Workbook()
        for row in rows:
            book.active.append(row)
        book.save(path)
        return path

    return write
