"""What holds for every command: version, completion, names meant, errors in words."""

import pytest
from typer.testing import CliRunner

from cmbkit import __version__
from cmbkit.cli import app


def run(*words, **environment):
    return CliRunner().invoke(app, [*words], env=environment)


def test_version():
    assert run("--version").output == f"cmbkit {__version__}\n"


def test_shells_complete_commands_and_options():
    asked = {"_CMBKIT_COMPLETE": "complete_bash", "COMP_WORDS": "cmbkit ev", "COMP_CWORD": "1"}
    assert CliRunner().invoke(app, [], prog_name="cmbkit", env=asked).output.split() == ["evaluate"]
    asked |= {"COMP_WORDS": "cmbkit predict --thr", "COMP_CWORD": "2"}
    done = CliRunner().invoke(app, [], prog_name="cmbkit", env=asked)
    assert done.output.split() == ["--threshold"]


@pytest.mark.parametrize(
    ("words", "meant"),
    [(["evalaute"], "evaluate"), (["predict", "x.nii", "--treshold", "0.5"], "--threshold")],
)
def test_a_wrong_word_names_the_one_that_was_meant(words, meant):
    done = run(*words, COLUMNS="200")
    assert done.exit_code == 2 and meant in done.stderr


@pytest.mark.parametrize(
    ("command", "code"), [("train.freeze_command", 1), ("predict.predict_command", 2)]
)
def test_no_command_stops_with_the_bare_name_of_an_exception(command, code, monkeypatch):
    def stops(*_, **__):
        raise StopIteration

    monkeypatch.setattr(f"cmbkit.commands.{command}", stops)
    name = command.partition(".")[0].replace("train", "freeze")
    done = run(name, *{"predict": ["x.nii", "--out", "z"]}.get(name, []))
    assert done.exit_code == code
    last = done.stderr.splitlines()[-1]
    assert last.startswith("a fault in cmbkit, StopIteration without a message (")
    assert __file__ in last


def test_a_stop_by_the_keyboard_says_what_is_kept(monkeypatch):
    def stops(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("cmbkit.commands.predict.predict_command", stops)
    done = run("predict", "x.nii", "--out", "z")
    assert done.exit_code == 130
    assert done.stderr == "stopped by the keyboard; what was finished is kept\n"
