import numpy as np
import pytest
from scipy.special import expit

from cmbkit.detector.inference.tiled import Predictor
from cmbkit.detector.network.losses import combined_loss
from cmbkit.detector.network.normalization import instance_normalization
from cmbkit.detector.network.unet import (
    build,
    compile_for_training,
    levels,
    logits_model,
    save_weights,
)
from cmbkit.params import Inference, Network, Training


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


def test_probabilities_sum_to_one_and_are_the_softmax_of_the_logits(small_network):
    model = build(small_network)
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


def test_an_untrained_network_starts_at_the_lesion_prior(small_network):
    """On a constant patch every normalised feature is 0, so the biases alone decide."""
    params = small_network.model_copy(update={"lesion_prior": 0.1})
    patch = np.ones((1, 16, 16, 16, 1), np.float32)
    for classes in (2, 5):
        found = build(params, n_classes=classes).predict_on_batch(patch)[0, 8, 8, 8]
        np.testing.assert_allclose(found, [0.9] + [0.1 / (classes - 1)] * (classes - 1), atol=1e-3)


def block(kernel, inputs, filters, n, norm):
    """``n`` convolutions with their normalisations (``norm`` parameters per channel count)."""
    first = np.prod(kernel) * inputs * filters + filters + norm(filters)
    return first + (n - 1) * (np.prod(kernel) * filters**2 + filters + norm(filters))


@pytest.mark.parametrize(
    "change",
    [
        {"filters_per_depth": [2, 3, 4], "n_conv_per_depth": 1, "kernel_size": [3, 1, 3]},
        {"n_classes": 5, "l2": 0.0},
        {"normalization_axis": "channel", "n_channels": 3, "n_conv_bottom": 2},
    ],
)
def test_every_option_has_the_parameters_it_should_and_trains(small_network, change):
    params = Network.model_validate({**small_network.model_dump(), **change})
    norm = (lambda c: 2 * c) if params.normalization_axis else (lambda _: 2)
    kernel, filters, classes = params.kernel_size, params.filters_per_depth, params.n_classes
    below, expected, skips = params.n_channels, norm(params.n_channels), []
    for f in filters:  # a single strided convolution is also the way down: the skip is its input
        skips.append(below if params.n_conv_per_depth == 1 else f)
        expected += block(kernel, below, f, params.n_conv_per_depth, norm)
        below = f
    expected += block(kernel, below, params.filters_out_bottom_conv, params.n_conv_bottom, norm)
    below = params.filters_out_bottom_conv
    for depth, f in reversed(list(enumerate(filters))):
        expected += 8 * below * f + f + norm(f)
        expected += block(kernel, f + skips[depth], f, params.n_conv_per_depth_upsampling, norm)
        below = f
    expected += filters[0] * classes + classes
    model = build(params)
    assert model.count_params() == expected
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 16, 16, 16, params.n_channels)).astype(np.float32)
    y = rng.integers(0, classes, (2, 16, 16, 16))
    before = model.predict_on_batch(x)
    assert before.shape == (2, 16, 16, 16, classes)
    training = Training(cross_entropy_weights=[1.0] * classes)
    compile_for_training(model, 1e-3, combined_loss(training))
    losses = [float(model.train_on_batch(x, y)) for _ in range(3)]
    assert losses[2] < losses[0]
    assert np.abs(model.predict_on_batch(x) - before).max() > 1e-4


def test_the_residual_adds_the_input_of_the_named_convolution(small_network):
    def added(index):
        model = build(small_network.model_copy(update={"residual_conv_index": index}))
        return [layer.name for layer in model.layers if layer.name.endswith("_residual")]

    # the second convolution of encoder levels is strided: no equal shapes, nothing to add
    assert added(0) == added(1) == []
    deeper = small_network.model_copy(update={"n_conv_per_depth": 3, "n_conv_bottom": 2})
    names = [layer.name for layer in build(deeper).layers if layer.name.endswith("_residual")]
    assert names == ["encoder0_conv1_residual", "encoder1_conv1_residual", "bottom_conv1_residual"]


def trained(params, steps=6):
    """A network whose running statistics are no longer those it began with."""
    model = build(params, seed=3)
    compile_for_training(model, 1e-2, combined_loss(Training()))
    rng = np.random.default_rng(0)
    for _ in range(steps):
        x = rng.normal(1, 2, (4, 16, 16, 16, 1)).astype(np.float32)
        model.train_on_batch(x, (x[..., 0] < -2).astype(np.int32))
    return model


def test_with_batch_normalization_a_voxel_is_the_same_in_every_tile_around_it(small_network):
    """Two tiles of a scan, 8 voxels apart (a multiple of the strides), one beside a bright block.

    The receptive field of the network ends 16 voxels from a voxel, so the middle of their
    overlap sees the same scan in both; only statistics over the tile can tell them apart.
    """
    scan = np.random.default_rng(1).normal(size=(1, 56, 48, 48, 1)).astype(np.float32)
    scan[:, :3] += 20
    middle = slice(21, 27)

    def difference(params):
        model = build(params.model_copy(update={"patch_size": [48, 48, 48]}))
        model.set_weights(trained(params).get_weights())
        tiles = scan[:, :48], scan[:, 8:]
        first, second = (logits_model(model).predict_on_batch(tile) for tile in tiles)
        a = first[:, 25:31, middle, middle]
        b = second[:, 17:23, middle, middle]
        return np.abs(a - b).max(), np.abs(a).max()

    batch, size = difference(small_network.model_copy(update={"normalization": "batch"}))
    assert batch < 1e-5 * max(size, 1)
    instance, _ = difference(small_network.model_copy(update={"normalization_axis": "channel"}))
    assert instance > 1e-3


def test_batch_normalization_keeps_its_statistics_when_saved(small_network, tmp_path):
    params = small_network.model_copy(update={"normalization": "batch"})
    model = trained(params)
    norm = model.get_layer("encoder0_conv0_norm")
    assert norm.count_params() == 4 * small_network.filters_per_depth[0]
    assert np.abs(np.asarray(norm.moving_mean)).max() > 0
    x = np.random.default_rng(5).normal(1, 2, (1, 16, 16, 16, 1)).astype(np.float32)
    save_weights(model, tmp_path / "net.weights.h5")
    again = build(params)
    again.load_weights(tmp_path / "net.weights.h5")
    expected = model.predict_on_batch(x)
    np.testing.assert_allclose(again.predict_on_batch(x), expected, atol=1e-6)
    settings = Inference(engine="openvino", precision="float32")
    openvino = expit(Predictor.of(again, settings).evidence(x[..., 0]))
    np.testing.assert_allclose(openvino, expected[..., 1], atol=1e-4)
