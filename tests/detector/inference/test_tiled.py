import shutil
from itertools import product

import numpy as np
import pytest
from scipy import ndimage
from scipy.special import expit, logit

from cmbkit.detector.inference.candidates import candidates
from cmbkit.detector.inference.engines import (
    Engine,
    choose_precision,
    engine_for,
    keep,
)
from cmbkit.detector.inference.files import find_in_map, map_file, predict_map, read_logits
from cmbkit.detector.inference.tiled import (
    Predictor,
    predict_logits,
    predict_standard,
)
from cmbkit.detector.network.unet import build
from cmbkit.params import Inference
from cmbkit.running.user_cache import user_cache
from cmbkit.volume import Volume

OPENVINO = Inference(engine="openvino", precision="float32")


@pytest.fixture(scope="module")
def model(small_network):
    return build(small_network, seed=3)


@pytest.fixture(scope="module")
def kept(model, small_network, tmp_path_factory):
    """A cache that holds the model as converted for OpenVINO."""
    root = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root))
        keep("a" * 64, small_network.patch_size, OPENVINO, lambda: model)
    return root


def test_overlapping_logits_are_summed_before_softmax(model):
    """Two tiles of 16 over 24 voxels at overlap 0.5: the middle 8 voxels see both."""
    image = np.random.default_rng(0).normal(size=(24, 16, 16)).astype(np.float32)
    predictor = Predictor.of(model, Inference(overlap=0.5, engine="keras"))
    found = predict_logits(predictor, image, background=0.0)
    tiles = [model.predict_on_batch(image[None, s : s + 16, ..., None])[0] for s in (0, 8)]
    left, right = (np.log(p[..., 1]) - np.log(p[..., 0]) for p in tiles)
    expected = np.concatenate([left[:8], left[8:] + right[:8], right[8:]])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_skipping_tiles_outside_the_brain_changes_nothing_inside(model):
    image = np.random.default_rng(0).normal(size=(40, 40, 40)).astype(np.float32)
    brain = np.zeros(image.shape, np.uint8)
    brain[3:14, 20:38, 5:30] = 1
    settings = Inference(overlap=0.4, batch_size=4)
    predictor = Predictor.of(model, settings)
    everywhere = predict_logits(predictor, image, background=0.0)
    skipping = predict_logits(predictor, image, brain=brain, background=0.0)
    inside = brain > 0
    np.testing.assert_allclose(skipping[inside], everywhere[inside], atol=1e-6)
    assert (skipping[32:] == -np.inf).all() and np.isfinite(everywhere[32:]).any()


def test_engines_give_the_same_probabilities(model):
    """OpenVINO against Keras."""
    patches = np.random.default_rng(0).normal(size=(3, 16, 16, 16)).astype(np.float32)
    found = {}
    for engine in ("keras", "openvino"):
        settings = Inference(batch_size=2, engine=engine, precision="float32")
        predictor = Predictor.of(model, settings)
        predictor.engine.refresh()
        found[engine] = predictor.evidence(patches)
    assert np.ptp(found["keras"]) > 0.1
    np.testing.assert_allclose(found["openvino"], found["keras"], atol=1e-4)


def test_averaged_logits_are_the_sum_over_how_many_tiles_saw_them(model):
    image = np.random.default_rng(0).normal(size=(24, 16, 16)).astype(np.float32)
    summed, mean = (
        predict_logits(
            Predictor.of(model, Inference(overlap=0.5, weighting=how, engine="keras")),
            image,
            background=0.0,
        )
        for how in ("sum", "mean")
    )
    summed[8:16] /= 2
    np.testing.assert_allclose(mean, summed, atol=1e-4)


@pytest.mark.parametrize("flips", [False, True])
def test_two_passes_give_the_whole_grids_result_where_the_first_is_suspicious(model, flips):
    """With one bright corner: tiles near what the first pass finds, and no others. The
    first pass looks at no mirror images."""
    image = np.random.default_rng(0).normal(size=(56, 56, 56)).astype(np.float32)
    brain = np.ones(image.shape, np.uint8)
    first = predict_logits(
        Predictor.of(model, Inference(overlap=0.0)), image, brain=brain, background=0.0
    )
    limit = float(expit(np.sort(first, axis=None)[-3:].mean()))
    settings = Inference(overlap=0.4, flips=flips, two_passes=True, screen_threshold=limit)
    found = predict_logits(Predictor.of(model, settings), image, brain=brain, background=0.0)
    whole = predict_logits(
        Predictor.of(model, Inference(overlap=0.4, flips=flips)), image, brain=brain, background=0.0
    )
    place = np.unravel_index(first.argmax(), first.shape)
    assert found[place] == pytest.approx(whole[place], abs=1e-5)
    assert 0 < np.isfinite(found).mean() < 1


@pytest.mark.parametrize(("bright", "seen"), [(9, slice(0, 24)), (14, slice(0, 32))])
def test_the_second_pass_takes_tiles_next_to_what_is_suspicious(bright, seen):
    """Tiles of 16 from 0, 8 and 16 over 32 voxels, 2 around each, and a network that answers its
    input: 14 is in the first two and 2 from the third."""

    def run(patches):
        return np.concatenate([np.zeros_like(patches), patches], axis=-1)

    engine = Engine((16, 16, 16, 1), (16, 16, 16, 2), lambda: run)
    image = np.full((32, 16, 16), -9, np.float32)
    image[bright, 3, 5] = 9
    settings = Inference(overlap=0.5, weighting="gaussian", two_passes=True)
    found = predict_logits(Predictor(engine, settings), image, background=-9.0)
    np.testing.assert_allclose(found[seen], image[seen], rtol=1e-5)
    assert np.isfinite(found).sum() == image[seen].size


@pytest.mark.parametrize("margin", [0.0, 2.0])
def test_the_surest_grid_outlines_a_candidate(margin):
    """A network that answers its input, but what is over 5 it does not know. A plain block has its
    outline of the standard grid; one of 9 and -1 in turn is known by its mean, on the coarser one:
    half way between voxels lies the mean of eight of the smoothed image."""

    def run(patches):
        known = np.where(patches > 5, -9, patches)
        return np.concatenate([np.zeros_like(known), known], axis=-1)

    engine = Engine((16, 16, 16, 1), (16, 16, 16, 2), lambda: run)
    image = np.full((48, 16, 16), -5, np.float32)
    image[5:11, 4:11, 4:11] = 4
    turn = np.indices((8, 10, 10)).sum(0) % 2
    image[32:40, 3:13, 3:13] = np.where(turn, 9, -1)
    settings = Inference(weighting="mean", coarser=[0.5], coarser_margin=margin)
    found = predict_logits(Predictor(engine, settings), image, background=-5.0)
    fine = np.where(image > 5, -9, image)
    np.testing.assert_allclose(found[:24], fine[:24], atol=1e-4)
    smooth = ndimage.gaussian_filter(image, 0.8)
    means = smooth.reshape(24, 2, 8, 2, 8, 2).mean((1, 3, 5)) - margin
    coarse = np.where(means < logit(0.1), -np.inf, means)
    coarse = coarse.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(found[24:], np.maximum(fine, coarse)[24:], atol=1e-4)
    assert (found[32:40] > fine[32:40]).mean() > 0.2


@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_thin_image_has_a_coarser_grid(model, side):
    image = np.random.default_rng(0).normal(size=(24, 20, side)).astype(np.float32)
    predictor = Predictor.of(model, Inference(coarser=[0.5, 0.25]))
    found = predict_logits(predictor, image, brain=image > -9, background=0.0)
    assert found.shape == image.shape and np.isfinite(found).all()


@pytest.mark.parametrize("batch", [1, 3, 96])
def test_flips_look_at_four_mirror_images_of_each_tile_in_turn(batch):
    """A network that answers the corner at which what it sees begins. Tiles of 8 begin at 0, 4, 8
    and 10 along x. Along no axis or two it sees a tile begin at (0, 0, 0), (0, 7, 7), (7, 0, 7)
    and (7, 7, 0), along one or three at the other four."""

    def run(patches):
        assert len(patches) <= batch
        corner = np.zeros_like(patches)
        corner[:, 0, 0, 0] = 8
        return np.concatenate([np.zeros_like(patches), corner], axis=-1)

    engine = Engine((8, 8, 8, 1), (8, 8, 8, 2), lambda: run)
    settings = Inference(overlap=0.5, flips=True, batch_size=batch)
    found = predict_logits(Predictor(engine, settings), np.zeros((18, 8, 8)), background=0.0)
    expected = np.zeros((18, 8, 8))
    for start, odd in ((0, 0), (4, 1), (8, 0), (10, 1)):
        for x, y, z in product((0, 7), repeat=3):
            expected[start + x, y, z] += 2 * ((x + y + z) % 2 == odd)
    np.testing.assert_array_equal(found, expected)


def test_keras_computes_in_float32_alone():
    assert choose_precision("auto", "keras") == "float32"
    with pytest.raises(ValueError, match="precision bfloat16: engine keras"):
        choose_precision("bfloat16", "keras")
    assert choose_precision("auto", "openvino") in ("bfloat16", "float32")


def test_openvino_does_not_report_its_use(model):
    Predictor.of(model, Inference(engine="openvino"))
    from openvino.tools.ovc import telemetry_utils

    assert telemetry_utils.tm.__name__ == "openvino.tools.ovc.telemetry_stub"


def test_a_kept_network_answers_as_the_keras_one_and_is_built_once(
    model, small_network, tmp_path, monkeypatch
):
    """Another engine needs no converted file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    built = []

    def build_it():
        built.append(1)
        return model

    patches = np.random.default_rng(0).normal(size=(3, 16, 16, 16)).astype(np.float32)
    expected = Predictor.of(model, Inference(engine="keras")).evidence(patches)
    for _ in range(2):
        engine = engine_for("a" * 64, small_network.patch_size, OPENVINO, build_it)
        assert engine.input_shape == (16, 16, 16, 1) and engine.output_shape == (16, 16, 16, 2)
        found = Predictor(engine, OPENVINO).evidence(patches)
        np.testing.assert_allclose(found, expected, atol=1e-4)
    assert len(built) == 1
    assert sorted(p.suffix for p in user_cache("networks").iterdir()) == [".bin", ".hashes", ".xml"]
    assert keep("b" * 64, small_network.patch_size, Inference(engine="keras"), build_it) is None


@pytest.mark.parametrize(
    ("ending", "damage"),
    [(".bin", "zeros"), (".bin", "cut"), (".xml", "emptied"), (".xml", "gone"), (".hashes", "cut")],
)
def test_a_damaged_kept_network_is_converted_anew(
    kept, model, small_network, tmp_path, monkeypatch, capsys, ending, damage
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(shutil.copytree(kept, tmp_path / "cache")))
    (path,) = user_cache("networks").glob("*.xml")
    whole = path.with_suffix(ending).read_bytes()
    zeros = bytes(40) + whole[40:]
    changed = {"zeros": zeros, "cut": whole[:-5], "emptied": b""}.get(damage)
    path.with_suffix(ending).unlink()
    if changed is not None:
        path.with_suffix(ending).write_bytes(changed)
    assert keep("a" * 64, small_network.patch_size, OPENVINO, lambda: model) == path
    assert ending != ".bin" or path.with_suffix(ending).read_bytes() == whole
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and f"{path}: expected the network" in told


def test_on_a_full_disk_nothing_is_kept(model, small_network, tmp_path, monkeypatch):
    """OpenVINO says so by a RuntimeError."""

    def full(*_, **__):
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("keras.Model.export", full)
    assert keep("a" * 64, small_network.patch_size, OPENVINO, lambda: model) is None
    with pytest.raises(OSError, match="expected room for a converted network"):
        engine_for("a" * 64, small_network.patch_size, OPENVINO, lambda: model)


def test_where_nothing_can_be_kept_keras_builds_the_network(
    model, small_network, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "below"))
    engine = engine_for("c" * 64, small_network.patch_size, OPENVINO, lambda: model)
    assert engine.name == "openvino" and engine.output_shape[-1] == 2


def test_a_refreshed_predictor_has_the_new_weights(small_network):
    model = build(small_network, seed=3)
    patches = np.ones((1, 16, 16, 16), np.float32)
    predictor = Predictor.of(model, Inference(engine="openvino"))
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([kernel * 0, bias * 0 + [0, 1]])
    predictor.engine.refresh()
    np.testing.assert_allclose(predictor.evidence(patches), 1, atol=1e-5)


def test_an_image_smaller_than_a_tile_is_padded(model):
    image = np.zeros((10, 16, 20), np.float32)
    predictor = Predictor.of(model, Inference(engine="keras"))
    assert predict_logits(predictor, image, background=-1).shape == image.shape


def test_three_classes_are_refused(small_network):
    with pytest.raises(ValueError, match="2 classes, found 3"):
        Predictor.of(build(small_network, n_classes=3), Inference())


def test_a_predicted_scan_is_three_files_on_its_own_grid(model, standard_scan, tmp_path):
    scan = standard_scan("one", dark=[(12, 12, 12)])
    params = Inference(threshold=0.3, engine="keras")
    predictor = Predictor.of(model, params)
    predict_map(predictor, scan, tmp_path)
    stem = f"{scan.scan.bids_name}_desc-cmb"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [f"{stem}_logits.nii.gz"]
    find_in_map(scan, tmp_path, params, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    assert names[1:] == [f"{stem}pred_dseg.nii.gz", f"{stem}pred_table.tsv"]
    logits = read_logits(map_file(tmp_path, scan))
    scan.image().require_same_grid(logits)
    _, expected = predict_standard(predictor, scan)
    np.testing.assert_allclose(logits.data, np.maximum(expected, -6), atol=0.005001)
    instances = Volume.read(tmp_path / f"{stem}pred_dseg.nii.gz", "uint16")
    scan.image().require_same_grid(instances)
    found, _ = candidates(logits.data, scan.labels().data, 0.75, params)
    assert found.any()
    np.testing.assert_array_equal(found > 0, instances.data > 0)
