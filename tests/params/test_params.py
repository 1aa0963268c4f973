"""Parameter files are checked before anything runs; each problem is one line."""

from pathlib import Path
from typing import get_args

import pytest
import yaml

from cmbkit.params import DatasetName, ParameterError, Parameters, check_parameters, read_parameters

ROOT = Path(__file__).parents[2]
PROFILES = sorted((ROOT / "params").glob("*.yaml"))


@pytest.mark.parametrize("path", PROFILES, ids=lambda p: p.stem)
def test_every_profile_passes_and_is_named_after_its_file(path):
    assert read_parameters(path).profile == path.stem


def test_thesis_profile_spells_out_every_setting():
    values = yaml.safe_load((ROOT / "params/thesis.yaml").read_text())
    assert values == Parameters.model_validate(values).model_dump(mode="json")


def test_thesis_profile_holds_the_published_values():
    p = read_parameters(ROOT / "params/thesis.yaml")
    assert p.preprocessing.spacing_mm == 0.5 and p.preprocessing.pad_voxels == 400
    assert p.network.filters_per_depth == [32, 64, 128, 256, 320]
    assert p.network.activation_slope == 0.01  # Figure A.7, not the text's 0.001
    t = p.training
    assert [t.pretrain.epochs, t.finetune.epochs] == [197, 187]
    assert [t.pretrain_tl.epochs, t.finetune_tl.epochs] == [108, 99]
    assert t.pretrain.steps_per_epoch == 5000 and t.pretrain.learning_rate == 5e-5
    assert t.tversky_gamma == 3 and t.cross_entropy_weights == [0.1, 5]
    assert p.inference.overlap == 0.4 and p.evaluation.max_distance_mm == 5


def test_public_profile_uses_the_public_datasets_alone():
    p = read_parameters(ROOT / "params/public.yaml")
    assert sorted(p.cohort.datasets) == ["DOU", "MOMENI", "VALDO"]
    assert sorted(p.cohort.roots) == ["DOU", "MOMENI", "VALDO"]
    for phase in (p.training.pretrain, p.training.finetune):
        assert set(phase.datasets) == {"MOMENI", "VALDO"}
    assert p.evaluation.test_datasets == ["DOU"]


def minimal(**changes):
    return {"profile": "x", "cohort": {"phantom_scans": {"DOU": 1}, "datasets": ["DOU"]}} | changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sead": 1}, ["sead", "no such parameter"]),
        ({"seed": "1"}, ["seed", "integer", "'1'"]),
        ({"preprocessing": {"spacing_mm": "1e-3"}}, ["preprocessing.spacing_mm", "1.0e-3"]),
        ({"inference": {"overlap": 1.0}}, ["inference.overlap", "less than 1"]),
        ({"inference": {"weighting": "max"}}, ["inference.weighting", "'max'"]),
        ({"network": {"up_sampling": "nearest"}}, ["network.up_sampling", "'transposed'"]),
        ({"network": {"patch_size": [90, 96, 96]}}, ["patch_size", "multiples of 32"]),
        (
            {"training": {"finetune": {"epochs": 1, "steps_per_epoch": 5, "warmup_steps": 5}}},
            ["training.finetune", "fewer than the phase's 5 steps, found 5"],
        ),
        ({"training": {"models": []}}, ["training.models", "at least 1 item"]),
        ({"cohort": {}}, ["cohort", "expected a dataset in roots, phantom_scans or bids"]),
        ({"cohort": {"datasets": ["DOU"]}}, ["DOU", "roots", "phantom_scans"]),
        ({"profile": "a/b"}, ["profile"]),
        ({"cluster": {}}, ["cluster", "either address or slurm"]),
        ({"cluster": {"address": "here"}}, ["cluster.address", "'here'"]),
        ({"cluster": {"slurm": {"memory": "8"}}}, ["cluster.slurm.memory", "'8'"]),
        ({"preprocessing": {"synthseg": {"folder": "a", "program": "b"}}}, ["synthseg", "either"]),
        (
            {"preprocessing": {"brain_mask": "stand-in", "synthstrip": {"folder": "a"}}},
            ["brain_mask is stand-in", "synthstrip"],
        ),
    ],
)
def test_a_wrong_value_is_one_line_that_names_file_key_and_value(changes, words):
    with pytest.raises(ParameterError) as caught:
        check_parameters(minimal(**changes), "my.yaml")
    message = str(caught.value)
    assert message.startswith("my.yaml: ") and "\n" not in message
    assert all(word in message for word in words), message


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(ParameterError, match=r"nowhere\.yaml"):
        read_parameters(tmp_path / "nowhere.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1")
    with pytest.raises(ParameterError, match=r"broken\.yaml: expected YAML"):
        read_parameters(broken)


def test_datasets_of_ones_own_are_named_by_path_or_in_full():
    bids = {"MINE": "data/raw/MINE", "MORE": {"root": "x", "split": "train", "leave_out": ["07"]}}
    values = minimal()
    values["cohort"] = values["cohort"] | {"bids": bids}
    params = check_parameters(values)
    cohort = params.cohort
    assert cohort.names == ["DOU", "MINE", "MORE"]
    assert cohort.bids["MINE"].root == "data/raw/MINE"
    assert cohort.own_splits == {"MINE": "test", "MORE": "train"}
    assert params.evaluation.test_datasets == ["CRB", "DOU", "MINE"]
    assert check_parameters(params.model_dump()) == params
    values["evaluation"] = {"test_datasets": ["DOU"]}
    assert check_parameters(values).evaluation.test_datasets == ["DOU"]


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        ("VALDO", "x", ["names of your own", "VALDO"]),
        ("my data", "x", ["cohort.bids.my data", "'my data'"]),
        ("MINE", {"root": "x", "split": "half"}, ["cohort.bids.MINE.split", "'half'"]),
        ("MINE", {"root": "x", "leave_out": [7]}, ["leave_out.0", "string", "found 7"]),
        ("MINE", {"split": "test"}, ["cohort.bids.MINE.root", "expected a value, found nothing"]),
    ],
)
def test_a_dataset_of_ones_own_that_does_not_fit(name, source, words):
    values = minimal()
    values["cohort"] = values["cohort"] | {"bids": {name: source}}
    with pytest.raises(ParameterError) as caught:
        check_parameters(values, "my.yaml")
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in words), message


def test_a_dataset_that_nobody_knows_is_named_with_its_key():
    with pytest.raises(ParameterError, match=r"training.pretrain.datasets: .* found 'VALD'"):
        check_parameters(minimal(training={"pretrain": {"datasets": ["VALD"]}}))


def test_a_map_does_not_depend_on_what_is_made_of_it():
    one, other = (
        check_parameters(minimal(inference={"threshold": t})).inference for t in (0.5, 0.9)
    )
    assert one.of_map() == other.of_map() and one.of_candidates() != other.of_candidates()
    assert {*one.of_map(), *one.of_candidates(), "batch_size"} == {*one.model_dump()}


@pytest.mark.parametrize(
    "splits",
    [
        {"sMOMENI": "test"},
        {"sMOMENI": "train-valid"},
        {"sMOMENI": "valid", "MOMENI": "test"},
    ],
)
def test_a_file_that_asks_for_one_brain_on_two_sides_is_refused(splits):
    cohort = {"phantom_scans": dict.fromkeys(get_args(DatasetName), 1), "splits": splits}
    with pytest.raises(ParameterError, match="sMOMENI has the brains of MOMENI: expected"):
        check_parameters({"profile": "x", "cohort": cohort})


def test_momeni_and_its_derived_scans_may_go_to_one_side():
    splits = {"sMOMENI": "test", "MOMENI": "test"}
    cohort = {"phantom_scans": dict.fromkeys(get_args(DatasetName), 1), "splits": splits}
    assert check_parameters({"profile": "x", "cohort": cohort}).cohort.splits == splits


def test_datasets_are_those_with_a_source():
    """In the order of the published ones; scans of one's own need no empty list beside them."""
    cohort = {"roots": {"VALDO": "v"}, "phantom_scans": {"DOU": 2}}
    assert check_parameters(minimal(cohort=cohort)).cohort.datasets == ["DOU", "VALDO"]
    assert check_parameters(minimal(cohort={"bids": {"MINE": "m"}})).cohort.datasets == []
