"""A line under the running cell of JupyterLab, which leaves nothing in the notebook."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from uuid import uuid4

REST_S = 0.2
"""Between two looks of the line."""
PREFIX = "cmbkit-"


class Cell:
    """What is under way in a kernel whose front end has cells (JupyterLab, Notebook, VS Code).

    Jupyter can take back all outputs of a cell, but not one. So the line is taken away with all
    others, and these are sent again: they are kept from the beginning of the cell on.

    Parameters
    ----------
    shell : ipykernel.zmqshell.ZMQInteractiveShell
    before : callable
        Called before each cell.
    """

    def __init__(self, shell, before: Callable[[], None]):
        self._shell, self._out, self._before = shell, shell.display_pub, before
        self._begin()
        shell.events.register("pre_run_cell", self._begin)
        self._out.register_hook(self._keep)
        for stream in (sys.stdout, sys.stderr):
            stream.pub_thread.schedule(partial(stream.register_hook, self._keep))

    @property
    def is_shown(self) -> bool:
        """Whether somebody sees the running cell; papermill and nbclient name none."""
        return "cellId" in (self._shell.get_parent().get("metadata") or {})

    def line(self, text: str) -> None:
        """Put a line above the steps until none of them is under way."""
        self._notes.append(text)
        self._draw([])

    def show(self, step, running) -> None:
        """Show the steps that are under way."""
        if not running:
            self._remove()
        elif time.monotonic() >= self._drawn + REST_S:
            self._draw(running)

    def _begin(self, *_) -> None:
        self._notes, self._kept, self._id, self._drawn = [], [], "", 0.0
        self._before()

    def _keep(self, message: dict) -> dict:
        """Keep what the cell shows, but for the line."""
        content = message["content"]
        if message["header"]["msg_type"] == "clear_output":
            self._kept = []
        elif not content.get("transient", {}).get("display_id", "").startswith(PREFIX):
            self._kept.append(message)
        return message

    def _draw(self, running) -> None:
        text, old = "\n".join([*self._notes, *map(str, running)]), bool(self._id)
        self._id = self._id or f"{PREFIX}{uuid4()}"
        self._out.publish({"text/plain": text}, transient={"display_id": self._id}, update=old)
        self._drawn = time.monotonic()

    def _remove(self) -> None:
        if not self._id:
            return
        self._out._flush_streams()
        kept = self._kept
        self._out.clear_output()
        for message in kept:
            self._out.session.send(self._out.pub_socket, message, ident=self._out.topic)
        self._kept, self._notes, self._id = kept, [], ""
