"""Networks named by their folder are evaluated with their own settings, and nothing is trained."""

import pytest

from cmbkit.detector.network.weights import describe_weights
from cmbkit.params import ParameterError, check_parameters
from cmbkit.study import Study
from cmbkit.study.given_networks import with_given_networks


@pytest.fixture(scope="module")
def root(tmp_path_factory, write_untrained):
    """Weights of three untrained networks; ``coarse`` on a grid of its own."""
    root = tmp_path_factory.mktemp("given")
    for name, spacing, threshold in (("a", 1.0, 0.5), ("b", 1.0, 0.7), ("coarse", 2.0, 0.5)):
        place = root / "weights" / name
        write_untrained(place, spacing, 100, threshold=threshold, minimum_voxels=3)
    return root


def values(networks, **sections):
    cohort = {"bids": {"MINE": "MINE"}}
    return {"profile": "x", "cohort": cohort, "training": {"networks": networks}, **sections}


def in_force(root, networks, **sections):
    return with_given_networks(check_parameters(values(networks, **sections)), root)


def test_settings_are_the_weights_own_and_parts_of_them_can_be_replaced(root):
    params = in_force(root, "weights/a", inference={"threshold": 0.9})
    assert (params.preprocessing.spacing_mm, params.preprocessing.pad_voxels) == (1.0, 100)
    assert params.network.filters_per_depth == [4]
    assert (params.inference.threshold, params.inference.minimum_voxels) == (0.9, 3)


def test_the_shipped_network_is_found_by_name(root):
    shipped = describe_weights("compact")[1]
    params = in_force(root, "compact")
    assert params.preprocessing == shipped.preprocessing
    assert (params.network, params.inference) == (shipped.network, shipped.inference)


def test_a_study_calls_them_by_their_folders_and_has_no_training(root):
    both = values(["weights/a", "weights/b"], inference={"threshold": 0.6})
    study = Study(root=root, **both)
    assert study.models.names == ["a", "b"] and study.models.phases == []
    assert study.results.models == ["a", "b", "dark blobs"]
    assert study.models.weights("b") == root / "weights/b/network.weights.h5"
    assert (
        study.models.load("b").count_params() == describe_weights(root / "weights/b")[1].parameters
    )
    assert study.models.transfer_report().empty
    assert study.models.snapshots("scratch", "pretrain") == {}


def test_without_tl_no_source_network_is_trained(tmp_path):
    training = {"models": ["scratch"]}
    study = Study(root=tmp_path, **values("train") | {"training": training})
    assert study.models.phases == [("scratch", "pretrain"), ("scratch", "finetune")]
    assert study.models.transfer_report().empty
    assert not list(tmp_path.rglob("source*"))


@pytest.mark.parametrize(
    ("networks", "sections", "words"),
    [
        ("trian", {}, "expected train, frozen or weights; weights 'trian': expected a folder"),
        (["weights/a", "weights/coarse"], {}, "expected weights of one preprocessing.spacing_mm"),
        (["weights/a", "weights/b"], {}, r"one inference.threshold, found 0.5 \(a\) and 0.7 \(b\)"),
        ("weights/a", {"preprocessing": {"spacing_mm": 0.5}}, "expected 1.0, on which a was"),
        (["weights/a", "other/a"], {}, "expected folders of names of their own"),
        (["train", "weights/a"], {}, "expected folders of names of their own"),
    ],
)
def test_what_does_not_fit_is_one_line(root, networks, sections, words):
    with pytest.raises(ParameterError, match=words) as caught:
        in_force(root, networks, **sections)
    assert "\n" not in str(caught.value)
