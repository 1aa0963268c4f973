"""Real series and slabs of ../shared/real, where that folder is there; no network is run."""

from pathlib import Path

import numpy as np
import pytest

from cmbkit.datasets.sources import read_header
from cmbkit.params import Preprocessing
from cmbkit.prediction.fitness import UnfitScan
from cmbkit.prediction.one_scan import _scan, read_given
from cmbkit.prediction.sources import find_sources
from cmbkit.preprocessing.pipeline import prepare
from cmbkit.volume import Volume

REAL = Path(__file__).resolve().parents[3] / "shared" / "real"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="without ../shared/real")


def given(path, folder):
    """The one source of a path, what is read of it, and its fitness."""
    (source,) = find_sources([path])
    found = read_given(source, None, folder)
    volume = Volume.read(found.image)
    return source, found, volume, found.fitness(source.name, volume)


@pytest.mark.parametrize(
    ("series", "echo_ms", "mm"), [("si_xa30_enh_gre", 12.5, 3.4), ("ph_enh_fmap", None, 3.0)]
)
def test_of_two_echoes_the_longer_and_coarse_voxels_are_doubted(tmp_path, series, echo_ms, mm):
    _, image, volume, fitness = given(REAL / "dicom" / series, tmp_path)
    assert volume.spacing.min() == pytest.approx(mm, abs=0.05)
    assert fitness.verdict == "doubtful" and any("voxels of 3" in why for why in fitness.reasons)
    assert any("echo" in note for note in image.notes)
    if echo_ms:
        assert 1000 * image.fields["EchoTime"] == pytest.approx(echo_ms, abs=0.05)


def test_a_phase_series_is_unfit(tmp_path):
    source, _, _, fitness = given(REAL / "dicom" / "si_xa30_enh_phase", tmp_path)
    with pytest.raises(UnfitScan, match="phase"):
        fitness.require(source.path)


@pytest.mark.parametrize("name", ["AND", "CAT"])
def test_tissue_of_a_slab_has_the_z_score_of_a_whole_brain(name):
    """White matter of whole brains: 1.5 to 2.1; by the padded cube a slab has over 5."""
    path = REAL / "nifti" / f"layerfmri_ref_notnulled_{name}.nii.gz"
    assert min(read_header(path).shape) == 22
    (source,) = find_sources([path])
    middle = {}
    for rule in ("brain", "padded"):
        params = Preprocessing(spacing_mm=0.75, pad_voxels=272, padding="moments", zscore=rule)
        done = prepare(_scan(source, path), params)
        middle[rule] = np.median(done.image.data[done.brain.data > 0])
    assert 1.5 < middle["brain"] < 2.1 and middle["padded"] > 5
