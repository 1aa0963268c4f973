"""``cmbkit train`` on scans of one's own: the template, given weights, folds, one-line errors."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from cmbkit.cli import app
from cmbkit.commands.train import _started_from
from cmbkit.detector.network.unet import build
from cmbkit.detector.network.weights import describe_weights, read_weights, write_weights
from cmbkit.params import Inference, Network, Preprocessing, read_parameters
from cmbkit.running.ledger import newest
from cmbkit.volume import Volume

TEMPLATE = Path(__file__).parents[2] / "params" / "finetune_own.yaml"
NETWORK = {"patch_size": [16] * 3, "filters_per_depth": [4], "filters_out_bottom_conv": 4}
NETWORK |= {"n_conv_per_depth": 1, "n_conv_per_depth_upsampling": 1, "n_conv_bottom": 1}
SHAPE = np.array([40, 46, 40])


def write_subject(folder: Path, name: str, bleeds) -> None:
    """An ellipsoid brain of 2 mm voxels with dark balls of 3 mm."""
    mm = 2.0 * np.moveaxis(np.indices(SHAPE), 0, -1)
    inside = (((mm - SHAPE) / (0.85 * SHAPE)) ** 2).sum(-1) <= 1
    data = np.where(inside, 400 + np.random.default_rng(int(name)).normal(0, 4, SHAPE), 0)
    mask = np.zeros(SHAPE, np.uint8)
    for bleed in bleeds:
        mask[((mm - 2 * np.array(bleed)) ** 2).sum(-1) <= 3**2] = 1
    data[mask > 0] = 100
    affine = np.diag([2.0, 2, 2, 1])
    place = folder / f"sub-{name}" / "swi"
    Volume(data.astype(np.float32), affine).write(place / f"sub-{name}_swi.nii.gz")
    Volume(mask, affine).write(place / f"sub-{name}_desc-cmb_mask.nii.gz")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Six subjects, two without bleeds; weights of an untrained network; a short template."""
    root = tmp_path_factory.mktemp("own")
    for i in range(6):
        bleeds = [(18, 20, 20), (24, 26, 16 + i)] if i < 4 else []
        write_subject(root / "data/raw/MINE", f"{i + 1:02d}", bleeds)
    network = Network(**NETWORK)
    write_weights(
        root / "given",
        build(network, seed=5),
        name="untrained",
        trained_on="nothing",
        network=network,
        preprocessing=Preprocessing(spacing_mm=2.0, pad_voxels=64, atlas_registration="affine"),
        inference=Inference(overlap=0.0),
    )
    return root


def written(place, **changes) -> str:
    """The template with few steps and further changes, as a file; without a pool of processes."""
    values = yaml.safe_load(TEMPLATE.read_text()) | {"workers": 1}
    values["training"]["finetune"] |= {"epochs": 2, "steps_per_epoch": 2, "batch_size": 2}
    values["training"]["finetune"] |= {"warmup_steps": 1, "frozen": ["encoder"]}
    values["training"]["finetune"]["false_alarms"] = 0.5
    for section, content in changes.items():
        values[section] = (
            values.get(section, {}) | content if isinstance(content, dict) else content
        )
    path = place / "mine.yaml"
    path.write_text(yaml.safe_dump(values))
    return str(path)


def cmbkit(place, *arguments):
    return CliRunner().invoke(app, [*arguments], env={"CMBKIT_ROOT": str(place)})


def test_the_template_is_a_parameter_file():
    params = read_parameters(TEMPLATE)
    assert params.cohort.bids["MINE"].split == "train-valid"
    assert params.training.finetune.datasets == ["MINE"]


def test_given_weights_are_fine_tuned_on_ones_own_scans(place):
    """A frozen encoder comes out as it went in, the rest has moved; a second call only reads."""
    given, out = str(place / "given"), str(place / "out")
    for _ in range(2):
        done = cmbkit(place, "train", written(place), "--from", given, "--out", out)
        assert done.exit_code == 0, done.output
    before, after = read_weights(given).model, read_weights(out).model
    same = [
        all(map(np.array_equal, a.get_weights(), b.get_weights()))
        for a, b in zip(before.layers, after.layers, strict=True)
        if a.weights and a.name.startswith(("encoder", "bottom"))
    ]
    assert same == [True, True, False, False]
    found = describe_weights(out)[1]
    assert found.trained_on.endswith("scans of MINE") and found.training["from"] == "given"
    assert found.preprocessing.spacing_mm == 2.0
    items = sorted((place / "data/derivatives/finetune_own/models").iterdir())
    assert [item.name for item in items] == [
        "scratch-finetune-from",
        "scratch-finetune-from-alarms",
    ]
    folder, alarms = map(newest, items)
    assert list((folder / "tensorboard").iterdir())
    tables = [(each / "false_alarms.csv").read_bytes() for each in (alarms, folder)]
    assert tables[0] == tables[1]


def test_every_patient_is_validated_once_over_the_folds(place):
    file = written(place, cohort={"folds": 2})
    done = cmbkit(place, "train", file, "--from", str(place / "given"), "--fold", "all")
    assert done.exit_code == 0, done.output
    assert "mean" in done.output
    derived = place / "data/derivatives/finetune_own"
    folds = pd.read_csv(derived / "folds.tsv", sep="\t")
    assert sorted(folds["fold"]) == [1, 1, 1, 2, 2, 2]
    assert len(list(derived.glob("models/scratch-finetune-from-fold*of2/*/history.csv"))) == 2


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({}, ["--fold", "1"], "cohort.folds: expected a number for --fold, found none"),
        ({"cohort": {"folds": 2}}, ["--fold", "3"], "--fold: expected 1 to 2 or all, found '3'"),
        ({}, ["--phase", "test"], "--phase: expected pretrain or finetune, found 'test'"),
        ({"network": {"n_conv_bottom": 2}}, [], "network.filters_per_depth: expected [4] as in"),
        ({"preprocessing": {"spacing_mm": 1.0}}, [], "spacing_mm: expected 2.0 as in"),
    ],
)
def test_what_does_not_fit_is_one_line(place, changes, options, words):
    given = str(place / "given")
    done = cmbkit(place, "train", written(place, **changes), "--from", given, *options)
    assert done.exit_code == 1
    assert words in done.output.splitlines()[-1], done.output


def test_weights_trained_on_from_a_first_network_keep_its_own_operating_point():
    """0.98 and 8 voxels, chosen before there was a second look, which they will not have."""
    params, _ = _started_from(read_parameters(TEMPLATE), "compact", TEMPLATE)
    assert (params.inference.threshold, params.inference.minimum_voxels) == (0.98, 8)
    training = params.training
    assert (training.validation_threshold, training.validation_minimum_voxels) == (0.98, 8)
    assert describe_weights("compact")[1].inference.threshold == 0.7
