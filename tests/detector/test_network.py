import numpy as np
import pytest

from cmbkit.detector.network import build, instance_normalization, levels, logits_model, resized
from cmbkit.params import Network


def convolution(kernel, inputs, filters):
    """Weights, biases and the scalar scale and offset of the normalisation that follows."""
    return kernel**3 * inputs * filters + filters + 2


def test_default_network_has_the_published_number_of_parameters_level_by_level():
    filters = [32, 64, 128, 256, 320]
    expected = {}
    below = 1
    for depth, n in enumerate(filters):
        expected[f"encoder{depth}"] = convolution(3, below, n) + 2 * convolution(3, n, n)
        below = n
    expected["bottom"] = 2 * convolution(3, 320, 320)
    for depth in (4, 3, 2, 1, 0):
        n = filters[depth]
        up, first, second = convolution(2, below, n), convolution(3, 2 * n, n), convolution(3, n, n)
        expected[f"decoder{depth}"] = up + first + second
        below = n
    model = build(Network())
    for name, count in expected.items():
        found = sum(layer.count_params() for layer in model.layers if layer.name.startswith(name))
        assert found == count, name
    head, input_normalization = 32 * 2 + 2, 2
    assert sum(expected.values()) + head + input_normalization == 36_302_116
    assert model.count_params() == 36_302_116
    assert model.get_layer("bottom_conv0").output.shape[1:] == (3, 3, 3, 320)


def test_levels_describe_a_u():
    rows = levels(Network())
    assert [row["side"] for row in rows] == ["encoder"] * 5 + ["bottom"] + ["decoder"] * 5 + [
        "head"
    ]
    assert [row["size"][0] for row in rows] == [96, 48, 24, 12, 6, 3, 6, 12, 24, 48, 96, 96]
    assert rows[0]["strides"] == [1, 1, 2]


@pytest.mark.parametrize("axis", [None, "channel"])
def test_instance_normalization_against_numpy(axis):
    x = np.random.default_rng(0).normal(3, 2, (2, 4, 5, 6, 3)).astype(np.float32)
    layer = instance_normalization()(axis, 1e-5)
    over = (1, 2, 3) if axis == "channel" else (1, 2, 3, 4)
    expected = (x - x.mean(over, keepdims=True)) / np.sqrt(x.var(over, keepdims=True) + 1e-5)
    np.testing.assert_allclose(np.asarray(layer(x)), expected, atol=1e-4)
    assert layer.count_params() == (6 if axis == "channel" else 2)


@pytest.mark.parametrize("change", [{}, {"down_sampling": "max"}, {"up_sampling": "nearest"}])
def test_probabilities_sum_to_one_and_are_the_softmax_of_the_logits(small_network, change):
    model = build(small_network.model_copy(update=change))
    x = np.random.default_rng(0).normal(size=(1, 16, 16, 16, 1)).astype(np.float32)
    probability = model.predict_on_batch(x)
    logits = logits_model(model).predict_on_batch(x)
    power = np.exp(logits - logits.max(-1, keepdims=True))
    np.testing.assert_allclose(probability, power / power.sum(-1, keepdims=True), atol=1e-5)


def test_a_saved_model_gives_the_same_answer(small_network, tmp_path):
    import keras

    model = build(small_network, seed=4)
    x = np.random.default_rng(0).normal(size=(1, 16, 16, 16, 1)).astype(np.float32)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict_on_batch(x), model.predict_on_batch(x), atol=1e-6)


def test_another_tile_size_keeps_the_weights_and_must_fit(small_network):
    model = build(small_network, seed=1)
    larger = resized(model, [24, 16, 32])
    assert larger.input_shape == (None, 24, 16, 32, 1)
    for a, b in zip(model.get_weights(), larger.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="multiples of 4"):
        resized(model, [18, 16, 16])


def test_an_untrained_network_starts_at_the_lesion_prior(small_network):
    """On a constant patch every normalised feature is 0, so the biases alone decide."""
    params = small_network.model_copy(update={"lesion_prior": 0.1})
    patch = np.ones((1, 16, 16, 16, 1), np.float32)
    for classes in (2, 5):
        found = build(params, n_classes=classes).predict_on_batch(patch)[0, 8, 8, 8]
        np.testing.assert_allclose(found, [0.9] + [0.1 / (classes - 1)] * (classes - 1), atol=1e-3)
