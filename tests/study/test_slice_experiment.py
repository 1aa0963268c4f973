"""The experiment's design, and one small brain through the whole way."""

import numpy as np
import pytest

from cmbkit.params import Inference, Preprocessing, SliceExperiment
from cmbkit.phantom.controlled import Condition, ControlledBrain
from cmbkit.study import Study
from cmbkit.study.slice_conditions import conditions
from cmbkit.study.slice_experiment import standardise

DESIGN = {
    "brains": 1, "thickness_mm": [1.0, 6.0], "varied_thickness_mm": [], "radius_mm": [2.5],
    "contrast": [1.0], "count": [6], "in_plane_mm": 1.0,
}  # fmt: skip


def test_one_factor_is_varied_at_a_time():
    table = conditions(SliceExperiment())
    assert table.groupby("factor").size().to_dict() == {"radius": 9, "contrast": 9, "count": 9}
    settings = table[["thickness_mm", "radius_mm", "contrast", "count"]].drop_duplicates()
    assert len(settings) == 6 + 3 * 3  # the base at six thicknesses, three others at three
    others = settings[["radius_mm", "contrast", "count"]] != [2.0, 0.8, 24]
    assert others.sum(axis=1).max() == 1


def test_physical_model_sums_the_same_scans_in_both_ways():
    """Base at 2 thicknesses, summed twice, but the same at 1 mm; another field, another radius."""
    design = SliceExperiment(
        thickness_mm=[1.0, 6.0], varied_thickness_mm=[6.0], radius_mm=[2.0, 1.5], count=[9],
        tesla=[3.0, 1.5],
    )  # fmt: skip
    table = conditions(design, "physical")
    assert table.groupby("factor", sort=False).size().to_dict() == {
        "averaging": 4, "radius": 3, "tesla": 3,
    }  # fmt: skip
    assert len(table.drop(columns=["factor", "level"]).drop_duplicates()) == 3 + 1 + 1
    thin = table[(table["level"] == "magnitude") & (table["thickness_mm"] == 1.0)]
    assert thin["averaging"].tolist() == ["complex"]


def test_a_slab_of_the_standard_grid_keeps_the_whole_brains_z_score():
    brain = ControlledBrain((3, 90, 0), 3, 2.5, 40.0)
    raw, centres = brain.scan(Condition(3.0, 2.5, 1.0, 3), 1.0)
    params = Preprocessing(spacing_mm=1.5, pad_voxels=136)
    whole, _, background = standardise(raw, params, None)
    slab, inside, same = standardise(raw, params, brain.slab)
    assert same == background and slab.shape[2] == pytest.approx(40 / 1.5 + 1, abs=1)
    start = round((slab.affine[2, 3] - whole.affine[2, 3]) / 1.5)
    np.testing.assert_array_equal(slab.data, whole.data[:, :, start : start + slab.shape[2]])
    at = np.rint(slab.to_voxels(centres)).astype(int)
    level = np.median(slab.data[inside.data > 0])
    assert (slab.data[tuple(at.T)] < level - 0.3 * (level - background)).all()


class DarkSpots:
    """Calls voxels of the brain that are much darker than what lies 5 mm around them."""

    look = None

    def __init__(self, background):
        self.tile, self.background = [64, 64, 32], background
        self.params = Inference(threshold=0.5, minimum_voxels=3, overlap=0.0, batch_size=4)

    def evidence(self, patches, odd=None):
        from scipy.ndimage import median_filter

        near = median_filter(patches, size=(1, 7, 7, 3))
        return np.where(patches < near - 0.3 * (near - self.background), 9.0, -9.0)


def small_study(root, **inference):
    return Study(
        root=root,
        profile="thick",
        cohort={"datasets": ["DOU"], "phantom_scans": {"DOU": 1}},
        preprocessing={"spacing_mm": 1.5, "pad_voxels": 136},
        inference={"threshold": 0.5, "minimum_voxels": 3, **inference},
        evaluation={"slice_experiment": DESIGN},
    )


def test_plain_microbleeds_in_thin_slices_are_found_and_kept_in_the_cache(tmp_path, monkeypatch):
    (tmp_path / "weights").write_text("none")
    study = small_study(tmp_path)
    monkeypatch.setattr(study.results, "predictor", lambda model: DarkSpots(-0.5))
    monkeypatch.setattr(study.models, "weights", lambda model: tmp_path / "weights")
    matches, scans = study.slice_experiment.matches("scratch")
    assert len(scans) == 3 * 2  # the base is one level of each of three factors
    annotated = matches[matches["gt_id"].notna()]
    assert annotated.groupby(["factor", "thickness_mm"]).size().tolist() == [6] * 6
    curves = study.slice_experiment.curves("scratch").query("factor == 'radius'")
    assert curves["tp"].iloc[0] >= 5
    assert set(curves["interval"]) == {"CMBs"}
    assert study.slice_experiment.n_scans == 2
    row = study.slice_experiment.changes("scratch").iloc[0]
    assert row["lost"] - row["gained"] == curves["tp"].iloc[0] - curves["tp"].iloc[1]
    monkeypatch.setattr(study.results, "predictor", None)
    again, _ = study.slice_experiment.matches("scratch")  # from the cache: no predictor is asked
    assert again.equals(matches)
    other = small_study(tmp_path, minimum_voxels=1_000_000)  # another value finds in the same maps
    monkeypatch.setattr(other.results, "predictor", None)
    monkeypatch.setattr(other.models, "weights", lambda model: tmp_path / "weights")
    assert set(other.slice_experiment.matches("scratch")[0]["match"]) == {"FN"}


def test_a_scan_that_two_conditions_share_counts_in_both(tmp_path, monkeypatch):
    """Physical model, 1 and 6 mm: three scans a brain; found: all but those of averaged 6 mm."""
    import pandas as pd

    from cmbkit.study import slice_experiment

    study = Study(
        root=tmp_path, profile="thick",
        cohort={"phantom_model": "physical", "datasets": ["DOU"], "phantom_scans": {"DOU": 1}},
        evaluation={"slice_experiment": {**DESIGN, "brains": 6}},
    )  # fmt: skip

    def mapped(cache, function, items, *, step, **_):
        if "matches" not in step:
            return [tmp_path] * len(items)
        lost = [scanned[2].averaging == "magnitude" for scanned, _ in items]
        return [pd.DataFrame({"match": ["FN" if no else "TP"], "gt_id": [1.0]}) for no in lost]

    monkeypatch.setattr(slice_experiment, "map_cached", mapped)
    stage = study.slice_experiment
    assert stage.n_scans == 6 * 3
    curves = stage.curves("scratch").set_index(["level", "thickness_mm"])
    assert curves["scans"].tolist() == [6] * 4
    assert curves["recall"].to_dict() == {
        ("complex", 1.0): 1, ("complex", 6.0): 1, ("magnitude", 1.0): 1, ("magnitude", 6.0): 0,
    }  # fmt: skip
    changes = stage.changes("scratch").set_index("level")
    assert changes["change"].to_dict() == {"complex": 0, "magnitude": -1}
