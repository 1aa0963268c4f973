"""The scanner's picture of a head from its physics: susceptibility to complex signal to image.

1. Maps of tissue on a 1 mm grid (`head.Patient.render`), their field by convolution with the
   dipole, the signal exp(i (2 pi gamma dB TE + phi0)) with the receiver's own smooth phase phi0.
2. Within a sample the field's slope g (ppm) dephases the signal by sinc(gamma B0 TE g) per axis.
3. The signal is averaged as a complex number over pixel and slice (`scanner.sample`).
4. Veins, bleeds and calcifications change it by their closed forms (`dephasing`).
5. Complex noise, k-space as far as it was acquired, and the dataset's kind of image
   (`reconstruction`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cmbkit.phantom import dephasing, reconstruction, scanner, sources
from cmbkit.phantom.field import HERTZ_PER_PPM_TESLA, dipole_field, phase_per_ppm
from cmbkit.phantom.profiles import Protocol
from cmbkit.phantom.tissues import WHITE, GradientEcho, drawn_factors

VISIBLE_LOSS = 0.2  # share of the signal lost on the image without noise
FIELD_MARGIN = 24  # samples of water around the maps before the field is computed
MARKED_LOSS = (0.15, 0.35)  # by what share a rater, who differs by bleed, draws a mask
POINT_SD_MM = 0.3  # of a rater's point, along each axis
PROJECTED_MM = 10.0  # thickness of a minimum-intensity projection


@dataclass(frozen=True)
class Picture:
    """What comes out of the scanner, on its grid.

    Attributes
    ----------
    image, phase : ndarray of ``grid.shape``, float32
        Image with white matter near 1, and high-pass filtered phase in rad (None for T2*).
    labels : ndarray of ``grid.shape``, uint8
        Visible region of each microbleed: at least `VISIBLE_LOSS` lost on the ideal image.
    marked : ndarray of ``grid.shape``, uint8
        What a rater takes for it: the region of a loss drawn from `MARKED_LOSS`; none where
        nothing is visible.
    """

    image: np.ndarray
    phase: np.ndarray | None
    labels: np.ndarray
    marked: np.ndarray


def draw_acquisition(protocol: Protocol, rng: np.random.Generator) -> GradientEcho:
    """Echo and repetition time, angle and field of one scan, as they stand in its sidecar."""
    tesla = float(rng.choice(protocol.field_strength))
    te = protocol.te_ms if tesla > 2 or protocol.te_low_field_ms is None else (
        protocol.te_low_field_ms
    )  # fmt: skip
    return GradientEcho(
        round(rng.uniform(*te), 1),
        round(rng.uniform(*protocol.tr_ms), 1),
        round(rng.uniform(*protocol.flip_deg)),
        tesla,
        drawn_factors(protocol.contrast_sd, rng),
    )


def asked_snr(protocol: Protocol, grid: scanner.Grid, acquisition: GradientEcho, drawn: float):
    """White matter over noise: ``drawn`` for the protocol's middle voxel, echo and field.

    In proportion to voxel volume, field strength and white matter's signal at the echo.
    """
    slices = np.mean(protocol.slice_thickness_mm) or np.mean(protocol.slice_spacing_mm)
    volume = np.prod(grid.width) / (np.mean(protocol.in_plane_mm) ** 2 * slices)
    middle = GradientEcho(*(float(np.mean(v)) for v in (
        protocol.te_ms, protocol.tr_ms, protocol.flip_deg, protocol.field_strength)))  # fmt: skip
    signal = acquisition.magnitude(WHITE) / middle.magnitude(WHITE)
    return drawn * volume * signal * acquisition.tesla / middle.tesla


def complex_signal(magnitude, chi, acquisition: GradientEcho, direction, rng):
    """Real and imaginary signal on the grid of the maps, 1 mm apart; the module's steps 1 and 2."""
    field = dipole_field(chi, (1, 1, 1), direction, FIELD_MARGIN)
    turns = acquisition.te_ms / 1000 * HERTZ_PER_PPM_TESLA * acquisition.tesla
    for axis in range(3):
        slope = np.gradient(field, axis=axis)
        slope *= np.float32(turns)
        steep = np.abs(slope) > 0.05  # sinc is over .995 elsewhere
        magnitude[steep] *= np.sinc(np.minimum(np.abs(slope[steep]), 1))
    phase = np.float32(phase_per_ppm(acquisition.te_ms, acquisition.tesla)) * field
    phase += 2 * np.log(scanner.bias_field(field.shape, rng, 0.5))
    real = np.cos(phase)
    real *= magnitude
    np.sin(phase, out=phase)
    phase *= magnitude
    return real, phase


def sampled(signal, start, grid: scanner.Grid) -> np.ndarray:
    """Real and imaginary signal averaged over the grid's voxels; complex64."""
    image = np.empty(grid.shape, np.complex64)
    image.real = scanner.sample(signal[0], start, 1.0, grid)
    image.imag = scanner.sample(signal[1], start, 1.0, grid)
    return image


def add_structures(image, scene, acquisition: GradientEcho, direction, rng):
    """Let veins, bleeds and their mimics change the image, in place; returns as `imprint`."""
    segments = sources.segments_of(scene.tubes, scene.patient.from_template, acquisition, rng)
    changes = dephasing.tube_changes(segments, scene.grid, direction)
    changes += 1
    image *= changes
    weighted = scene.protocol.sequence == "SWI"
    return imprint(image, scene.blobs, scene.centres, scene.grid, acquisition, direction, weighted)


def imprint(image, blobs, centres, grid, acquisition: GradientEcho, direction, weighted: bool):
    """Let bleeds and their mimics change the image, in place.

    Returns
    -------
    labels, marked : ndarray of ``grid.shape``, uint8
        Visible and marked region of the microbleeds (`Picture`), numbered in their order.
    """
    labels, marked = np.zeros((2, *grid.shape), np.uint8)
    number = 0
    for blob, centre in zip(blobs, centres, strict=True):
        number += blob.kind == "cmb"
        if blob.kind == "infarct":
            placed = scanner.stamp(blob.draw, centre, blob.half_mm, grid)
            if placed is not None:
                image[placed[0]] *= 1 - placed[1]
            continue
        spheres = sources.spheres_of(blob, centre, acquisition)
        placed = dephasing.sphere_modulation(spheres, grid, direction)
        if placed is None:
            continue
        box, factor = placed
        image[box] *= factor
        if blob.kind == "cmb":
            lost = loss(factor, weighted)
            labels[box][lost >= VISIBLE_LOSS] = number
            share = np.random.default_rng([blob.seed, 2]).uniform(*MARKED_LOSS)
            if lost.max() >= VISIBLE_LOSS:
                marked[box][lost >= min(share, lost.max())] = number
    return labels, marked


def loss(factor: np.ndarray, weighted: bool) -> np.ndarray:
    """Share of signal lost on the ideal image: T2* magnitude, or SWI (``weighted``)."""
    shown = np.abs(factor)
    return 1 - (shown * reconstruction.negative_mask(-np.angle(factor)) if weighted else shown)


def _tissue(scene, acquisition: GradientEcho, direction, rng):
    """Complex image of the head without small sources; brain mask (2 mm), first sample (mm)."""
    head, grid = scene.protocol.head, scene.grid
    (magnitude, chi), brain, start = scene.patient.render(acquisition, scene.low, scene.high, head)
    magnitude *= scanner.bias_field(magnitude.shape, rng, 0.09 if head else 0.03)
    real, imaginary = complex_signal(magnitude, chi, acquisition, direction, rng)
    return sampled((real, imaginary), start, grid), brain, start


def picture(scene, acquisition: GradientEcho, direction, rng, projected: bool = False) -> Picture:
    """Scan a scene (`simulate.Scene`).

    Parameters
    ----------
    direction : (3,)
        Main field in the grid's axes.
    rng : numpy Generator
        Of receiver and noise.
    projected : bool
        Minimum-intensity projection over `PROJECTED_MM`, of the same number of slices.
    """
    protocol, grid = scene.protocol, scene.grid
    weighted = protocol.sequence == "SWI"
    image, brain, start = _tissue(scene, acquisition, direction, rng)
    labels, marked = add_structures(image, scene, acquisition, direction, rng)
    snr = asked_snr(protocol, grid, acquisition, rng.uniform(*protocol.snr))
    scanner.complex_noise(image, 1 / (snr * protocol.kspace), rng)
    reconstruction.truncate(image, protocol.kspace)
    phase = reconstruction.phase(image) if weighted else None
    shown = np.abs(image)
    if weighted:
        shown *= reconstruction.negative_mask(phase)
    if projected:
        slices = max(2, round(PROJECTED_MM / grid.spacing[2]))
        shown = ndimage.minimum_filter1d(shown, slices, axis=2, mode="nearest")
    return Picture(shown, phase, labels, marked), brain, start
