"""No error is shown as a bare name of an exception."""

import pytest
from papermill import PapermillExecutionError

from cmbkit.running.faults import explained, explained_cell


def raised(error):
    with pytest.raises(type(error)) as caught:
        raise error
    return explained(caught.value)


@pytest.mark.parametrize("error", [OSError("scan.nii: expected a file"), RuntimeError("no worker")])
def test_a_message_for_the_reader_stands_alone(error):
    assert raised(error) == str(error)


def test_what_the_system_refuses_is_told_of_its_file():
    refused = PermissionError(13, "Permission denied", "/far/scans.tsv")
    assert raised(refused) == "/far/scans.tsv: Permission denied"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("Dataset"), "a fault in cmbkit, KeyError: 'Dataset' ("),
        (StopIteration(), "a fault in cmbkit, StopIteration without a message ("),
        (ValueError(" "), "a fault in cmbkit, ValueError without a message ("),
        (MemoryError(), "expected more free memory"),
    ],
)
def test_a_fault_is_named_with_its_place(error, words):
    message = raised(error)
    assert message.startswith(words)
    assert isinstance(error, MemoryError) or f"{__file__}, line " in message


def cell(ename, evalue, *frames):
    return PapermillExecutionError(3, 6, "next(found)", ename, evalue, ["---", *frames, "last"])


def test_the_error_of_a_cell_is_told_alike():
    outside = "File \x1b[32m/lib/pandas/core.py:3\x1b[39m"
    ours = "File \x1b[32m/x/cmbkit/volume.py:12\x1b[39m\n---> 12 next(found)"
    told = explained_cell(cell("StopIteration", "", "Cell In[6]", ours, outside))
    assert told.splitlines() == [
        "a fault, StopIteration without a message",
        "File /x/cmbkit/volume.py:12",
        "---> 12 next(found)",
    ]
    words = "seed: expected a number"
    assert explained_cell(cell("ParameterError", words, ours)) == words
