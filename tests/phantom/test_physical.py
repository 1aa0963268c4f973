"""The physical model: what a scanner makes of susceptibility."""

import numpy as np
import pytest

from cmbkit.ball import ball_radius
from cmbkit.phantom import physical, reconstruction, scanner, sources
from cmbkit.phantom.dephasing import sphere_modulation, tube_changes
from cmbkit.phantom.field import phase_per_ppm
from cmbkit.phantom.lesions import Blob
from cmbkit.phantom.profiles import PROFILES, Protocol
from cmbkit.phantom.scanner import Grid
from cmbkit.phantom.tissues import GREY, WHITE, GradientEcho, iron_r2star, vein_chi

AXIAL = (0.0, 0.0, 1.0)
SWI = GradientEcho(20.0, 27.0, 15, 3.0)


def grid(spacing, shape, centre=(0.0, 0.0, 0.0)):
    spacing = np.array(spacing, float)
    return Grid(np.array(centre) - spacing * (np.array(shape) - 1) / 2, spacing, spacing, shape)


def sphere(radius, chi, acquisition=SWI):
    left = np.exp(-acquisition.te_ms / 1000 * iron_r2star(chi, acquisition.tesla))
    return [0, 0, 0, radius, phase_per_ppm(acquisition.te_ms, acquisition.tesla) * chi, left]


def test_steady_state_of_a_spoiled_gradient_echo():
    e1, a = np.exp(-27 / 832), np.deg2rad(15)
    expected = 0.65 * np.sin(a) * (1 - e1) / (1 - e1 * np.cos(a)) * np.exp(-0.02 * 18.8)
    assert SWI.magnitude(WHITE) == pytest.approx(expected)
    long = GradientEcho(20.0, 5000.0, 90, 1.5)  # all relaxed: water, and its decay
    assert long.magnitude(GREY) == pytest.approx(0.78 * np.exp(-0.02 * 11.9), rel=0.02)


def test_a_venous_haematocrit_of_04_and_60_percent_oxygen_is_054_ppm():
    assert vein_chi(0.6) == pytest.approx(4 * np.pi * 0.27 * 0.4 * 0.4)


def test_a_sphere_without_phase_takes_its_share_of_the_voxel():
    _, factor = sphere_modulation([[0, 0, 0, 1.0, 0.0, 0.0]], grid((1, 1, 1), (7, 7, 7)), AXIAL)
    assert (1 - factor.real).sum() == pytest.approx(4 / 3 * np.pi, rel=0.03)
    assert sphere_modulation([[50, 0, 0, 1.0, 0, 0]], grid((1, 1, 1), (7, 7, 7)), AXIAL) is None


def test_blood_and_calcium_are_alike_on_magnitude_and_opposite_on_phase():
    g = grid((0.5, 0.5, 2), (25, 25, 7))
    (_, blood), (_, calcium) = (
        sphere_modulation([sphere(1.0, chi)], g, (0, 0.6, 0.8)) for chi in (1.0, -1.0)
    )
    np.testing.assert_allclose(np.abs(blood), np.abs(calcium), atol=1e-6)
    np.testing.assert_allclose(np.angle(blood), -np.angle(calcium), atol=1e-5)
    assert np.abs(np.angle(blood)).max() > 0.5


@pytest.mark.parametrize("weighted", [False, True])
def test_blooming_grows_with_echo_time_times_field(weighted):
    regions = []
    for te, tesla in ((10, 1.5), (20, 1.5), (20, 3), (40, 3)):
        bleed = sphere(0.8, 1.0, GradientEcho(te, 30, 15, tesla))
        _, factor = sphere_modulation([bleed], grid((0.4, 0.4, 1), (51, 51, 21)), AXIAL)
        regions.append((physical.loss(factor, weighted) >= physical.VISIBLE_LOSS).sum())
    assert regions == sorted(set(regions))
    source = 4 / 3 * np.pi * 0.8**3 / 0.16
    assert regions[-1] > 3 * source


def test_the_visible_radius_of_a_lone_sphere_is_that_of_its_closed_form():
    """SWI in small voxels: dark where (1 - phase/pi)^4 <= .8, two lobes along the field, or inside.

    phase = kappa chi/3 (a/r)^3 (3 c^2 - 1), so that r^3 <= A (3 c^2 - 1) at the cosine c.
    """
    a, mm = 0.8, 0.25
    bleed = sphere(a, 1.0, GradientEcho(10, 30, 15, 1.5))
    reach = bleed[4] * a**3 / 3 / (np.pi * (1 - 0.8**0.25))
    c = np.linspace(-1, 1, 20001)
    volume = 2 * np.pi / 3 * 2 * np.maximum(reach * (3 * c**2 - 1), a**3).mean()
    _, factor = sphere_modulation([bleed], grid((mm, mm, mm), (31, 31, 31)), AXIAL)
    found = (physical.loss(factor, True) >= physical.VISIBLE_LOSS).sum() * mm**3
    assert ball_radius(found) == pytest.approx(ball_radius(volume), abs=mm / 2)
    dark = sphere_modulation([[0, 0, 0, a, 0, 0]], grid((mm, mm, mm), (15, 15, 15)), AXIAL)[1]
    found = (physical.loss(dark, False) >= physical.VISIBLE_LOSS).sum() * mm**3
    assert ball_radius(found) == pytest.approx(a, abs=mm / 2)


def test_a_rater_marks_about_what_is_visible_and_nothing_that_is_not():
    g = grid((0.5, 0.5, 1.0), (41, 41, 21))
    for chi, radius in ((1.0, 0.9), (2.0, 1.5), (0.3, 0.05)):
        blobs = [Blob("cmb", (0, 0, 0), 1.5, 0.8, seed, source=(radius, chi)) for seed in (1, 2, 3)]
        for blob in blobs:
            image = np.ones(g.shape, np.complex64)
            seen, marked = physical.imprint(image, [blob], np.zeros((1, 3)), g, SWI, AXIAL, False)
            assert (marked.any()) == (seen.any()) == (radius > 0.1)
            assert 0.5 * seen.sum() <= marked.sum() <= 1.6 * seen.sum()


def test_a_vein_along_the_field_turns_by_a_third_of_its_susceptibility_across_by_minus_a_sixth():
    """Closed form inside: chi (3 cos^2 t - 1) / 6; a thick vein seen in a small voxel."""
    g = grid((0.3, 0.3, 0.3), (3, 3, 3))
    for end, share in (((0, 0, 9), 1 / 3), ((9, 0, 0), -1 / 6)):
        piece = [*np.negative(end), *end, 1.5, 1.2, 0.5]
        inside = 1 + tube_changes([piece], g, AXIAL)[1, 1, 1]
        assert abs(inside) == pytest.approx(0.5, rel=1e-3)
        assert np.angle(inside) == pytest.approx(1.2 * share, abs=1e-3)


def test_veins_that_meet_never_brighten():
    piece = [0, 0, -9, 0, 0, 9, 1.5, np.pi * 3, 0.9]  # turns the signal round
    changes = tube_changes([piece] * 4, grid((0.5, 0.5, 0.5), (9, 9, 9)), AXIAL)
    assert np.abs(1 + changes).max() == pytest.approx(1)


def test_the_mask_darkens_negative_phase_to_the_fourth_power():
    phase = np.float32([-np.pi, -np.pi / 2, 0, 1])
    assert reconstruction.negative_mask(phase) == pytest.approx([0, 1 / 16, 1, 1], abs=1e-6)


def test_homodyne_filter_takes_a_smooth_background_with_its_wraps_and_keeps_a_small_vein():
    n = 256
    x, y = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n), indexing="ij")
    background = 9 * x + 7 * x * y  # more than two turns
    image = np.exp(1j * background).astype(np.complex64)
    image[100:102, 120:122] *= np.exp(1j * 1.0)
    found = reconstruction.phase(np.repeat(image[:, :, None], 9, axis=2))
    assert found.dtype == np.float32
    middle = found[40:-40, 40:-40, 8]
    vein = found[100:102, 120:122, 8]
    assert vein == pytest.approx(-1.0, abs=0.15)  # left-handed
    assert np.median(np.abs(middle)) < 0.02


def test_phase_wraps_at_two_pi():
    """Twice the turns of a half wrap are none: the image knows phase up to 2 pi alone."""
    piece = [0, 0, -9, 0, 0, 9, 1.5, 0, 1.0]
    g = grid((0.3, 0.3, 0.3), (3, 3, 3))
    for turn, angle in ((3 * np.pi, np.pi), (6 * np.pi, 0.0), (7.5 * np.pi, np.pi / 2)):
        inside = 1 + tube_changes([[*piece[:7], turn, 1.0]], g, AXIAL)[1, 1, 1]
        assert abs(np.angle(inside)) == pytest.approx(angle, abs=1e-3)


def test_truncated_k_space_rings_and_keeps_the_mean():
    image = np.zeros((64, 64, 2), np.complex64)
    image[20:44] = 1
    reconstruction.truncate(image, 0.5)
    assert image.mean() == pytest.approx(24 / 64, abs=1e-3)
    assert 1.05 < np.abs(image).max() < 1.15  # Gibbs: about 9 % over


def test_noise_has_its_sd_is_rayleigh_in_air_and_independent_between_slices():
    image = np.zeros((64, 128, 40), np.complex64)
    scanner.complex_noise(image, 3.0, np.random.default_rng(0))
    assert image.real.std() == pytest.approx(3, rel=0.01)
    magnitude = np.abs(image)
    assert magnitude.mean() == pytest.approx(3 * np.sqrt(np.pi / 2), rel=0.01)
    assert magnitude.std() == pytest.approx(3 * np.sqrt(2 - np.pi / 2), rel=0.01)
    slices = image.real.reshape(-1, 40)
    correlation = np.corrcoef(slices.T)[np.triu_indices(40, 1)]
    assert np.abs(correlation).max() < 4.5 / np.sqrt(len(slices))


def test_snr_follows_voxel_volume_field_and_echo():
    protocol = Protocol("T2S", (1.0, 1.0), (2.0, 4.0), ("RAS",), field_strength=(3.0,))
    middle = GradientEcho(20.0, 27.0, 17.5, 3.0)
    assert physical.asked_snr(protocol, grid((1, 1, 3), (2, 2, 2)), middle, 15) == pytest.approx(15)
    thin = physical.asked_snr(protocol, grid((1, 1, 1.5), (2, 2, 2)), middle, 15)
    assert thin == pytest.approx(7.5)
    late = GradientEcho(40.0, 27.0, 17.5, 3.0)
    found = physical.asked_snr(protocol, grid((1, 1, 3), (2, 2, 2)), late, 15)
    assert found == pytest.approx(15 * np.exp(-0.02 * 18.8))


def test_acquisitions_lie_within_their_protocol():
    protocol = PROFILES["RODEJA"].protocols[0][1]
    rng = np.random.default_rng(0)
    for _ in range(20):
        drawn = physical.draw_acquisition(protocol, rng)
        assert (drawn.te_ms, drawn.tesla) in {(20.0, 3.0), (40.0, 1.5)}
        assert 15 <= drawn.flip_deg <= 20


@pytest.mark.parametrize("kind", ["cmb", "calcification", "cavernoma", "haemorrhage"])
def test_a_structure_keeps_its_source_volume_and_sign(kind):
    for seed in range(8):
        blob = Blob(kind, (0, 0, 0), 1.5, 0.8, seed)
        spheres = sources.spheres_of(blob, (10, 20, 30), SWI)
        radius, chi = sources.source_of(blob)
        if kind in ("cmb", "calcification"):
            assert (spheres[:, 3] ** 3).sum() == pytest.approx(radius**3)
            assert 0.3 <= radius <= 2.5 and 0.3 <= abs(chi) <= 3
        assert (np.sign(spheres[:, 4]) == (-1 if kind == "calcification" else 1)).all()
        middle = np.average(spheres[:, :3], axis=0, weights=spheres[:, 3] ** 3)
        assert middle == pytest.approx([10, 20, 30])
