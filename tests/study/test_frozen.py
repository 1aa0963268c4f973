"""Frozen networks: what is kept, that it is checked, and when it is not served."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cmbkit.detector.network.weights import describe_weights
from cmbkit.params import check_parameters, read_parameters, replace_parts
from cmbkit.study import Study
from cmbkit.study.frozen import FrozenError, freeze, frozen_folder

ROOT = Path(__file__).parents[2]
VALUES = {
    "profile": "small",
    "seed": 5,
    "cohort": {"datasets": ["DOU", "VALDO"], "phantom_scans": {"DOU": 1, "VALDO": 2}},
    "network": {"filters_per_depth": [4, 8], "patch_size": [16, 16, 16]},
    "inference": {"threshold": 0.9},
}


class TrainedPhases:
    """Stands for `ModelStage`: folders of text files named as the phases name theirs."""

    def __init__(self, place):
        self.place = place
        for name in ("scratch-pretrain", "scratch-finetune", "tl-pretrain", "tl-finetune"):
            folder = place / name
            (folder / "snapshots").mkdir(parents=True)
            written = [
                "history.csv",
                "steps.csv",
                "best_loss.weights.h5",
                "final.weights.h5",
                "checkpoint.npz",
            ]
            written += ["snapshots/DOU_cmb1_epoch001.npz", "false_alarms.csv"]
            written += ["transfer.csv"] if name == "tl-pretrain" else []
            for file in written:
                (folder / file).write_text(f"epoch,seconds\n1,{len(name + file)}\n")
        (place / "source").mkdir()
        for file in ("source.weights.h5", "config.json", "history.csv", "provenance.json"):
            (place / "source" / file).write_text(file)

    def folder(self, model, phase):
        return self.place / f"{model}-{phase}"

    def weights(self, model):
        return self.folder(model, "finetune") / "best_loss.weights.h5"

    def source(self):
        return self.place / "source" / "source.weights.h5"


@pytest.fixture
def root(tmp_path):
    """Root of a study whose trained phases have been frozen."""
    params = check_parameters(VALUES)
    freeze(SimpleNamespace(models=TrainedPhases(tmp_path / "c"), params=params, root=tmp_path))
    return tmp_path


def changed(**parts):
    return check_parameters(replace_parts(VALUES, parts))


def test_what_the_study_shows_is_kept_and_listed_with_its_hash(root):
    folder = frozen_folder(root, changed())
    manifest = json.loads((folder / "manifest.json").read_text())
    there = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    assert sorted(there) == [
        "manifest.json",
        "scratch-finetune/best_loss.weights.h5",
        "scratch-finetune/false_alarms.csv",
        "scratch-finetune/history.csv",
        "scratch-finetune/steps.csv",
        "scratch-pretrain/history.csv",
        "scratch-pretrain/snapshots/DOU_cmb1_epoch001.npz",
        "scratch-pretrain/steps.csv",
        "source/config.json",
        "source/history.csv",
        "source/source.weights.h5",
        "tl-finetune/best_loss.weights.h5",
        "tl-finetune/false_alarms.csv",
        "tl-finetune/history.csv",
        "tl-finetune/steps.csv",
        "tl-pretrain/history.csv",
        "tl-pretrain/steps.csv",
        "tl-pretrain/transfer.csv",
    ]
    assert sorted(manifest["files"]) == sorted(set(there) - {"manifest.json"})
    # printf config.json | sha256sum
    expected = "587cb980af76fdc7e52369fd0b9d926dff266976b6f8ac631e358fecc49ff8cf"
    assert manifest["files"]["source/config.json"] == expected
    assert manifest["parameters"]["network"]["filters_per_depth"] == [4, 8]
    assert manifest["processor"]


@pytest.mark.parametrize(
    "parts",
    [
        {"inference": {"threshold": 0.5, "precision": "float32"}},
        {"evaluation": {"max_distance_mm": 3.0}},
        {"training": {"models": ["scratch"], "memory_gb": 1.0, "tensorboard": False}},
        {"workers": 7, "data_dir": "elsewhere"},
    ],
)
def test_what_changes_no_network_may_differ(root, parts):
    frozen_folder(root, changed(**parts))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"seed": 6}, "trained with seed 5, found 6; training: {networks: train}"),
        (
            {"network": {"filters_per_depth": [4, 16]}},
            "network.filters_per_depth [4, 8], found [4, 16]",
        ),
        ({"cohort": {"phantom_scans": {"DOU": 3}}}, "cohort.phantom_scans {'DOU': 1"),
        ({"preprocessing": {"spacing_mm": 1.0}}, "preprocessing.spacing_mm 0.5, found 1.0"),
        ({"training": {"seed": 6}}, "training.seed None, found 6"),
        ({"training": {"finetune_tl": {"epochs": 3}}}, "training.finetune_tl.epochs 99, found 3"),
        ({"profile": "other"}, "weights/other/manifest.json: expected frozen networks"),
        (
            {"seed": 1, "training": {"patches_per_scan": 1, "source_steps": 1, "queue_patches": 1}},
            "and 1 more; training: {networks: train}",
        ),
    ],
)
def test_networks_of_other_parameters_are_refused_in_one_line(root, parts, words):
    with pytest.raises(FrozenError) as caught:
        frozen_folder(root, changed(**parts))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_parameter_that_the_manifest_does_not_know_counts_as_its_default(root):
    path = root / "weights/small/manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["parameters"]["training"]["dark_background"]
    manifest["parameters"]["network"]["of_the_past"] = True
    path.write_text(json.dumps(manifest))
    frozen_folder(root, changed())
    with pytest.raises(FrozenError, match=r"training\.dark_background 0\.0, found 0\.5"):
        frozen_folder(root, changed(training={"dark_background": 0.5}))


def test_a_model_that_was_not_frozen_is_named(tmp_path):
    params = changed(training={"models": ["scratch"]})
    freeze(SimpleNamespace(models=TrainedPhases(tmp_path / "c"), params=params, root=tmp_path))
    with pytest.raises(FrozenError, match="weights/small: trained with no model tl; training:"):
        frozen_folder(tmp_path, changed())


def test_a_changed_or_missing_file_is_one_line(root):
    path = root / "weights/small/tl-finetune/best_loss.weights.h5"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(FrozenError, match=r"best_loss\.weights\.h5: expected sha256 \w{12}, found"):
        frozen_folder(root, changed())
    path.unlink()
    with pytest.raises(FrozenError, match=r"found nothing; git checkout weights/small brings it"):
        frozen_folder(root, changed())


def test_a_study_reads_frozen_phases_and_trains_none(root):
    study = Study(root=root, **replace_parts(VALUES, {"training": {"networks": "frozen"}}))
    folder = root / "weights/small"
    assert study.models.weights("tl") == folder / "tl-finetune/best_loss.weights.h5"
    assert study.models.source() == folder / "source/source.weights.h5"
    assert isinstance(study.models.history("scratch", "pretrain"), pd.DataFrame)


def test_the_networks_of_the_demo_are_as_its_parameter_file_says_and_hold_no_code():
    """HDF5, text, and arrays that are read without pickle."""
    folder = frozen_folder(ROOT, read_parameters(ROOT / "params/demo.yaml"))
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"".join(path.suffixes) for path in files} == {".weights.h5", ".json", ".csv", ".npz"}
    for path in files:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as stored:
                assert stored["image"].shape == stored["probability"].shape
        if path.suffix == ".h5":
            assert path.read_bytes().startswith(b"\x89HDF\r\n")
    assert sum(path.stat().st_size for path in files) < 8e6


@pytest.mark.parametrize("model", ["scratch", "tl"])
def test_the_larger_profile_has_the_networks_of_the_demo_and_their_settings(model):
    demo = read_parameters(ROOT / "params/demo.yaml")
    given = describe_weights(ROOT / "weights/larger" / model)[1]
    manifest = json.loads((ROOT / "weights/demo/manifest.json").read_text())
    assert given.sha256 == manifest["files"][f"{model}-finetune/best_loss.weights.h5"]
    for section in ("network", "preprocessing", "inference"):
        assert getattr(given, section) == getattr(demo, section), section
