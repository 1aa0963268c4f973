"""A DICOM Segmentation object of the microbleeds that names the series it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nibabel.affines import apply_affine

from cmbkit.prediction.dicom import INSTALL, DicomError, pydicom
from cmbkit.prediction.dicom_geometry import Slice, slices_of
from cmbkit.volume import Volume

SERIES_NUMBER = 900
SHARED, PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
PERSON_GROUPS = (0x0010, 0x0012, 0x0032, 0x0038, 0x0040)
FREE_TEXT = ("LO", "LT", "PN", "SH", "SQ", "ST", "UC", "UT")
NAMED = frozenset((
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
    *("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
    *("AccessionNumber", "ReferringPhysicianName"),
))  # fmt: skip
"""What a SEG takes of these over from its series, beside the study's UID, ID, date and time."""


def without_more_of_the_patient(dataset):
    """Take what a SEG need not say of patient, study and hospital out of a dataset."""
    for element in list(dataset):
        group = element.tag.group
        told = group in PERSON_GROUPS or (group == 0x0008 and element.VR in FREE_TEXT)
        if element.tag.is_private or (told and element.keyword not in NAMED):
            del dataset[element.tag]
    return dataset


def without_values(message: str, dataset) -> str:
    """Name, in a message, the element of a dataset instead of its value about patient or study."""
    for element in dataset:
        about = element.keyword in NAMED or element.keyword.startswith("Study")
        if about and len(str(element.value)) > 1:
            message = message.replace(str(element.value), element.keyword)
    return message


def planes(datasets, where) -> list[Slice]:
    """One dataset per slice with its geometry: those of single slices, or a multi-frame's frames.

    Parameters
    ----------
    datasets : sequence of pydicom.Dataset
        Of one series. A multi-frame (enhanced) object is changed: where all its frames have one
        orientation and pixel size, each in its own functional group, those become shared, which
        highdicom asks for.
    where : path-like
        For messages.

    Raises
    ------
    DicomError
        If a slice or frame has no place, or there is a multi-frame object among others.
    """
    first = datasets[0]
    if any(int(d.get("NumberOfFrames") or 1) > 1 or SHARED in d for d in datasets):
        if len(datasets) > 1:
            raise DicomError(
                f"{where}: DICOM SEG: expected one multi-frame object in the series, "
                f"found {len(datasets)} objects"
            )
        if SHARED not in first or PER_FRAME not in first:
            raise DicomError(
                f"{where}: DICOM SEG: expected a multi-frame object with functional groups, found "
                f"{first.SOPClassUID.name}"
            )
    try:
        found = slices_of(datasets, where)
    except ValueError as error:
        raise DicomError(f"DICOM SEG: {error}") from None
    for name in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
        if SHARED in first and name not in first[SHARED].value[0]:
            own = [group[name].value for group in first[PER_FRAME].value]
            if any(sequence != own[0] for sequence in own):
                raise DicomError(
                    f"{where}: DICOM SEG: expected one {name} for all frames, found several"
                )
            setattr(first[SHARED].value[0], name, own[0])
    return found


def on_slices(mask: Volume, slices: Sequence[Slice]) -> np.ndarray:
    """Values of a mask at the pixels of slices of one size, ndarray (slices, rows, columns).

    They are 0 outside the mask's grid.
    """
    rows, columns = slices[0].rows, slices[0].columns
    found = np.zeros((len(slices), rows, columns), mask.data.dtype)
    column, row = np.meshgrid(np.arange(columns), np.arange(rows))
    pixels = np.stack([column, row, np.zeros_like(row)], axis=-1).reshape(-1, 3)
    for place, values in zip(slices, found, strict=True):
        voxels = np.rint(mask.to_voxels(apply_affine(place.affine, pixels))).astype(int)
        inside = ((voxels >= 0) & (voxels < mask.shape)).all(axis=1)
        values.reshape(-1)[inside] = mask.data[tuple(voxels[inside].T)]
    return found


def write_segmentation(prediction, path: Path) -> Path:
    """Write one segment per microbleed; a scan without any gets one empty segment.

    Parameters
    ----------
    prediction : Prediction
        Of a DICOM series; its source names the files.
    path : Path
        Where to.

    Raises
    ------
    DicomError
        If highdicom is not installed or lacks something in the series, or the series is neither
        one of single slices nor one multi-frame (enhanced) object whose frames have one
        orientation and pixel size.
    """
    try:
        import highdicom as hd
        from pydicom.sr.codedict import codes
        from pydicom.uid import ExplicitVRLittleEndian
    except ModuleNotFoundError:
        raise DicomError(f"DICOM SEG: expected the package highdicom; {INSTALL}") from None

    datasets = [
        without_more_of_the_patient(pydicom().dcmread(file)) for file in prediction.source.files
    ]
    frames = on_slices(prediction.mask, planes(datasets, prediction.source.path))
    lost = set(np.unique(prediction.mask.data)) - set(np.unique(frames))
    if lost:
        raise DicomError(
            f"{prediction.source.path}: expected every microbleed on a slice of the series, "
            f"found none for {sorted(int(v) for v in lost)}"
        )
    version = prediction.record["software"]["cmbkit"] or "unknown"
    algorithm = hd.AlgorithmIdentificationSequence(
        name="cmbkit",
        version=version,
        family=codes.cid7162.ArtificialIntelligence,
        parameters={"weights": prediction.record["weights"]["digest"]},
    )
    numbers = sorted(int(v) for v in prediction.table["id"]) or [1]
    rows = prediction.table.set_index("id")
    descriptions = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=_label(rows, number),
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Hemorrhage,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            tracking_uid=hd.UID(),
            tracking_id=f"Microbleed {number}",
        )
        for number in numbers
    ]
    try:
        segmentation = hd.seg.Segmentation(
            source_images=datasets,
            pixel_array=frames,
            segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=descriptions,
            series_instance_uid=hd.UID(),
            series_number=SERIES_NUMBER,
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer="cmbkit",
            manufacturer_model_name="cmbkit predict",
            software_versions=version,
            device_serial_number=prediction.record["weights"]["digest"][:16],
            content_label="MICROBLEEDS",
            content_description="Cerebral microbleeds, research only",
            series_description="Cerebral microbleeds (research only)",
            transfer_syntax_uid=ExplicitVRLittleEndian,
            omit_empty_frames=len(rows) > 0,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        told = without_values(str(error), datasets[0])
        raise DicomError(
            f"{prediction.source.path}: DICOM SEG: highdicom does not take the series: {told}"
        ) from None
    segmentation.save_as(path)
    return path


def _label(rows, number: int) -> str:
    if number not in rows.index:
        return "No microbleed found"
    row = rows.loc[number]
    return f"Microbleed {number}: {row['region']}, {row['side']}"[:64]
