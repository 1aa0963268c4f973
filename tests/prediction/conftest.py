"""Small scans with bright balls, and a network made by hand that finds them."""

import numpy as np
import pytest

from cmbkit.params import Inference, Network, Preprocessing
from cmbkit.volume import Volume

AFFINE = np.array([[-1.0, 0, 0, 40], [0, -1.0, 0, 45], [0, 0, 2.0, -40], [0, 0, 0, 1]])
SHAPE = (80, 90, 40)
BALLS = np.array([(30, 40, 20), (52, 50, 18)])
RADIUS_MM = 3.0


def ellipsoid_scan(seed=0, balls=BALLS, thick=1, affine=AFFINE, shape=SHAPE):
    """Brain of 66 x 76 x 68 mm at 400, its outside 0, balls of 3 mm at 2000; and the balls.

    ``thick`` takes every n-th slice.
    """
    spacing = np.abs(np.diag(affine)[:3])
    mm = np.moveaxis(np.indices(shape), 0, -1) * spacing
    middle = (np.array(shape) - 1) * spacing / 2
    inside = (((mm - middle) / (33, 38, 34)) ** 2).sum(-1) <= 1
    data = np.where(inside, 400 + np.random.default_rng(seed).normal(0, 4, shape), 0)
    mask = np.zeros(shape, np.uint16)
    for value, ball in enumerate(balls, 1):
        mask[((mm - np.array(ball) * spacing) ** 2).sum(-1) <= RADIUS_MM**2] = value
    data[mask > 0] = 2000
    affine = affine @ np.diag([1, 1, thick, 1])
    data, mask = data[:, :, ::thick].astype(np.float32), mask[:, :, ::thick]
    return Volume(np.round(data), affine), Volume(mask, affine)


@pytest.fixture
def write_scan(tmp_path):
    """Call with a name (below the folder scans) and settings of `ellipsoid_scan`."""

    def write(name, **settings):
        image, _ = ellipsoid_scan(**settings)
        return image.write(tmp_path / "scans" / name, dtype=np.int16)

    return write


NETWORK = Network(
    patch_size=[32, 32, 32],
    filters_per_depth=[2],
    filters_out_bottom_conv=2,
    n_conv_per_depth=1,
    n_conv_per_depth_upsampling=1,
    n_conv_bottom=1,
)


def bright_network():
    """All weights 0 but for one path: probability over 0.5 where 8 sd above the patch's mean.

    The last normalisation runs over two channels, one of them 0: the other then has sd sqrt(2).
    """
    from cmbkit.detector.network.unet import build

    model = build(NETWORK)
    last, head = model.get_layer("decoder0_conv0"), model.get_layer("logits")
    kernel, bias = (np.zeros(v.shape) for v in last.get_weights())
    kernel[1, 1, 1, 0, 0] = 1
    last.set_weights([kernel, bias])
    kernel, bias = (np.zeros(v.shape) for v in head.get_weights())
    kernel[0, 0, 0, 0, 1], bias[1] = 3, -3 * 8
    head.set_weights([kernel, bias])
    return model


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Converted networks are kept in a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Folder of weights of the network that finds bright balls, on a 1 mm grid."""
    from cmbkit.detector.network.weights import write_weights

    folder = tmp_path_factory.mktemp("weights") / "bright"
    write_weights(
        folder,
        bright_network(),
        name="bright balls",
        trained_on="nothing: made by hand",
        network=NETWORK,
        preprocessing=Preprocessing(spacing_mm=1.0, pad_voxels=100, atlas_registration="affine"),
        inference=Inference(overlap=0.0, threshold=0.5, minimum_voxels=20),
        training={"steps": 0},
    )
    return folder


@pytest.fixture
def phantom():
    """`ellipsoid_scan`, for tests that need the arrays."""
    return ellipsoid_scan


@pytest.fixture
def dicom_series():
    """`write_series`; skips where the packages of the extra ``dicom`` are not installed."""
    for package in ("pydicom", "highdicom", "dcm2niix"):
        pytest.importorskip(package)
    return write_series


def write_series(volume, folder, description="T2star", uids=None):
    """Write one file per slice, in shuffled order of names; return the SeriesInstanceUID.

    The rows of the slices run along the volume's first axis, the columns along its second.
    """
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    spacing = volume.spacing
    across, down = (to_lps[:3, a] / spacing[a] for a in (0, 1))
    series, study, frame = (generate_uid() for _ in range(3))
    order = np.random.default_rng(1).permutation(volume.shape[2])
    for k in range(volume.shape[2]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        d = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        d.SOPClassUID, d.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
        d.SeriesInstanceUID, d.StudyInstanceUID, d.FrameOfReferenceUID = series, study, frame
        d.PatientID, d.PatientName, d.PatientBirthDate, d.PatientSex = "P1", "Phantom^One", "", "O"
        d.StudyDate, d.StudyTime, d.StudyID, d.AccessionNumber = "20240102", "101112", "1", ""
        d.ReferringPhysicianName, d.PositionReferenceIndicator, d.Laterality = "", "", ""
        d.Modality, d.Manufacturer, d.SeriesDescription = "MR", "Phantom", description
        d.SeriesNumber, d.InstanceNumber, d.ImageType = 4, k + 1, ["ORIGINAL", "PRIMARY", "M"]
        d.ScanningSequence, d.SequenceVariant, d.ScanOptions = "GR", "SP", ""
        d.MRAcquisitionType, d.EchoTime, d.RepetitionTime, d.EchoTrainLength = "2D", 20.0, 650.0, 1
        d.MagneticFieldStrength, d.FlipAngle = 3.0, 20.0
        d.SliceThickness = d.SpacingBetweenSlices = float(spacing[2])
        d.PixelSpacing = [float(spacing[1]), float(spacing[0])]
        d.ImageOrientationPatient = [*map(float, across), *map(float, down)]
        d.ImagePositionPatient = [float(v) for v in (to_lps @ [0, 0, k, 1])[:3]]
        pixels = np.ascontiguousarray(volume.data[:, :, k].T).astype(np.uint16)
        d.Rows, d.Columns = pixels.shape
        d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
        d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 16, 15, 0
        d.PixelData = pixels.tobytes()
        d.save_as(folder / f"IM{order[k]:04d}", enforce_file_format=True)
    return series
