"""A folder of weights: written, read back, refused where it was changed or does not fit."""

import json

import numpy as np
import pytest

from cmbkit.detector.network.unet import build
from cmbkit.detector.network.weights import (
    WeightsError,
    describe_weights,
    read_weights,
    write_weights,
)
from cmbkit.params import Inference, Preprocessing


@pytest.fixture
def folder(tiny_network, tmp_path):
    write_weights(
        tmp_path / "w",
        build(tiny_network, seed=3),
        name="tiny",
        trained_on="nothing",
        network=tiny_network,
        preprocessing=Preprocessing(spacing_mm=0.75),
        inference=Inference(threshold=0.7),
        training={"epochs": 0},
    )
    return tmp_path / "w"


def change(folder, **values):
    path = folder / "network.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_what_is_written_comes_back(folder, tiny_network):
    found = read_weights(folder)
    expected = build(tiny_network, seed=3).get_weights()
    for one, other in zip(found.model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    d = found.description
    assert (d.preprocessing.spacing_mm, d.inference.threshold) == (0.75, 0.7)
    assert d.network == tiny_network and d.training == {"epochs": 0}


def test_a_calibration_is_read_with_the_rest(folder):
    assert describe_weights(folder)[1].calibration is None
    change(folder, calibration={"slope": 1, "intercept": -2.5, "recall": 0.8, "n": 40, "real": 9})
    found = describe_weights(folder)[1].calibration
    assert found.probability(2.5) == 0.5
    change(folder, calibration={"slope": 1})
    with pytest.raises(WeightsError, match=r"network\.json: calibration\.intercept"):
        describe_weights(folder)


def test_from_a_weight_file_of_training(folder, tiny_network, tmp_path):
    source = folder / "network.weights.h5"
    rest = {"network": tiny_network, "preprocessing": Preprocessing(), "inference": Inference()}
    found = write_weights(tmp_path / "b", source, name="b", trained_on="nothing", **rest)
    assert found.sha256 == describe_weights(folder)[1].sha256
    with pytest.raises(WeightsError, match=r"no\.weights\.h5: expected a weight file, found noth"):
        write_weights(tmp_path / "b", tmp_path / "no.weights.h5", name="b", trained_on="x", **rest)


def test_missing_files_are_named(folder, tmp_path):
    with pytest.raises(WeightsError, match=r"expected a folder with network\.json, or one of the"):
        read_weights(tmp_path / "nowhere")
    (folder / "network.weights.h5").rename(folder / "other.h5")
    with pytest.raises(WeightsError, match=r"network\.weights\.h5: expected a file, found nothing"):
        read_weights(folder)
    (folder / "network.json").unlink()
    with pytest.raises(WeightsError, match=r"network\.json: expected a file, found nothing"):
        read_weights(folder)


def test_a_changed_weight_file_is_refused_before_it_is_opened(folder):
    path = folder / "network.weights.h5"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"expected sha256 .* found .* was changed"):
        read_weights(folder)


def test_weights_of_another_network_are_refused(folder, tiny_network):
    """Four filters were trained; a description of six does not fit, by number or by shape."""
    other = tiny_network.model_copy(update={"filters_per_depth": [6]})
    change(folder, network=other.model_dump(mode="json"))
    with pytest.raises(
        WeightsError, match=r"expected a network of .* parameters in .*, found one of"
    ):
        read_weights(folder)
    change(folder, parameters=build(other).count_params())
    with pytest.raises(WeightsError, match=r"network\.weights\.h5: expected weights of a netw"):
        read_weights(folder)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"format": 2}, "format: expected 1, found 2"),
        ({"speed": 1}, "speed: no such parameter; expected one of format, name"),
        ({"inference": {"threshold": 2.0}}, "inference.threshold: .* found 2.0"),
    ],
)
def test_a_description_that_does_not_fit_is_one_line(folder, values, said):
    change(folder, **values)
    with pytest.raises(WeightsError, match=said) as caught:
        describe_weights(folder)
    assert "\n" not in str(caught.value)


def test_the_shipped_weights_are_whole_small_and_described():
    folder, found = describe_weights("compact")
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 8e6
    assert "synthetic" in found.trained_on
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Not a medical device" in card and "synthetic" in card
    assert read_weights("compact").model.count_params() == found.parameters
