import json

import h5py
import numpy as np
import pytest

from cmbkit.detector.network.transfer import SourceError, SourceNetwork, carry_weights, read_source
from cmbkit.detector.network.unet import build
from cmbkit.detector.training import source_task
from cmbkit.detector.training.source_task import (
    SyntheticBrain,
    build_source,
    draw_patch,
    train_source,
)
from cmbkit.params import Training
from cmbkit.volume import Volume


def weights(model, layer):
    return [np.asarray(w) for w in model.get_layer(layer).weights]


def test_only_the_susceptibility_channel_and_the_haemorrhage_output_are_kept(small_network):
    source, target = build_source(small_network, seed=1), build(small_network, seed=2)
    source.get_layer("logits").bias.assign([10, 11, 12, 13, 14])
    report = carry_weights(SourceNetwork.of(source), target)
    first, bias = weights(source, "encoder0_conv0"), weights(source, "logits")[1]
    np.testing.assert_array_equal(weights(target, "encoder0_conv0")[0], first[0][:, :, :, 1:2])
    np.testing.assert_array_equal(weights(target, "logits")[1], [10, 13])
    np.testing.assert_array_equal(bias[[0, 3]], [10, 13])
    np.testing.assert_array_equal(
        weights(target, "bottom_conv0")[0], weights(source, "bottom_conv0")[0]
    )
    sliced = report[report["action"] == "sliced"]
    assert sliced["tensor"].tolist() == ["encoder0_conv0/kernel", "logits/kernel", "logits/bias"]
    assert sliced["source_shape"].tolist() == [(3, 3, 3, 3, 6), (1, 1, 1, 6, 5), (5,)]
    assert sliced["target_shape"].tolist() == [(3, 3, 3, 1, 6), (1, 1, 1, 6, 2), (2,)]
    assert report["parameters"].sum() == target.count_params()
    assert not (report["action"] == "initialised").any()


def test_what_does_not_fit_stays_as_initialised(small_network):
    wider = small_network.model_copy(update={"filters_out_bottom_conv": 20})
    target = build(wider, seed=2)
    before = weights(target, "bottom_conv0")[0]
    report = carry_weights(SourceNetwork.of(build_source(small_network)), target).set_index(
        "tensor"
    )
    assert report.loc["bottom_conv0/kernel", "action"] == "initialised"
    np.testing.assert_array_equal(weights(target, "bottom_conv0")[0], before)


def brain_of_white_matter():
    labels = np.zeros((48, 48, 48), np.uint8)
    labels[4:44, 4:44, 4:44] = 2
    return Volume(labels, np.eye(4))


def test_source_patches_have_dark_haemorrhages_and_bright_infarcts():
    brain = SyntheticBrain.from_labels(brain_of_white_matter(), 1.5)
    assert brain.brain.shape == (32, 32, 32)
    rng, means = np.random.default_rng(0), {1: [], 3: []}
    for _ in range(30):
        image, classes = draw_patch(brain, (16, 16, 16), rng)
        assert image.shape == (16, 16, 16, 3) and np.isfinite(image).all()
        for kind, values in means.items():
            if (classes == kind).sum() > 30 and (classes == 0).any():
                values.append(image[classes == kind].mean(0) - image[classes == 0].mean(0))
    assert np.mean(means[3], axis=0)[1] < -0.5  # haemorrhage: dark on SWI/T2S
    assert np.mean(means[1], axis=0)[2] > 0.5  # infarct: bright on DWI


def test_source_training_learns_and_can_be_loaded(tiny_network, tmp_path, monkeypatch):
    training = Training(source_steps=25, source_spacing_mm=1.5)
    monkeypatch.setattr(source_task, "load_atlas", brain_of_white_matter)
    train_source(tiny_network, training, tmp_path, seed=0, step="source")
    losses = np.genfromtxt(tmp_path / "history.csv", delimiter=",", names=True)["train_loss"]
    assert losses[-8:].mean() < losses[:8].mean()
    source = read_source(tmp_path, tiny_network)
    assert source.tensors["logits/bias"].shape == (5,)


def test_a_users_file_with_other_names_and_another_order(tiny_network, tmp_path):
    """SWI/T2S comes last of two channels, haemorrhage before background; layers are renamed."""
    target = build(tiny_network, seed=2)
    kernel = np.arange(3 * 3 * 3 * 2 * 4, dtype=np.float32).reshape(3, 3, 3, 2, 4)
    tensors = {"enc1/kernel": kernel, "enc1/bias": np.ones(4, np.float32)}
    tensors["out/bias"] = np.float32([7, 8, 9])
    rename = {"enc1": "encoder0_conv0", "out": "logits"}
    meaning = {"sequences": ["T1", "SWI/T2S"], "classes": ["tumour", "haemorrhage", "background"]}
    (tmp_path / "config.json").write_text(json.dumps(meaning))
    np.savez(tmp_path / "theirs.npz", **tensors)
    with h5py.File(tmp_path / "theirs.h5", "w") as stored:
        for name, value in tensors.items():
            layer, tensor = name.split("/")
            stored[f"{layer}/{layer}/{tensor}:0"] = value
    for file in ("theirs.npz", "theirs.h5"):
        source = read_source(tmp_path / file, tiny_network, rename)
        report = carry_weights(source, target).set_index("tensor")
        np.testing.assert_array_equal(weights(target, "encoder0_conv0")[0], kernel[:, :, :, 1:])
        np.testing.assert_array_equal(weights(target, "logits")[1], [9, 8])
        done = report[report["action"] != "initialised"]["action"].to_dict()
        assert done == {
            "encoder0_conv0/kernel": "sliced",
            "encoder0_conv0/bias": "carried",
            "logits/bias": "sliced",
        }
    with pytest.raises(SourceError, match=r"expected tensors such as .*found enc1/bias"):
        carry_weights(read_source(tmp_path / "theirs.npz", tiny_network), target)
    with pytest.raises(SourceError, match=r"theirs.npz: source_rename: .* found enc2"):
        read_source(tmp_path / "theirs.npz", tiny_network, {"enc2": "logits"})
    meaning["sequences"][1] = "T2"
    (tmp_path / "config.json").write_text(json.dumps(meaning))
    with pytest.raises(SourceError, match="expected SWI/T2S, found"):
        read_source(tmp_path / "theirs.npz", tiny_network)
