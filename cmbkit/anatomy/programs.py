"""Calling SynthStrip and SynthSeg: from the PATH, in a docker image, or done beforehand."""

import os
import shutil
import subprocess
from pathlib import Path

from cmbkit.params import Tool


class ProgramError(RuntimeError):
    """A program is missing or failed; the message names it, or the image it was given."""


def command_for(tool: Tool, name: str, folder: Path, required: bool) -> list[str] | None:
    """Start of the command line that runs a program on files in ``folder``; None: not installed.

    ``tool`` is where the parameter file says it is, ``name`` its usual name; the folder is visible
    in the docker image under the same path.

    Raises
    ------
    ProgramError
        If it is not on the PATH, and ``required`` or named by ``tool``.
    """
    program = tool.program or name
    if tool.docker_image:
        docker = shutil.which("docker")
        if docker is None:
            raise ProgramError(f"{tool.docker_image}: expected docker on the PATH, found nothing")
        user = f"{os.getuid()}:{os.getgid()}"
        run = [docker, "run", "--rm", "--network", "none", "--user", user]
        run += ["--volume", f"{folder}:{folder}"]
        return [*run, "--entrypoint", program, tool.docker_image]
    found = shutil.which(program)
    if found is None and (required or tool.program):
        raise ProgramError(f"{program}: expected the program on the PATH, found nothing")
    return None if found is None else [found]


def run(command: list[str], target: Path, about) -> None:
    """Run a command that has to write ``target``; ``about`` is named if it does not.

    Raises
    ------
    ProgramError
        With the last line that the program said.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or not target.is_file():
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["nothing"]
        raise ProgramError(
            f"{about}: expected {target.name} from {Path(command[0]).name}, "
            f"found exit code {done.returncode}: {said[0]}"
        )


def finished_file(tool: Tool, uid: str | None, what: str) -> Path:
    """File of a scan that was made beforehand, ``<uid>.nii.gz`` in ``tool.folder``.

    Raises
    ------
    ProgramError
        If it is not there.
    """
    path = Path(tool.folder) / f"{uid}.nii.gz"
    if not path.is_file():
        raise ProgramError(f"{path}: expected {what} of scan {uid}, found nothing")
    return path
