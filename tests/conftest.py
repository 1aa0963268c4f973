"""Notebooks run in the process of a test: without the start of a kernel, and drawn small."""

import ast
import io

import matplotlib.pyplot as plt
import nbformat
import pytest

from cmbkit.reporting import gallery


def _drawn_small(fig) -> bytes:
    raw = io.BytesIO()
    fig.savefig(raw, format="png", dpi=25)
    return raw.getvalue()


@pytest.fixture
def run_cells(monkeypatch):
    """Call with a notebook and a profile; how pictures look in print is of no matter here."""
    monkeypatch.setattr("cmbkit.plotting.canvas.settle", lambda fig: None)
    monkeypatch.setattr(gallery, "png_bytes", _drawn_small)
    monkeypatch.setattr(gallery, "pdf_bytes", lambda fig: b"")
    monkeypatch.setattr(gallery, "on_screen", lambda png: png)

    def run(path, profile: str) -> None:
        namespace: dict = {"__name__": "__main__"}
        for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
            if cell.cell_type == "code":
                code = compile(ast.parse(cell.source), f"{path.name}, cell {number}", "exec")
                exec(code, namespace)
                plt.close("all")
            if "parameters" in cell.metadata.get("tags", []):
                namespace["profile"] = profile

    return run
