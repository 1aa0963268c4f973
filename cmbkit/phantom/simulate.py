"""One synthetic scan: a patient, what is in the head, and the scanner's picture of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cmbkit.ball import ball_radius
from cmbkit.phantom import lesions, mimics, physical, scanner, sources, veins, wide
from cmbkit.phantom.head import Contrast, Patient
from cmbkit.phantom.profiles import Protocol
from cmbkit.phantom.template import CAVITIES
from cmbkit.phantom.tissues import GradientEcho
from cmbkit.volume import Volume

MODELS = ("contrast", "physical")
TOGETHER_SHARE = 0.12  # of a scan's microbleeds that lie beside another
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
        Those that raters mark; the physical model leaves out what has no visible region.
    centres_mm : ndarray, shape (n, 3)
        RAS mm of the written image; in the physical model as a rater would point at them.
    structures : list of dict
        Rows of ``phantom_truth.tsv``, without the scan's name.
    acquisition : GradientEcho or None
        What the physical model scanned with.
    phase : Volume or None
        High-pass filtered phase in rad; SWI of the physical model.
    """

    image: Volume
    masks: Volume
    brain: Volume | None
    microbleeds: list[lesions.Blob]
    centres_mm: np.ndarray
    structures: list[dict]
    acquisition: GradientEcho | None = None
    phase: Volume | None = None


@dataclass(frozen=True)
class Scene:
    """What lies before the scanner: patient, field of view (mm), grid, vessels and structures."""

    protocol: Protocol
    patient: Patient
    low: np.ndarray
    high: np.ndarray
    grid: scanner.Grid
    tubes: list[veins.Tube]
    blobs: list[lesions.Blob]
    centres: np.ndarray


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
    model: str = "contrast",
    projected: bool = False,
    shares=lesions.REGION_SHARES,
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
    model : {"contrast", "physical"}
        "contrast": a structure takes a drawn share of the signal, and voxels average magnitudes.
        "physical": susceptibility, field and complex signal (`cmbkit.phantom.physical`).
    projected : bool
        A minimum-intensity projection (physical model).
    shares : dict of str to float
        Of the microbleeds, by region (`lesions.REGIONS`).
    """
    rng = np.random.default_rng(scan_seed)
    scene, frame = _scene(
        protocol, patient_seed, rng, radii_mm, pathology, crop, new_radii_mm, model, shares
    )
    acquisition = None
    if model == "contrast":
        picture, brain, start = _by_contrast(scene, rng)
    else:
        acquisition = physical.draw_acquisition(protocol, np.random.default_rng([*scan_seed, 3]))
        direction = frame[:3, :3].T @ [0, 0, 1]
        picture, brain, start = physical.picture(scene, acquisition, direction, rng, projected)
    image = picture.image
    image *= WHITE_MATTER_SIGNAL
    np.rint(image, out=image)

    grid = scene.grid
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

    phase = None if picture.phase is None else Volume(picture.phase, affine).reoriented(axes)
    structures = _structures(scene, to_world, picture.labels, model)
    is_cmb = np.array([b.kind == "cmb" for b in scene.blobs], bool)
    cmbs = [blob for blob in scene.blobs if blob.kind == "cmb"]
    points, seen = to_world(scene.centres[is_cmb]), np.arange(len(cmbs))
    if model == "physical":  # nobody marks what cannot be seen; the truth keeps it
        seen = np.unique(picture.marked[picture.marked > 0]).astype(int) - 1
        rater = np.random.default_rng([*scan_seed, 6])
        points = points + rater.normal(0, physical.POINT_SD_MM, points.shape)
    number = np.zeros(len(cmbs) + 1, np.uint8)
    number[seen + 1] = np.arange(len(seen)) + 1
    return Simulated(
        Volume(image, affine).reoriented(axes),
        Volume(number[picture.marked], affine).reoriented(axes),
        brain_volume,
        [cmbs[index] for index in seen],
        points[seen],
        structures,
        acquisition,
        phase,
    )


def _scene(protocol, patient_seed, rng, radii_mm, pathology, crop, new_radii_mm, model, shares):
    """Patient, grid and structures, and the affine (4, 4) from the grid's mm to the scanner's."""
    patient, body = Patient(patient_seed), np.random.default_rng([*patient_seed, 1])
    low, high = _window(patient, protocol, crop, body)
    grid = scanner.make_grid(protocol, low, high, np.random.default_rng([*patient_seed, 2]))
    frame = _scanner_frame(protocol.tilt_deg, rng)

    def accept(mni) -> bool:
        return bool(grid.contains(patient.from_template(np.atleast_2d(mni)))[0])

    tubes = veins.draw_tubes(protocol.sequence, body)
    blobs = lesions.draw_mimics(patient.age, body, accept)
    if model == "physical":  # the same structures, other veins and more mimics
        more = np.random.default_rng([*patient_seed, 4])
        tubes = veins.draw_trees(more)
        tubes += mimics.draw_vessels(tubes, more)
        blobs += mimics.draw_calcified(more, accept)
    if protocol.stray:
        more = np.random.default_rng([*patient_seed, 13])
        tubes += wide.draw_stray(protocol.stray, more)
        blobs += wide.draw_plexus(more, accept)
    blobs += lesions.draw_pathology(body, accept, pathology)
    cmbs = lesions.draw_microbleeds(
        radii_mm,
        protocol.sequence,
        body,
        accept,
        avoid=blobs,
        shares=shares,
        together=TOGETHER_SHARE,
    )
    cmbs += lesions.draw_microbleeds(
        new_radii_mm, protocol.sequence, rng, accept, avoid=blobs + cmbs, shares=shares
    )
    blobs += cmbs
    centres = patient.from_template([b.mni for b in blobs]) if blobs else np.zeros((0, 3))
    return Scene(protocol, patient, low, high, grid, tubes, blobs, centres), frame


def _by_contrast(scene: Scene, rng: np.random.Generator):
    """Picture of the contrast model, brain mask (2 mm) or None, first sample (mm)."""
    protocol, patient, grid = scene.protocol, scene.patient, scene.grid
    contrast = Contrast.draw(protocol.sequence, rng)
    if protocol.contrast_sd:
        contrast = contrast.varied(protocol.contrast_sd, rng)
    signal, brain, start = patient.render(contrast, scene.low, scene.high, protocol.head)
    signal *= scanner.bias_field(signal.shape, rng, 0.03 if not protocol.head else 0.09)
    image = scanner.sample(signal, start, 1.0, grid)
    loss = np.zeros(grid.shape, np.float32)
    beads = veins.as_gaussians(scene.tubes, patient.from_template)
    scanner.add_gaussians(loss, grid, *beads)
    dark = loss > 0
    image[dark] *= np.exp(-loss[dark])
    labels = stamp_blobs(image, scene.blobs, scene.centres, grid)
    image = scanner.magnitude_noise(image, 1 / rng.uniform(*protocol.snr), rng)
    return physical.Picture(image, None, labels, labels), brain, start


def _structures(scene: Scene, to_world, regions: np.ndarray, model: str) -> list[dict]:
    rows = []
    for blob, centre in zip(scene.blobs, to_world(scene.centres), strict=True):
        row = truth_row(blob.kind, centre, blob.radius_mm, blob.label)
        if model == "physical" and blob.kind in ("cmb", "calcification"):
            row["radius_mm"], row["chi_ppm"] = (round(v, 3) for v in sources.source_of(blob))
        rows.append(row | {"place": blob.place})
    cmbs = [row for row in rows if row["kind"] == "cmb"]
    voxels = np.bincount(regions[regions > 0], minlength=len(cmbs) + 1)[1:]
    for row, count in zip(cmbs, voxels, strict=True):
        row["visible_mm3"] = round(float(count * np.prod(scene.grid.spacing)), 3)
        row["visible_radius_mm"] = round(ball_radius(row["visible_mm3"]), 3)
    middles = np.array([t.path[len(t.path) // 2] for t in scene.tubes])
    middles_patient = scene.patient.from_template(middles)
    labels, inside = lesions.label_at(middles), scene.grid.contains(middles_patient)
    for tube, middle, label, here in zip(
        scene.tubes, to_world(middles_patient), labels, inside, strict=True
    ):
        if here:
            rows.append(truth_row(tube.kind, middle, tube.radius_mm, label))
    for centre, (_, reach) in zip(to_world(scene.patient.cavities()), CAVITIES, strict=True):
        rows.append(truth_row("edge", centre, reach, 0))
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
