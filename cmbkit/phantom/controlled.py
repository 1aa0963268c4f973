"""One brain scanned again and again, with one property of the scan or its microbleeds changed.

The cohort draws everything at random; here anatomy, vessels, mimics, contrast and the places of
the microbleeds stay, so that a difference between two scans has one cause.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cmbkit.phantom import lesions, physical, reconstruction, scanner, sources, veins
from cmbkit.phantom.head import Contrast, Patient
from cmbkit.phantom.profiles import Protocol
from cmbkit.phantom.simulate import WHITE_MATTER_SIGNAL, Scene, stamp_blobs
from cmbkit.phantom.tissues import GradientEcho
from cmbkit.volume import Volume

AVERAGING = ("complex", "magnitude")
AXIAL = (0.0, 0.0, 1.0)
LAYER_MM = 1.0  # slices whose magnitudes are averaged

SLAB_CENTRE_MNI_MM = (0.0, -15.0, 18.0)
RIM_MM = 6.0
SEQUENCE = "SWI"
SNR = 18.0


@dataclass(frozen=True)
class Condition:
    """What is varied: slice thickness and spacing, radius (mm), share of signal lost, number."""

    thickness_mm: float
    radius_mm: float
    contrast: float
    count: int


@dataclass(frozen=True)
class Physics:
    """How the physical model scans a controlled brain.

    Attributes
    ----------
    averaging : {"complex", "magnitude"}
        "complex": complex signal is summed over the slice, as a scanner does. "magnitude":
        images of slices of 1 mm are averaged over it; at 1 mm the two are the same.
    tesla, te_ms, chi_ppm : float
        Main field (along the slice axis), echo time, and susceptibility of every microbleed.
    """

    averaging: str = "complex"
    tesla: float = 3.0
    te_ms: float = 20.0
    chi_ppm: float = 1.0

    @property
    def acquisition(self) -> GradientEcho:
        """With the repetition time and angle of an SWI."""
        return GradientEcho(self.te_ms, max(27.0, self.te_ms + 7), 15.0, self.tesla)


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
        self._trees = veins.draw_trees(np.random.default_rng([*self._seed, 5]))
        self._last: tuple | None = None
        contrast = Contrast.draw(SEQUENCE, body)
        self._signal, self._brain, self._start = patient.render(contrast, low, high, False)
        self._signal *= scanner.bias_field(self._signal.shape, body, 0.03)

    def _holds(self, mni) -> bool:
        z = self._patient.from_template([mni])[0, 2]
        return self.slab[0] + RIM_MM <= z <= self.slab[1] - RIM_MM

    def scan(
        self, setting: Condition, in_plane_mm: float, physics: Physics | None = None
    ) -> tuple[Volume, np.ndarray]:
        """Scan the brain.

        Parameters
        ----------
        physics : Physics, optional
            Scan by the physical model, by default by the contrast model. A microbleed's source is
            then `sources.BLOOMING` times smaller than ``setting.radius_mm``, which it looks like
            at 3 T and 20 ms if it has 1 ppm; ``setting.contrast`` is not used.

        Returns
        -------
        image : Volume
            int16-valued float32, RAS; 0 outside the brain. White matter has 18 times the
            signal of the noise's standard deviation whatever the thickness.
        centres_mm : ndarray, shape (count, 3)
            Where its microbleeds are, RAS mm of the image.

        Raises
        ------
        ValueError
            If ``setting.count`` is over the number of places, or ``averaging`` is not known.
        """
        if setting.count > len(self._microbleeds):
            raise ValueError(
                f"count: expected at most {len(self._microbleeds)}, found {setting.count}"
            )
        scene = self._scene(setting, in_plane_mm, physics)
        image = self._by_contrast(scene) if physics is None else self._by_physics(scene, physics)
        image = scanner.magnitude_noise(image, 1 / SNR, np.random.default_rng([*self._seed, 2]))
        grid = scene.grid
        image *= WHITE_MATTER_SIGNAL * (scanner.sample(self._brain, self._start, 2.0, grid) > 0.5)
        affine = np.diag([*grid.spacing, 1.0])
        affine[:3, 3] = grid.start
        return Volume(np.rint(image), affine), scene.centres[len(self._mimics) :]

    def _scene(self, setting: Condition, in_plane_mm: float, physics: Physics | None) -> Scene:
        thickness = (setting.thickness_mm, setting.thickness_mm)
        protocol = Protocol(SEQUENCE, (in_plane_mm, in_plane_mm), thickness, ("RAS",), head=False)
        grid = scanner.make_grid(protocol, *self._box, np.random.default_rng(0))
        changed: dict = {"radius_mm": setting.radius_mm, "depth": setting.contrast}
        if physics is not None:
            changed["source"] = (setting.radius_mm / sources.BLOOMING, physics.chi_ppm)
        cmbs = [replace(blob, **changed) for blob in self._microbleeds[: setting.count]]
        blobs = [*self._mimics, *cmbs]
        centres = self._patient.from_template([blob.mni for blob in blobs])
        tubes = self._tubes if physics is None else self._trees
        return Scene(protocol, self._patient, *self._box, grid, tubes, blobs, centres)

    def _by_contrast(self, scene: Scene) -> np.ndarray:
        image = scanner.sample(self._signal, self._start, 1.0, scene.grid)
        loss = np.zeros(scene.grid.shape, np.float32)
        beads = veins.as_gaussians(scene.tubes, self._patient.from_template)
        scanner.add_gaussians(loss, scene.grid, *beads)
        image *= np.exp(-loss)
        stamp_blobs(image, scene.blobs, scene.centres, scene.grid)
        return image

    def _by_physics(self, scene: Scene, physics: Physics) -> np.ndarray:
        """Susceptibility-weighted image without noise."""
        if physics.averaging not in AVERAGING:
            raise ValueError(f"averaging: expected one of {AVERAGING}, found {physics.averaging!r}")
        layers = 1
        if physics.averaging == "magnitude":
            layers = max(1, round(scene.grid.width[2] / LAYER_MM))
        signal = self._complex_signal(physics.acquisition)
        scene = replace(scene, grid=scanner.layered(scene.grid, layers))
        image = physical.sampled(signal, self._start, scene.grid)
        rng = np.random.default_rng([*self._seed, 3])
        physical.add_structures(image, scene, physics.acquisition, AXIAL, rng)
        shown = np.abs(image) * reconstruction.negative_mask(reconstruction.phase(image))
        return shown.reshape(*shown.shape[:2], -1, layers).mean(axis=3)

    def _complex_signal(self, acquisition: GradientEcho):
        """Signal of the tissue on the maps' grid; the last acquisition's is kept."""
        if self._last is None or self._last[0] != acquisition:
            rng = np.random.default_rng([*self._seed, 4])
            maps, *_ = self._patient.render(acquisition, *self._box, False)
            maps[0][:] *= scanner.bias_field(maps[0].shape, rng, 0.03)
            self._last = acquisition, physical.complex_signal(*maps, acquisition, AXIAL, rng)
        return self._last[1]
