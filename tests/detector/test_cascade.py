import numpy as np
import pytest

from cmbkit.detector.inference.cascade import read_screen, screen_hash
from cmbkit.detector.inference.tiled import Predictor, predict_probability
from cmbkit.detector.network.weights import WeightsError, describe_weights, read_weights
from cmbkit.params import Inference, ParameterError, read_parameters

BACKGROUND = -0.5
CENTRE = np.array([40.0, 52.0, 60.0])  # mm


def ball_scan(spacing_mm: float, size_mm=(80, 96, 108)) -> tuple[np.ndarray, np.ndarray]:
    """Grey brain with one dark ball of 2.5 mm radius at `CENTRE`, and the brain; no background
    within 8 mm of the border."""
    shape = [round(mm / spacing_mm) for mm in size_mm]
    middles = np.meshgrid(*[(np.arange(n) + 0.5) * spacing_mm for n in shape], indexing="ij")
    away = np.sqrt(sum((m - c) ** 2 for m, c in zip(middles, CENTRE, strict=True)))
    noise = np.random.default_rng(0).normal(0, 0.03, shape)
    image = 1.2 + noise - 1.7 * np.clip((2.5 - away) / spacing_mm + 0.5, 0, 1)
    brain = np.all([(m > 8) & (m < n - 8) for m, n in zip(middles, size_mm, strict=True)], axis=0)
    return np.where(brain, image, BACKGROUND).astype(np.float32), brain


@pytest.mark.parametrize("spacing_mm", [0.5, 0.75, 1.0])
def test_a_screen_finds_a_microbleed_on_grids_other_than_its_own(spacing_mm):
    """The shipped network, trained at 0.75 mm, on the same ball drawn at other spacings: its
    suspicion is where the ball is, and nowhere else."""
    image, brain = ball_scan(spacing_mm)
    screen = read_screen(Inference(screen="compact", precision="float32"), spacing_mm)
    found = screen.suspicion(image, brain, BACKGROUND)
    assert found.shape == image.shape
    assert screen.zoom == pytest.approx(spacing_mm / 0.75)
    places = np.argwhere(found >= 0.5)
    assert len(places)
    away = np.linalg.norm((places + 0.5) * spacing_mm - CENTRE, axis=1)
    assert away.max() < 4 and np.linalg.norm((places.mean(0) + 0.5) * spacing_mm - CENTRE) < 1.5


def test_a_cascade_screened_by_its_own_network_is_two_passes():
    image, brain = ball_scan(0.75)
    _, described = describe_weights("compact")
    plan = {"overlap": 0.4, "precision": "float32", "screen_threshold": 0.5}
    model = read_weights("compact").model
    two = Predictor(model, Inference(**plan, two_passes=True))
    settings = Inference(**plan, screen="compact")
    cascade = Predictor(model, settings, screen=read_screen(settings, 0.75))
    maps = [
        predict_probability(predictor, image, brain=brain, background=BACKGROUND)
        for predictor in (two, cascade)
    ]
    assert maps[0].max() > 0.9
    np.testing.assert_allclose(maps[1], maps[0], atol=1e-4)
    assert screen_hash(settings) == described.sha256


def test_a_screen_is_named_once_and_must_exist(tmp_path):
    assert screen_hash(Inference()) is None and read_screen(Inference(), 0.5) is None
    with pytest.raises(WeightsError, match="nowhere"):
        read_screen(Inference(screen=str(tmp_path / "nowhere")), 0.5)
    file = tmp_path / "both.yaml"
    file.write_text("profile: both\ninference: {two_passes: true, screen: compact}\n")
    with pytest.raises(ParameterError, match="screen: expected none with two_passes"):
        read_parameters(file)
