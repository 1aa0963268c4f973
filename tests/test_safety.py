"""Nothing from data is run as code, leaves the output folder, or is passed on with a name in it."""

import ast
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cmbkit.params import yaml_file
from cmbkit.prediction.sources import source_in_memory
from cmbkit.volume import Volume

PACKAGE = Path(yaml_file.__file__).parents[1]
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle"}
UNSAFE_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "pd.read_pickle",
    "pd.eval", "joblib.load", "torch.load", "yaml.unsafe_load", "yaml.full_load",
}  # fmt: skip
SAFE = {"allow_pickle": False, "shell": False, "safe_mode": True}


def unsafe(tree: ast.AST) -> list[str]:
    """What of a module may run what a file says."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in UNSAFE_MODULES]
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in UNSAFE_MODULES:
            found.append(node.module)
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        loader = [ast.unparse(a) for a in node.args[1:]]
        if name in UNSAFE_CALLS or name.endswith(".to_pickle"):
            found.append(name)
        if name == "yaml.load" and loader != ["_Once"]:
            found.append(ast.unparse(node))
        for key in node.keywords:
            if key.arg in SAFE and ast.unparse(key.value) != str(SAFE[key.arg]):
                found.append(ast.unparse(node))
    return found


def test_the_package_runs_nothing_that_a_file_says():
    planted = (
        "import pickle\nfrom dill import load\nyaml.load(x)\nnp.load(p, allow_pickle=True)\neval(s)"
    )
    assert len(unsafe(ast.parse(planted))) == 5
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 200
    found = {str(p): unsafe(ast.parse(p.read_text(encoding="utf-8"))) for p in files}
    assert {path: what for path, what in found.items() if what} == {}


def test_a_parameter_file_makes_no_object(tmp_path):
    assert issubclass(yaml_file._Once, yaml.SafeLoader)
    (tmp_path / "p.yaml").write_text(f"profile: !!python/object/apply:os.mkdir [{tmp_path}/made]")
    with pytest.raises(ValueError, match="expected YAML, found"):
        yaml_file.read_keys_and_values(tmp_path / "p.yaml")
    assert not (tmp_path / "made").exists()


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12))
def test_a_results_folder_is_named_plainly(name):
    """Whatever a scan's file is called, even by hand in Python."""
    made = Path("/results") / source_in_memory(Volume(np.zeros((2, 2, 2)), np.eye(4), name)).name
    assert made.parent == Path("/results") and made.name not in ("", ".", "..")
    assert not set("<>\"'&/\\ \n\0$%") & set(made.name)


def test_a_written_volume_holds_nothing_of_the_header_it_came_from(tmp_path):
    image = nib.Nifti1Image(np.zeros((3, 3, 3), np.float32), np.eye(4))
    for field in ("descrip", "aux_file", "intent_name", "db_name", "data_type"):
        image.header[field] = b"Doe^Jane"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Doe^Jane 1950"))
    nib.save(image, tmp_path / "Doe^Jane.nii")
    assert b"Doe" in (tmp_path / "Doe^Jane.nii").read_bytes()
    for given_image in (tmp_path / "Doe^Jane.nii", image):
        written = Volume.of(given_image).write(tmp_path / "out.nii")
        assert b"Doe" not in written.read_bytes()
        assert not nib.load(written).header.extensions
