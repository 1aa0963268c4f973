"""One brain scanned again and again, with one property of the scan or its microbleeds changed.

The cohort draws everything at random; here anatomy, vessels, mimics, contrast and the places of
the microbleeds stay, so that a difference between two scans has one cause.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cmbkit.phantom import lesions, scanner, veins
from cmbkit.phantom.head import Contrast, Patient
from cmbkit.phantom.profiles import Protocol
from cmbkit.phantom.simulate import WHITE_MATTER_SIGNAL, stamp_blobs
from cmbkit.volume import Volume

SLAB_CENTRE_MNI_MM = (0.0, -15.0, 18.0)
RIM_MM = 6.0
SEQUENCE = "SWI"
SNR = 18.0


@dataclass(frozen=True)
class Setting:
    """What is varied: slice thickness and spacing, radius (mm), share of signal lost, number."""

    thickness_mm: float
    radius_mm: float
    contrast: float
    count: int


class ControlledBrain:
    """A synthetic brain without skull, and places for its microbleeds.

    Parameters
    ----------
    seed : sequence of int
        Same seed, same brain.
    places : int
        How many microbleeds it can have; a scan with fewer has the first ones.
    widest_mm : float
        The largest radius they will have; places are 8 mm farther apart than that.
    slab_mm : float, optional
        All places lie in an axial slab of this height through the basal ganglia, at least
        6 mm from its faces; None: anywhere in the brain.

    Attributes
    ----------
    slab : (float, float)
        Lowest and highest z (mm) of the slab, or of the brain.
    """

    def __init__(self, seed, places: int, widest_mm: float, slab_mm: float | None = None):
        self._seed = tuple(seed)
        self._patient = patient = Patient(self._seed)
        self._box = low, high = patient.bounding_box(head=False)
        self.slab = (float(low[2]), float(high[2]))
        if slab_mm is not None:
            middle = float(patient.from_template([SLAB_CENTRE_MNI_MM])[0, 2])
            self.slab = (middle - slab_mm / 2, middle + slab_mm / 2)
        body = np.random.default_rng([*self._seed, 1])
        self._tubes = veins.draw_tubes(SEQUENCE, body)
        self._mimics = lesions.draw_mimics(patient.age, body, lambda mni: True)
        self._microbleeds = lesions.draw_microbleeds(
            [widest_mm] * places, SEQUENCE, body, self._holds, avoid=self._mimics
        )
        if len(self._microbleeds) < places:
            raise ValueError(
                f"controlled brain {self._seed}: expected room for {places} microbleeds, "
                f"found {len(self._microbleeds)} places"
            )
        contrast = Contrast.draw(SEQUENCE, body)
        self._signal, self._brain, self._start = patient.render(contrast, low, high, False)
        self._signal *= scanner.bias_field(self._signal.shape, body, 0.03)

    def _holds(self, mni) -> bool:
        z = self._patient.from_template([mni])[0, 2]
        return self.slab[0] + RIM_MM <= z <= self.slab[1] - RIM_MM

    def scan(self, setting: Setting, in_plane_mm: float) -> tuple[Volume, np.ndarray]:
        """Scan the brain.

        Parameters
        ----------
        setting : Setting
        in_plane_mm : float

        Returns
        -------
        image : Volume
            int16-valued float32, RAS; 0 outside the brain. White matter has 18 times the
            signal of the noise's standard deviation whatever the thickness.
        centres_mm : ndarray, shape (count, 3)
            Where its microbleeds are, RAS mm of the image.
        """
        if setting.count > len(self._microbleeds):
            raise ValueError(
                f"count: expected at most {len(self._microbleeds)}, found {setting.count}"
            )
        thickness = (setting.thickness_mm, setting.thickness_mm)
        protocol = Protocol(SEQUENCE, (in_plane_mm, in_plane_mm), thickness, ("RAS",), head=False)
        grid = scanner.make_grid(protocol, *self._box, np.random.default_rng(0))
        image = scanner.sample(self._signal, self._start, 1.0, grid)
        points, sigmas, masses, _ = veins.as_gaussians(self._tubes, self._patient.from_template)
        loss = np.zeros(grid.shape, np.float32)
        scanner.add_gaussians(loss, grid, points, sigmas, masses)
        image *= np.exp(-loss)
        changed = {"radius_mm": setting.radius_mm, "depth": setting.contrast}
        cmbs = [replace(blob, **changed) for blob in self._microbleeds[: setting.count]]
        blobs = [*self._mimics, *cmbs]
        centres = self._patient.from_template([blob.mni for blob in blobs])
        stamp_blobs(image, blobs, centres, grid)
        image = scanner.magnitude_noise(image, 1 / SNR, np.random.default_rng([*self._seed, 2]))
        image *= WHITE_MATTER_SIGNAL * (scanner.sample(self._brain, self._start, 2.0, grid) > 0.5)
        affine = np.diag([*grid.spacing, 1.0])
        affine[:3, 3] = grid.start
        return Volume(np.rint(image), affine), centres[len(self._mimics) :]
