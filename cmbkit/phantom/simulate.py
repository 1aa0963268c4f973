"""One synthetic scan: a patient, what is in the head, and the scanner's picture of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cmbkit.phantom import lesions, scanner, veins
from cmbkit.phantom.head import Contrast, Patient
from cmbkit.phantom.profiles import Protocol
from cmbkit.phantom.template import CAVITIES
from cmbkit.volume import Volume

WHITE_MATTER_SIGNAL = 400.0  # in the units of the written int16 images


@dataclass(frozen=True)
class Simulated:
    """A synthetic scan.

    Attributes
    ----------
    image : Volume
        int16-valued float32, in the protocol's orientation.
    masks : Volume
        uint8, one label per microbleed in the order of ``microbleeds``.
    brain : Volume or None
        uint8; only for skull-stripped protocols.
    microbleeds : list of Blob
    centres_mm : ndarray, shape (n, 3)
        RAS mm of the written image.
    structures : list of dict
        Rows of ``phantom_truth.tsv``, without the scan's name.
    """

    image: Volume
    masks: Volume
    brain: Volume | None
    microbleeds: list[lesions.Blob]
    centres_mm: np.ndarray
    structures: list[dict]


def _scanner_frame(tilt_deg: float, rng: np.random.Generator) -> np.ndarray:
    """Affine, shape (4, 4), from the patient's frame to the scanner's RAS mm."""
    angle = np.deg2rad(rng.uniform(-tilt_deg, tilt_deg))
    frame = np.eye(4)
    frame[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    frame[:3, 3] = np.round(rng.normal(0, 8, 3), 2)
    return frame


def stamp_blobs(image: np.ndarray, blobs, centres, grid: scanner.Grid) -> np.ndarray:
    """Draw all blobs into the image; returns one label per microbleed (half of its own peak)."""
    labels = np.zeros(grid.shape, np.uint8)
    number = 0
    for blob, centre in zip(blobs, centres, strict=True):
        number += blob.kind == "cmb"
        fine = max(scanner.FINE_MM, blob.radius_mm / 14)
        placed = scanner.stamp(blob.draw, centre, blob.half_mm, grid, fine)
        if placed is None:
            continue
        box, loss = placed
        image[box] *= 1 - np.minimum(loss, 1)
        if blob.kind == "cmb":
            labels[box][loss >= 0.5 * loss.max()] = number
    return labels


def _window(patient: Patient, protocol: Protocol, crop: bool, rng: np.random.Generator):
    low, high = patient.bounding_box(protocol.head)
    if crop:  # the lowest and highest slices are missing
        low, high = low.copy(), high.copy()
        low[2] += rng.uniform(15, 30)
        high[2] -= rng.uniform(5, 15)
    return low, high


def simulate(
    protocol: Protocol,
    *,
    patient_seed,
    scan_seed,
    radii_mm,
    pathology: float = 0.0,
    crop: bool = False,
    new_radii_mm=(),
) -> Simulated:
    """Make one scan.

    Parameters
    ----------
    protocol : Protocol
    patient_seed, scan_seed : sequence of int
        The patient's seed fixes anatomy, vessels, mimics and the microbleeds of ``radii_mm``;
        the scan's seed fixes grid, contrast, noise and the microbleeds of ``new_radii_mm``.
    radii_mm : sequence of float
        Radii of the patient's microbleeds, mm.
    pathology : float
        Chance of an infarct or a haemorrhage.
    crop : bool
        Leave out the lowest and the highest slices.
    new_radii_mm : sequence of float
        Microbleeds that appeared since the first time point.
    """
    patient = Patient(patient_seed)
    body, rng = np.random.default_rng([*patient_seed, 1]), np.random.default_rng(scan_seed)
    low, high = _window(patient, protocol, crop, body)
    grid = scanner.make_grid(protocol, low, high, np.random.default_rng([*patient_seed, 2]))
    frame = _scanner_frame(protocol.tilt_deg, rng)

    def accept(mni) -> bool:
        return bool(grid.contains(patient.from_template(np.atleast_2d(mni)))[0])

    tubes = veins.draw_tubes(protocol.sequence, body)
    blobs = lesions.draw_mimics(patient.age, body, accept)
    blobs += lesions.draw_pathology(body, accept, pathology)
    cmbs = lesions.draw_microbleeds(radii_mm, protocol.sequence, body, accept, avoid=blobs)
    cmbs += lesions.draw_microbleeds(
        new_radii_mm, protocol.sequence, rng, accept, avoid=blobs + cmbs
    )
    blobs += cmbs

    contrast = Contrast.draw(protocol.sequence, rng)
    signal, brain, start = patient.render(contrast, low, high, protocol.head)
    signal *= scanner.bias_field(signal.shape, rng, 0.03 if not protocol.head else 0.09)
    image = scanner.sample(signal, start, 1.0, grid)

    points, sigmas, masses, middles = veins.as_gaussians(tubes, patient.from_template)
    loss = np.zeros(grid.shape, np.float32)
    scanner.add_gaussians(loss, grid, points, sigmas, masses)
    dark = loss > 0
    image[dark] *= np.exp(-loss[dark])
    centres = patient.from_template([b.mni for b in blobs]) if blobs else np.zeros((0, 3))
    labels = stamp_blobs(image, blobs, centres, grid)
    image = scanner.magnitude_noise(image, 1 / rng.uniform(*protocol.snr), rng)
    image *= WHITE_MATTER_SIGNAL
    np.rint(image, out=image)

    affine = frame @ np.block(
        [[np.diag(grid.spacing), grid.start[:, None]], [np.zeros((1, 3)), np.ones((1, 1))]]
    )
    axes = protocol.orientations[int(rng.integers(len(protocol.orientations)))]
    brain_volume = None
    if brain is not None:
        inside = scanner.sample(brain, start, 2.0, grid) > 0.5
        image *= inside
        brain_volume = Volume(inside.astype(np.uint8), affine).reoriented(axes)

    def to_world(where):
        return np.asarray(where) @ frame[:3, :3].T + frame[:3, 3]

    return Simulated(
        Volume(image, affine).reoriented(axes),
        Volume(labels, affine).reoriented(axes),
        brain_volume,
        cmbs,
        to_world(centres[[b.kind == "cmb" for b in blobs]]),
        _structures(blobs, to_world(centres), tubes, to_world(middles), grid, middles)
        + [
            truth_row("edge", centre, reach, 0)
            for centre, (_, reach) in zip(to_world(patient.cavities()), CAVITIES, strict=True)
        ],
    )


def _structures(blobs, centres, tubes, middles, grid, middles_patient) -> list[dict]:
    rows = [truth_row(b.kind, c, b.radius_mm, b.label) for b, c in zip(blobs, centres, strict=True)]
    inside = grid.contains(middles_patient)
    labels = lesions.label_at([t.path[len(t.path) // 2] for t in tubes])
    for tube, middle, label, here in zip(tubes, middles, labels, inside, strict=True):
        if here:
            rows.append(truth_row(tube.kind, middle, tube.radius_mm, label))
    return rows


def truth_row(kind: str, centre, radius: float, label: int) -> dict:
    """Row of ``phantom_truth.tsv`` without the scan's name; centre and radius in mm."""
    x, y, z = (round(float(v), 3) for v in centre)
    return {
        "kind": kind,
        "x_mm": x,
        "y_mm": y,
        "z_mm": z,
        "radius_mm": round(float(radius), 3),
        "synthseg_label": int(label),
    }
