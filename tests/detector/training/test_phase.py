import json

import numpy as np
import pandas as pd
import pytest

from cmbkit.detector.inference.candidates import candidates
from cmbkit.detector.inference.tiled import Predictor, predict_logits
from cmbkit.detector.network.unet import build
from cmbkit.detector.training.phase import kept_epoch, learning_rate, load, train
from cmbkit.detector.training.validation import Tally
from cmbkit.params import Evaluation, Inference


@pytest.fixture
def cohort(random_scan):
    return [random_scan(f"t{i}", i) for i in range(6)], [
        random_scan(f"v{i}", 50 + i) for i in range(2)
    ]


def test_a_minute_of_training_finds_microbleeds_in_a_new_scan(
    cohort, small_network, small_training, small_phase, random_scan, tmp_path
):
    train_scans, valid_scans = cohort
    model = build(small_network, seed=0)
    followed = [(valid_scans[0].scan.uid, 2)]
    train(
        model,
        train_scans,
        valid_scans,
        small_phase,
        small_training,
        Inference(),
        Evaluation(),
        tmp_path,
        seed=1,
        step="test",
        snapshots=followed,
    )
    history = pd.read_csv(tmp_path / "history.csv")
    assert history["step"].tolist() == [40, 80]
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    steps = pd.read_csv(tmp_path / "steps.csv")
    assert steps["step"].tolist() == list(range(1, 81))
    halves = [steps["train_loss"][:40].mean(), steps["train_loss"][40:].mean()]
    np.testing.assert_allclose(history["train_loss"], halves)
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 1
    best = load(tmp_path, small_network, "count_f1")
    tally = Tally(Evaluation())
    for seed in (90, 91):
        scan = random_scan(f"new{seed}", seed)
        predictor = Predictor.of(best, Inference())
        logits = predict_logits(
            predictor, scan.image().data, brain=scan.brain().data, background=-3.0
        )
        found, _ = candidates(logits, None, 0.75, Inference(minimum_voxels=3))
        tally.add(scan.lesions().data, found, 0.75)
    assert tally.metrics()["count_f1"] > 0.6
    snapshot = np.load(tmp_path / "snapshots" / f"{followed[0][0]}_cmb2_epoch002.npz")
    assert snapshot["lesion"][8, 8, 8] and snapshot["probability"].shape == (16, 16, 16)


def test_learning_rate_rises_and_falls_along_a_cosine(small_phase):
    """80 steps, 16 of them warm-up: full after these, half of the way down in the middle."""
    changes = {"learning_rate": 0.1, "schedule": "cosine", "warmup_steps": 16}
    rate = learning_rate(small_phase.model_copy(update=changes))
    found = [float(rate(step)) for step in (0, 8, 16, 48, 80)]
    np.testing.assert_allclose(found, [0.1 / 17, 0.9 / 17, 0.1, 0.051, 0.002], rtol=1e-5)
    assert learning_rate(small_phase) == small_phase.learning_rate


def test_the_same_seed_gives_the_same_weights(
    cohort, tiny_network, small_training, small_phase, tmp_path
):
    """Two runs with one seed agree to the last bit, another seed differs."""
    phase = small_phase.model_copy(update={"epochs": 1, "steps_per_epoch": 2})
    weights = []
    for seed in (5, 5, 6):
        model = build(tiny_network, seed=0)
        train(
            model,
            *cohort,
            phase,
            small_training,
            Inference(),
            Evaluation(),
            tmp_path,
            seed=seed,
            step="test",
        )
        weights.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_it_stops_when_nothing_improves_and_validates_whole_scans(
    cohort, tiny_network, small_training, small_phase, tmp_path
):
    """With next to no learning rate, patience 1 ends the phase early."""
    phase = small_phase.model_copy(
        update={"epochs": 30, "steps_per_epoch": 1, "patience_epochs": 1, "learning_rate": 1e-12}
    )
    training = small_training.model_copy(update={"validation_patches_per_scan": None})
    model = build(tiny_network, seed=0)
    train(
        model,
        *cohort,
        phase,
        training,
        Inference(overlap=0),
        Evaluation(),
        tmp_path,
        seed=0,
        step="test",
    )
    assert len(pd.read_csv(tmp_path / "history.csv")) < 30


def test_missing_weights_are_named(small_network, tmp_path):
    with pytest.raises(FileNotFoundError, match="best_dice"):
        load(tmp_path, small_network, "dice")


def test_the_kept_epoch_is_the_best_one_or_the_last():
    history = pd.DataFrame({"val_loss": [0.5, 0.3, 0.4], "dice": [0.2, 0.1, 0.15]})
    assert [kept_epoch(history, name) for name in ("loss", "dice", "final")] == [1, 0, 2]


def test_tensorboard_is_closed_when_a_training_fails(
    cohort, tiny_network, small_training, small_phase, tmp_path, monkeypatch
):
    from contextlib import contextmanager

    from cmbkit.detector.training import phase as training

    closed = []

    @contextmanager
    def watcher(folder, wanted):
        try:
            yield lambda row: None
        finally:
            closed.append((folder, wanted))

    def fail(*_):
        raise FloatingPointError("loss is not finite")

    monkeypatch.setattr(training, "tensorboard", watcher)
    monkeypatch.setattr(training, "_one_epoch", fail)
    given = (small_phase, small_training, Inference(engine="keras"), Evaluation(), tmp_path)
    with pytest.raises(FloatingPointError, match="not finite"):
        train(build(tiny_network), *cohort, *given, seed=1, step="failing")
    assert closed == [(tmp_path, True)]
