"""Errors about a scan name the scan."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from cmbkit.prediction.plain_errors import ScanError, about_scan
from cmbkit.prediction.sources import Source
from cmbkit.volume import VolumeError

SOURCE = Source("head", Path("in/head"))
TEMPORARY = "/tmp/cmbkit-predict-xyz"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (VolumeError(f"{TEMPORARY}/series.nii: expected a 3D image, found shape (3, 4)"),
         "in/head: expected a 3D image, found shape (3, 4)"),
        (ValueError("in/head: expected an image, found: cut: tmp/cmbkit-predict-xyz/dicom/3.dcm"),
         "in/head: expected an image, found: cut: in/head"),
        (ValueError("Residuals are not finite in the initial point."),
         "in/head: expected a scan that can be worked on, found: Residuals are not finite in the "
         "initial point."),
        (VolumeError("masks/a.nii: expected shape (1, 2, 3) as in in/head, found (3, 2, 1)"),
         "masks/a.nii: expected shape (1, 2, 3) as in in/head, found (3, 2, 1)"),
    ],
)  # fmt: skip
def test_messages(error, said):
    with pytest.raises(ScanError) as told, about_scan(SOURCE, TEMPORARY):
        raise error
    assert str(told.value) == said


def test_faults_go_on_and_warnings_are_kept_back():
    with pytest.raises(KeyError), about_scan(SOURCE, TEMPORARY):
        raise KeyError("x")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with about_scan(SOURCE, TEMPORARY):
            np.log(np.zeros(1))
