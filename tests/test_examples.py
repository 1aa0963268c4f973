"""The Examples in the docstrings of the public entries, run as doctests."""

import doctest
import importlib
import inspect

import pytest

ENTRIES = {
    "cmbkit": ["predict"],
    "cmbkit.evaluation.agreement": ["intraclass"],
    "cmbkit.evaluation.curves": ["froc"],
    "cmbkit.evaluation.matching": ["match"],
    "cmbkit.evaluation.multireader": ["obuchowski_rockette"],
    "cmbkit.evaluation.readers": ["findings"],
    "cmbkit.preprocessing.grid": ["resample_linear", "standard_grid", "to_native"],
    "cmbkit.scoring.run": ["evaluate_files"],
    "cmbkit.study": ["Study.read"],
}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in ENTRIES.items() for name in names]
)
def test_example_of_a_public_entry(module, name, monkeypatch, tmp_path, request):
    """Each shows what it says, in every line; data and networks go to a folder of the test."""
    monkeypatch.chdir(request.config.rootpath)
    monkeypatch.setenv("CMBKIT_ROOT", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = importlib.import_module(module)
    entry = found
    for part in name.split("."):
        entry = getattr(entry, part)
    entry = inspect.unwrap(getattr(entry, "__func__", entry))
    examples = [e for e in doctest.DocTestFinder().find(entry, name, found) if e.examples]
    assert examples, f"{module}.{name} has no Examples section"
    skipped = [line.source for e in examples for line in e.examples if doctest.SKIP in line.options]
    assert not skipped, f"{module}.{name} does not run {skipped}"
    for example in examples:
        report = []
        doctest.DocTestRunner().run(example, out=report.append)
        assert not report, "".join(report)
