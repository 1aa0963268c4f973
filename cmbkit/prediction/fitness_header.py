"""What headers say about a scan's fitness: DICOM or BIDS fields, and the name of a BIDS file."""

from __future__ import annotations

import re
from pathlib import Path

from cmbkit.prediction.fitness import Fitness

TE_TESLA = (25.0, 250.0)
"""TE in ms times field strength in tesla of T2*-weighted images; 75 is usual."""
USUAL_TESLA = 3.0
THICK_MM, COARSE_MM, GAP = 6.5, 1.5, 1.3

PROJECTION = "a minimum-intensity projection (places lie up to half its thickness off)"
PHASE = "a phase image"
NO_MAGNITUDE = "an image that is no magnitude"
MAP = "a map that was computed"
_TOKENS = (
    ("against", PHASE, "P PHASE PHASE_MAP FIELDMAPHZ B0 B0_MAP FIELD_MAP DELTAB0"),
    ("against", NO_MAGNITUDE, "REAL IMAGINARY R I"),
    ("against", MAP, "T1_MAP T2_MAP T2_STAR_MAP R2_MAP R2_STAR_MAP QSM ADC FA TRACE"),
    ("against", "a localizer", "LOCALIZER SCOUT"),
    ("doubts", PROJECTION, "MNIP MINIP MIN_IP MIP PROJECTION_IMAGE"),
    ("doubts", "a contrast other than T2*",
     "T1 T2 FLUID_ATTENUATED DIFFUSION PERFUSION PROTON_DENSITY TOF STIR"),
    ("doubts", "a projected or reformatted image", "MPR CSAPARALLEL SUBTRACTION"),
)  # fmt: skip
"""Values of ImageType; the first match of each line counts."""
_WORDS = (
    ("against", PHASE, r"pha|phase|filt_?pha|ph_?map"),
    ("against", MAP, r"qsm|chimap|(t2|r2)(\*|star|s|_star)?[ _-]?map|adc"),
    ("doubts", PROJECTION, r"min_?ip|mip|mnip"),
    ("doubts", "a field map", r"field[ _-]?map(ping)?|fmap|b0[ _-]?map"),
    ("doubts", "T1-weighted by its name", r"t1w?|mp2?rage|bravo|tof"),
    ("doubts", "T2-weighted by its name", r"t2w|t2(?=[ _-]*(sag|cor|ax|tra))|tse|fse|haste|space"),
    ("doubts", "FLAIR by its name", r"\w*flair\w*|tirm|stir"),
    ("doubts", "diffusion or functional by its name", r"dwi|dti|bold|fmri|asl|perf\w*"),
)  # fmt: skip
"""Whole words of SeriesDescription and ProtocolName."""
_ENTITIES = (
    ("against", PHASE, r"part-phase|(acq|rec|desc)-[a-z0-9]*phase[a-z0-9]*"),
    ("against", NO_MAGNITUDE, r"part-(real|imag)"),
    ("against", MAP, r"(acq|rec|desc)-[a-z0-9]*(qsm|chi|r2star|t2star)map"),
    ("doubts", PROJECTION, r"(acq|rec|desc)-[a-z0-9]*(mip|minip|mnip)[a-z0-9]*"),
)
_SUFFIXES = {
    "phase": ("against", PHASE),
    **dict.fromkeys(("T2starmap", "R2starmap", "Chimap", "T1map", "T2map"), ("against", MAP)),
    "minIP": ("doubts", PROJECTION),
    **dict.fromkeys(
        ("T1w", "T2w", "FLAIR", "PDw", "bold", "dwi", "angio", "asl", "epi"),
        ("doubts", "a contrast other than T2* by its name"),
    ),
}
HEADS = re.compile(
    r"head|brain|skull|cranium|neuro|cereb|kopf|schaedel|tete|cabeza|unknown|none", re.I
)
OTHER_PARTS = re.compile(
    r"ankle|foot|feet|toe|knee|leg|thigh|femur|hip|pelvis|abdomen|liver|kidney|prostate|uterus|"
    r"chest|thorax|breast|heart|lung|shoulder|arm|elbow|wrist|hand|finger|extremity|[tl]-?spine",
    re.I,
)


def judge_header(fields: dict, name: str, spacing) -> Fitness:
    """Rules on fields of a header or JSON sidecar, and on the name of the file.

    Parameters
    ----------
    fields : dict
        Of dcm2niix or BIDS: ImageType, Modality, BodyPartExamined, SeriesDescription,
        ProtocolName, PhotometricInterpretation, EchoTime (s), MagneticFieldStrength (T),
        ScanningSequence, InversionTime, SliceThickness, SpacingBetweenSlices (mm); all optional.
    name : str
        Of the file, without its ending.
    spacing : (3,) float
        Voxel size in mm.
    """
    found: dict[str, list[str]] = {"against": [], "doubts": []}
    for weight, reason in [
        *_by_type(fields),
        *_by_words(fields),
        *_by_name(name),
        *_by_kind(fields),
        *_by_sequence(fields),
        *_by_sampling(fields, spacing),
    ]:
        found[weight].append(reason)
    return Fitness(tuple(found["against"]), tuple(found["doubts"])) + Fitness()


def _texts(fields: dict, *keys: str) -> list[str]:
    values = [fields.get(key) or () for key in keys]
    return [str(v) for value in values for v in ([value] if isinstance(value, str) else value)]


def _by_type(fields: dict):
    said = _texts(fields, "ImageType", "ImageTypeText", "ComplexImageComponent")
    tokens = {re.sub(r"[ *]+", "_", token.strip().upper()) for token in said}
    for weight, reason, words in _TOKENS:
        hit = tokens & set(words.split())
        if hit:
            yield weight, f"{reason} (ImageType {', '.join(sorted(hit))})"


def _by_words(fields: dict):
    for text in dict.fromkeys(_texts(fields, "SeriesDescription", "ProtocolName")):
        for weight, reason, words in _WORDS:
            hit = re.search(rf"(?<![a-z0-9])({words})(?![a-z0-9*])", text, re.I)
            if hit:  # the rest may say whose scan it is
                yield weight, f"{reason} ({hit[0]!r})"


def _by_name(name: str):
    parts = name.split("_")
    if parts[-1] in _SUFFIXES:
        yield _SUFFIXES[parts[-1]]
    for weight, reason, entity in _ENTITIES:
        hit = next((part for part in parts if re.fullmatch(entity, part, re.I)), None)
        if hit:
            yield weight, f"{reason} ({hit})"


def _by_kind(fields: dict):
    modality = fields.get("Modality") or "MR"
    if modality != "MR":
        yield "against", f"modality {modality}"
    photometric = fields.get("PhotometricInterpretation") or "MONOCHROME2"
    if photometric != "MONOCHROME2":
        yield "against", f"pixels stored as {photometric}"
    part = " ".join(_texts(fields, "BodyPartExamined", "BodyPart")).strip()
    if part and not HEADS.search(part):
        yield ("against" if OTHER_PARTS.search(part) else "doubts"), f"body part {part}"


def _by_sequence(fields: dict):
    kinds = {k for text in _texts(fields, "ScanningSequence") for k in re.split(r"[\\,_ ]+", text)}
    if "SE" in kinds and "GR" not in kinds and "EP" not in kinds:
        yield "doubts", "a spin echo (microbleeds are seen on gradient echoes)"
    if "EP" in kinds:
        yield "doubts", "an echo-planar image (distorted, signal lost at the skull base)"
    if "IR" in kinds or (number_of(fields, "InversionTime") or 0) > 0:
        yield "doubts", "an inversion recovery"
    te = number_of(fields, "EchoTime")
    if te is None:
        return
    te = te if te >= 1 else 1000 * te  # seconds in BIDS; some write milliseconds
    tesla = number_of(fields, "MagneticFieldStrength") or USUAL_TESLA
    low, high = (limit / tesla for limit in TE_TESLA)
    if not low <= te <= high:
        yield "doubts", f"TE {te:.3g} ms at {tesla:g} T (T2* weighting: {low:.0f} to {high:.0f} ms)"


def _by_sampling(fields: dict, spacing):
    in_plane, apart = sorted(map(float, spacing))[1], float(max(spacing))
    if in_plane > COARSE_MM:
        yield "doubts", f"voxels of {in_plane:.3g} mm within the slice (small microbleeds vanish)"
    if apart > THICK_MM:
        yield "doubts", f"slices {apart:.3g} mm apart"
    thickness = number_of(fields, "SliceThickness")
    if thickness and apart > GAP * thickness and apart - thickness > 0.5:
        yield "doubts", f"slices of {thickness:.3g} mm {apart:.3g} mm apart: gaps are not seen"


def number_of(fields: dict, key: str) -> float | None:
    """A field that is a number; None of any other."""
    value = fields.get(key)
    return float(value) if isinstance(value, int | float) else None


def fields_beside(image: Path) -> dict:
    """Fields of the JSON sidecars of a NIfTI file: its own, and in BIDS those it inherits."""
    from cmbkit.datasets.bids import inherited_fields
    from cmbkit.datasets.sources import DatasetError, read_fields, sidecar_of

    try:
        subject = next((p for p in image.parents if p.name.startswith("sub-")), None)
        above = inherited_fields(subject.parent, image) if subject else {}
        return above | read_fields(sidecar_of(image))
    except (DatasetError, OSError):  # what predict does not need does not stop it
        return {}
