"""A scan put together: what its header, its sidecar and the dataset's papers say of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cmbkit.datasets.sources import DatasetError, Header, mask_content, read_fields, sidecar_of
from cmbkit.records import Acquisition, Annotation, Scan

NOMINAL_TESLA = (1.5, 3.0, 7.0)
TIMES = {"Echo": 1.0, "Repetition": 60.0}
"""Seconds that a time in a sidecar stays below; more means that it is in milliseconds."""
THICKEST_MM = 50.0


@dataclass(frozen=True)
class Published:
    """Acquisition of a dataset as published (Table 4.1), where no sidecar says otherwise.

    Field strength in tesla as text, times in ms, flip angle in degrees.
    """

    field_strength: str | None = None
    te_ms: float | None = None
    tr_ms: float | None = None
    flip_deg: float | None = None
    site: str | None = None


def _number(fields: dict, key: str, image: Path, unit: str, below: float) -> float | None:
    value = fields.get(key)
    if value is None:
        return None
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (known and 0 <= value < below):
        raise DatasetError(
            f"{image}: {key} in its JSON sidecar: expected {unit} from 0 to {below:g}, "
            f"found {value!r}; correct the sidecar"
        )
    return float(value)


def tesla_text(tesla: float) -> str:
    """Field strength as text: ``"1.5"``, ``"3"`` or ``"7"`` when within 0.2 T, else the number."""
    nearest = min(NOMINAL_TESLA, key=lambda nominal: abs(nominal - tesla))
    return f"{nearest if abs(nearest - tesla) < 0.2 else tesla:g}"


def acquisition(header: Header, published: Published, fields: dict | None = None) -> Acquisition:
    """Combine header, BIDS sidecar and the published values.

    MagneticFieldStrength (T), EchoTime and RepetitionTime (s), FlipAngle (degrees) and
    InstitutionAddress win over what was published for the dataset, SliceThickness (mm) over the
    distance of slices. ``fields`` are those of the optional ``<image>.json`` unless given.
    """
    image = header.path
    if fields is None:
        fields = read_fields(sidecar_of(image))
    tesla = _number(fields, "MagneticFieldStrength", image, "tesla", 25)
    te, tr = (_number(fields, f"{name}Time", image, "s", most) for name, most in TIMES.items())
    in_plane, apart = _resolution(header)
    thick = _number(fields, "SliceThickness", image, "mm", THICKEST_MM)
    measured = {
        "field_strength": None if tesla is None else tesla_text(tesla),
        "te_ms": None if te is None else round(1000 * te, 4),
        "tr_ms": None if tr is None else round(1000 * tr, 4),
        "flip_deg": _number(fields, "FlipAngle", image, "degrees", 360),
        "site": fields.get("InstitutionAddress"),
    }
    chosen = {
        name: getattr(published, name) if value is None else value
        for name, value in measured.items()
    }
    return Acquisition(in_plane, thick or apart, **chosen)


def _resolution(header: Header) -> tuple[tuple[float, float], float]:
    small, middle, large = sorted(header.spacing)
    return (small, middle), large


def mask_annotation(mask: Path, labelled: bool = False) -> Annotation:
    """Kind "mask", or "none" where the mask is empty."""
    try:
        kind = "mask" if mask_content(mask).values else "none"
    except DatasetError as error:
        raise DatasetError(str(error), [Annotation("unknown", mask_path=mask)]) from None
    return Annotation(kind, mask_path=mask, labelled=labelled)


def make_scan(
    header: Header,
    annotate: Callable[[], Annotation],
    published: Published,
    fields: Callable[[], dict] | None = None,
    **identity,
) -> Scan:
    """Put a scan together from its header, its annotation and its acquisition.

    Parameters
    ----------
    header : Header
        Of the image.
    annotate : callable
        Reads the annotation; may raise DatasetError, whose ``readable`` may hold an Annotation
        without what was at fault.
    fields : callable, optional
        Reads what `acquisition` takes as fields; may raise DatasetError.
    **identity
        dataset, patient, scan, sequence.

    Raises
    ------
    DatasetError
        With all that is wrong; its ``readable`` holds the scan without that.
    """
    problems = []
    acquired, annotation = Acquisition(*_resolution(header)), Annotation("unknown")
    try:
        acquired = acquisition(header, published, fields() if fields else None)
    except DatasetError as error:
        problems.append(str(error))
    try:
        annotation = annotate()
    except DatasetError as error:
        problems.append(str(error))
        annotation = next(iter(error.readable), annotation)
    scan = Scan(image=header.path, annotation=annotation, acquisition=acquired, **identity)
    if problems:
        raise DatasetError("\n".join(problems), [scan])
    return scan
