"""Scans of one's own go through the whole study: read, preprocessed, detected, evaluated."""

import numpy as np
import pytest

from cmbkit.chapters.evaluation import table_s30
from cmbkit.study import Study
from cmbkit.volume import Volume

AFFINE = np.array([[-1.0, 0, 0, 40], [0, -1.0, 0, 45], [0, 0, 2.0, -40], [0, 0, 0, 1]])
SHAPE = (80, 90, 40)
BLEEDS = np.array([(30, 40, 20), (52, 50, 18)])


def write_subject(root, name, annotation):
    """An ellipsoid brain with a dark ball of 2.5 mm at every bleed.

    ``annotation`` is "mask", "no bleed" or None (nobody has looked).
    """
    mm = np.moveaxis(np.indices(SHAPE), 0, -1) * (1.0, 1.0, 2.0)
    inside = (((mm - (40, 45, 40)) / (33, 38, 34)) ** 2).sum(-1) <= 1
    data = np.where(inside, 400 + np.random.default_rng(int(name)).normal(0, 4, SHAPE), 0)
    mask = np.zeros(SHAPE, np.uint8)
    for value, bleed in enumerate(BLEEDS, 1):
        mask[((mm - bleed * (1, 1, 2)) ** 2).sum(-1) <= 2.5**2] = value
    data[mask > 0] = 100
    folder = root / f"sub-{name}" / "swi"
    Volume(data.astype(np.float32), AFFINE).write(folder / f"sub-{name}_swi.nii.gz")
    if annotation == "mask":
        Volume(mask, AFFINE).write(folder / f"sub-{name}_desc-cmb_dseg.nii.gz")
    if annotation == "no bleed":
        (folder / f"sub-{name}_desc-cmb_points.tsv").write_text("i\tj\tk\n")


@pytest.fixture(scope="module")
def study(tmp_path_factory, write_untrained):
    """Both bleeds annotated; none; a scan that nobody has looked at; an untrained network."""
    root = tmp_path_factory.mktemp("own")
    for name, annotation in (("01", "mask"), ("02", "no bleed"), ("03", None)):
        write_subject(root / "MINE", name, annotation)
    return Study(
        root=root,
        profile="own",
        workers=1,
        cohort={"bids": {"MINE": "MINE"}},
        training={"networks": str(write_untrained(root / "blind", 1.0, 120, threshold=0.999999))},
        evaluation={"bootstrap_samples": 20},
    )


def test_splits_and_counts(study):
    table = study.cohort.table.set_index("uid")
    assert table["split"].to_dict() == {
        "MINE-01_swi": "test",
        "MINE-02_swi": "test",
        "MINE-03_swi": "excluded",
    }
    assert table["n_cmb"].tolist() == [2, 0, 0]


def test_results_hold_the_annotated_scans_alone(study):
    """The balls are plain to see: found in both scans, right in one and false in the other."""
    rows = study.results.scan_rows.query("model == 'dark blobs'").set_index("uid")
    assert list(rows.index) == ["MINE-01_swi", "MINE-02_swi"]
    assert rows.loc["MINE-01_swi", ["tp", "fn"]].tolist() == [2, 0]
    assert rows.loc["MINE-02_swi", ["tp", "fp", "fn"]].tolist() == [0, 2, 0]
    assert study.params.evaluation.test_datasets[-1] == "MINE"
    assert not study.synthetic and set(rows["dataset"]) == {"MINE"}


def test_on_the_scans_own_grid_the_same_balls_are_found(study):
    """2 mm slices: the balls have other voxels there, but the same centres."""
    native = study.results.native_scan_rows(["dark blobs"])
    rows = native.set_index("uid")
    assert rows.loc["MINE-01_swi", ["tp", "fp", "fn"]].tolist() == [2, 0, 0]
    assert rows.loc["MINE-02_swi", ["tp", "fp", "fn"]].tolist() == [0, 2, 0]
    standard = study.results.scan_rows.query("model == 'dark blobs'")
    table = table_s30(standard, native, study.params.evaluation)
    assert table["grid"].tolist() == ["standard", "native"]
    assert table["tp"].tolist() == [2, 2] and table["n_differ"].tolist() == [0, 0]


def test_a_given_network_is_evaluated_beside_the_baseline(study):
    rows = study.results.scan_rows.query("model == 'blind'").set_index("uid")
    assert rows.loc["MINE-01_swi", "tp"] + rows.loc["MINE-01_swi", "fn"] == 2
    assert study.results.operating_points("blind").empty  # no validation scans
    assert len(study.results.postprocessing_steps("blind")) == 3
