"""A name that is no parameter is told with the one that was meant."""

import pytest

from cmbkit.params import ParameterError, Parameters, read_parameters
from cmbkit.params.names import dotted_names, no_such_name
from cmbkit.study import Study

SMALL = "profile: small\ncohort: {datasets: [DOU], phantom_scans: {DOU: 1}}\n"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("sead", "did you mean seed?"),
        ("inference.treshold", "did you mean inference.threshold?"),
        ("threshold", "did you mean inference.threshold or evaluation.dark_blobs.threshold?"),
        ("max_distance", "did you mean evaluation.max_distance_mm?"),
        ("training.finetune.epoch", "did you mean training.finetune.epochs?"),
        ("cluster.adress", "did you mean cluster.address?"),
    ],
)
def test_similar_names_beside_it_come_first_then_those_of_other_sections(name, meant):
    assert no_such_name(name, dotted_names(Parameters)) == f"no such parameter; {meant}"


def test_without_a_similar_name_those_beside_it_are_listed():
    told = no_such_name("inference.zzz", dotted_names(Parameters))
    assert "expected one of engine, " in told or ", threshold" in told
    assert no_such_name("zz.zzz", dotted_names(Parameters)) == "no such parameter"


def test_every_name_of_a_file_is_known():
    names = set(dotted_names(Parameters))
    assert {"seed", "cohort.datasets", "training.pretrain.epochs", "cluster.slurm.queue"} <= names


def test_a_file_and_the_keywords_of_a_study_name_what_was_meant(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(SMALL + "preprocesing: {}\n")
    with pytest.raises(ParameterError, match=r"small.yaml: preprocesing: .* mean preprocessing\?"):
        read_parameters(file)
    file.write_text(SMALL.replace("{DOU: 1}", "{}"))
    with pytest.raises(ParameterError, match=r"small.yaml: cohort: DOU has neither a folder"):
        read_parameters(file)
    file.write_text(SMALL)
    with pytest.raises(ParameterError, match=r"inferense: .* did you mean inference\?"):
        Study.read(file, root=tmp_path, inferense={"threshold": 0.9})
