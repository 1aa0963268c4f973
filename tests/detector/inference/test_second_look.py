"""What is looked at a second time, what the look sees, and what becomes of the map."""

import json
import shutil

import numpy as np
import pytest

from cmbkit.detector.inference.candidates import candidates
from cmbkit.detector.inference.engines import Engine, engine_of
from cmbkit.detector.inference.ready import predictor_for
from cmbkit.detector.inference.second_look import SecondLook, components, patches_at
from cmbkit.detector.inference.tiled import predict_logits
from cmbkit.detector.network.look import build_look
from cmbkit.detector.network.unet import build, logits_model, save_weights
from cmbkit.detector.network.weights import (
    WeightsError,
    describe_weights,
    read_look,
    write_weights,
)
from cmbkit.params import Inference, Network, ParameterError, Preprocessing
from cmbkit.running.file_hashes import sha256

SPACING = 1.5  # mm: a ball of 2.5 mm holds 8.2 / 3.4 = 2 voxels


@pytest.fixture
def logits():
    """-9 but for a bar of five voxels (two high ones at its end) and a corner of four."""
    found = np.full((20, 20, 20), -9.0, np.float32)
    found[10, 10, 8:13] = [1, 1, 2, 6, 4]
    found[0, 0, :4] = 7
    return found


def says(*answers):
    """A look that gives these logits, and the patches that it was shown."""
    shown = []

    def run(patches):
        shown.append(patches)
        return np.array(answers, np.float32)[:, None]

    return SecondLook(Engine((8, 8, 8, 2), (1,), lambda: run), 6, SPACING), shown


def test_candidates_of_five_voxels_are_looked_at_where_they_are_highest(logits):
    found = components(logits, SPACING)
    assert found.places.tolist() == [[10, 10, 11.5]]
    numbers = dict(zip(zip(*found.where, strict=True), found.numbers, strict=True))
    assert numbers[10, 10, 8] == 0 and numbers[0, 0, 0] == -1 and len(numbers) == 9


def test_a_patch_is_padded_with_background_and_the_lowest_logit(logits):
    image = np.arange(8000.0).reshape(20, 20, 20)
    one, two = patches_at(np.array([[10, 10, 11.6], [0, 0, 1]]), image, logits, -3, 8)
    assert one[4, 4, 4].tolist() == [image[10, 10, 12], 0.4000000059604645]
    assert one[0, 0, 0, 0] == image[6, 6, 8]
    assert two[4, 4, 4].tolist() == [image[0, 0, 1], 0.699999988079071]
    assert two[3, 4, 4].tolist() == [-3, -1.5]


def test_no_logit_is_higher_than_what_the_look_says(logits):
    look, shown = says(1.5)
    found = look(logits, np.zeros_like(logits), -3.0)
    assert shown[0].shape == (1, 8, 8, 8, 2)
    assert found[10, 10, 8:13].tolist() == [1, 1, 1.5, 1.5, 1.5]
    assert (found[0, 0, :4] == -np.inf).all() and found[5, 5, 5] == -9
    assert logits[10, 10, 11] == 6


def test_all_mirror_images_are_shown_once_and_their_mean_counts():
    corners = [patch[::7, ::7, ::7, 0].ravel() for patch in [np.arange(1024.0).reshape(8, 8, 8, 2)]]
    asked = []

    def first_voxel(patches):
        asked.append(patches[0, 0, 0, 0, 0])
        return patches[:, 0, 0, 0, :1]

    look = SecondLook(Engine((8, 8, 8, 2), (1,), lambda: first_voxel), 6, SPACING)
    said = look.said_of(np.arange(1024, dtype=np.float32).reshape(1, 8, 8, 8, 2))
    assert sorted(asked) == sorted(corners[0]) and said == [np.mean(corners[0])]


def test_the_score_of_a_candidate_is_the_look_s_or_its_own_where_that_is_lower(logits):
    given = Inference(threshold=0.5, minimum_voxels=1, drop_outside_brain_labels=False)
    for said, score in ((1.5, 1.5), (9.0, 5.0)):
        capped = says(said)[0](logits, np.zeros_like(logits), -3.0)
        table = candidates(capped, None, SPACING, given)[1]
        assert table["score"].tolist() == [score]


def test_a_map_without_candidates_stays_as_it_is():
    logits = np.full((9, 9, 9), -9.0, np.float32)
    look, _ = says()
    assert (look(logits, logits, -3.0) == logits).all()


def test_the_other_u_net_adds_a_share_of_its_highest_mean_in_the_middle():
    """Means of 27 voxels with their centres less than 4 voxels from the middle."""
    network = Network(filters_per_depth=[2], filters_out_bottom_conv=2, n_conv_per_depth=1)
    look = build_look(network, 0.5, seed=5)
    decider, opinion = look.get_layer("decider"), look.get_layer("opinion")
    patch = np.random.default_rng(1).normal(size=(1, 24, 24, 24, 2)).astype(np.float32)
    unet = logits_model(next(part for part in opinion.layers if part.name == "logits"))
    found = unet(patch[..., :1]).numpy()[0]
    apart = (found[..., 1] - found[..., 0])[7:17, 7:17, 7:17]
    windows = np.lib.stride_tricks.sliding_window_view(apart, (3, 3, 3))
    expected = decider(patch).numpy() + 0.5 * windows.mean(axis=(3, 4, 5)).max()
    np.testing.assert_allclose(look(patch).numpy(), expected, atol=1e-4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights with a second look, neither trained."""
    network = Network(
        patch_size=[8, 8, 8], filters_per_depth=[2], filters_out_bottom_conv=2, n_conv_per_depth=1
    )
    place = tmp_path_factory.mktemp("weights")
    rest = {"preprocessing": Preprocessing(spacing_mm=SPACING), "inference": Inference(overlap=0)}
    write_weights(place, build(network, seed=3), name="t", trained_on="-", network=network, **rest)
    look = build_look(network, 0.2, seed=5)
    save_weights(look, place / "look.weights.h5")
    path = place / "network.json"
    values = json.loads(path.read_text())
    values["look"] = {
        "sha256": sha256(place / "look.weights.h5"),
        "parameters": look.count_params(),
        "opinion": network.model_dump(mode="json"),
        "share": 0.2,
        "alone": Inference(threshold=0.4).model_dump(mode="json"),
    }
    path.write_text(json.dumps(values))
    return place


def test_weights_with_a_look_use_it(folder, monkeypatch, tmp_path):
    """Map = map of the first network, capped by what Keras says of the patches."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    exact = Inference(overlap=0, precision="float32")
    predictor = predictor_for(folder, exact)
    image = np.random.default_rng(0).normal(size=(24, 24, 24)).astype(np.float32)
    found = predict_logits(predictor, image, background=-3.0)
    plain = predict_logits(predictor.first_pass, image, background=-3.0)
    engine = engine_of(read_look(folder), Inference(engine="keras"))
    expected = SecondLook(engine, 2, SPACING)(plain, image, -3.0)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (found < plain).any()


def test_a_scan_without_candidates_passes_through_keras(folder):
    engine = engine_of(read_look(folder), Inference(engine="keras"))
    nothing = np.full((24, 24, 24), -9.0, np.float32)
    assert (SecondLook(engine, 6, SPACING)(nothing, nothing, 0.0) == nothing).all()


def test_another_share_is_another_network_with_the_same_arrays(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    other = shutil.copytree(folder, tmp_path / "other")
    path = other / "network.json"
    path.write_text(path.read_text().replace('"share": 0.2', '"share": 9'))
    patch = np.random.default_rng(2).normal(size=(1, 24, 24, 24, 2)).astype(np.float32)
    said = [predictor_for(place).look.said_of(patch) for place in (folder, other)]
    assert abs(said[0] - said[1]) > 0.01
    one, two = (describe_weights(place)[1] for place in (folder, other))
    assert one.sha256 == two.sha256 and one.look.sha256 == two.look.sha256
    assert one.digest != two.digest
    assert one.all_parameters == one.parameters + read_look(folder).count_params()


def test_a_threshold_that_leaves_half_of_a_rejected_candidate_is_refused(folder):
    with pytest.raises(ParameterError, match=r"expected 0\.1 or more.*found 0\.05"):
        predictor_for(folder, Inference(threshold=0.05))


def test_weights_without_a_look_say_so(folder, tmp_path):
    place = shutil.copytree(folder, tmp_path / "w")
    values = json.loads((place / "network.json").read_text())
    del values["look"]
    (place / "network.json").write_text(json.dumps(values))
    with pytest.raises(WeightsError, match="expected a look, found none"):
        read_look(place)
    assert describe_weights(place)[1].digest == values["sha256"]


def test_another_file_than_the_described_one_is_refused(folder, tmp_path):
    place = shutil.copytree(folder, tmp_path / "w")
    (place / "look.weights.h5").write_bytes(b"other")
    with pytest.raises(WeightsError, match=r"look\.weights\.h5: expected sha256"):
        describe_weights(place)
    (place / "look.weights.h5").unlink()
    with pytest.raises(WeightsError, match=r"look\.weights\.h5: expected a file"):
        describe_weights(place)
