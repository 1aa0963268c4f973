"""What the cohort stage hands to the chapters: named tables, made with the workers asked for."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from cmbkit.params import Preprocessing
from cmbkit.preprocessing.changes import Change, change_table
from cmbkit.records import Acquisition, Annotation, Mimic, Scan, StandardScan
from cmbkit.study import cohort


@pytest.fixture
def stage(tmp_path):
    standard = []
    for name, n_cmb in (("1", 2), ("2", 0)):
        acquired = Acquisition((0.5, 0.5), 1.0)
        scan = Scan("DOU", name, name, "SWI", Path("x.nii.gz"), Annotation("points"), acquired)
        folder = tmp_path / scan.uid
        folder.mkdir()
        standard.append(StandardScan(scan, folder))
        table = pd.DataFrame({"id": range(1, n_cmb + 1)})
        table = table.assign(
            leap=False, x_mm=1.0, y_mm=2.0, z_mm=3.0, native_radius_mm=1.5, tolerance=0.2
        )
        table.to_csv(standard[-1].table_path, sep="\t", index=False)
        changes = [Change("pruning", 2, "pruned", 3, 1)] if n_cmb else []
        change_table(changes).to_csv(standard[-1].changes_path, sep="\t", index=False)
        states = dict.fromkeys(("refined", "resampled", "pruned", "final"), n_cmb)
        record = {"uid": scan.uid, "dataset": "DOU", "annotated": 1, "counts": states}
        record |= {"components": states | {"final": 7}, "voxels": states}
        record["methods"] = {"brain_mask": "SynthStrip", "parcellation": "SynthSeg"}
        standard[-1].record_path.write_text(json.dumps(record))
    params = SimpleNamespace(
        workers=3,
        cluster=None,
        cohort=SimpleNamespace(names=("DOU",)),
        preprocessing=Preprocessing(),
    )
    study = SimpleNamespace(params=params, cache=None)
    stage = cohort.CohortStage(study)
    stage.folder = lambda name: tmp_path  # without a table of truth
    stage.__dict__ |= {"standard": standard, "scans": [s.scan for s in standard]}
    return stage


def test_changes_and_counts_name_their_scan(stage):
    changes = stage.changes
    assert changes[["uid", "dataset", "id", "kind"]].to_numpy().tolist() == [
        ["DOU-1", "DOU", 2, "pruned"],
    ]
    assert (changes["before"].iloc[0], changes["after"].iloc[0]) == (3, 1)
    assert stage.microbleeds["uid"].tolist() == ["DOU-1"] * 2
    census = stage.census.set_index("uid")
    assert census[["annotated", "final", "collapsed"]].to_numpy().tolist() == [[1, 2, 7], [1, 0, 7]]
    assert set(census["brain_mask"]) == {"SynthStrip"}


def test_mimics_have_their_place_in_mm(stage):
    """Voxels of 2 x 2 x 5 mm, x mirrored, origin at (100, 0, -20) mm."""
    affine = [[-2, 0, 0, 100], [0, 2, 0, 0], [0, 0, 5, -20], [0, 0, 0, 1]]
    marked = (Mimic((3, 4, 5), "Cavernomas"), Mimic((0, 0, 0), "Other: vessel"))
    first = stage.standard[0]
    record = first.record() | {"native": {"affine": affine}}
    first.record_path.write_text(json.dumps(record))
    scan = replace(first.scan, annotation=Annotation("scribbles", mimics=marked))
    stage.standard[0] = replace(first, scan=scan)
    assert stage.mimics.to_numpy().tolist() == [
        ["DOU-1", "DOU", "Cavernomas", 94, 8, 5], ["DOU-1", "DOU", "Other: vessel", 100, 0, -20],
    ]  # fmt: skip


def test_features_are_computed_by_as_many_processes_as_asked_for(stage, monkeypatch):
    asked = {}

    def map_cached(cache, function, items, **options):
        asked.update(options)
        return [pd.DataFrame({"uid": [scan.scan.uid], "id": [1]}) for scan, _, _ in items[:1]]

    monkeypatch.setattr(cohort, "map_cached", map_cached)
    assert len(stage.features) == 1 and asked["workers"] == 3
