"""A study from a parameter file, in Python."""

import yaml

from cmbkit.study import Study


def test_a_study_is_read_from_a_file_parts_of_which_are_replaced(tmp_path):
    values = {"profile": "small", "cohort": {"datasets": ["DOU"], "phantom_scans": {"DOU": 1}}}
    values["inference"] = {"threshold": 0.9, "minimum_voxels": 8}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(values))
    study = Study.read(tmp_path / "small.yaml", root=tmp_path, inference={"threshold": 0.5})
    assert (study.params.inference.threshold, study.params.inference.minimum_voxels) == (0.5, 8)
    assert study.root == tmp_path
