"""Every notebook runs on a fresh kernel, and what is kept of it is small and of that code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
for library in ("ipykernel", "matplotlib", "pandas", "spacy", "sklearn", "cleanlab"):
    pytest.importorskip(library)

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MAX_BYTES = 200_000


def test_there_are_five():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, monkeypatch):
    # the kernel is another process: it must find this checkout
    known = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FOLDER.parent), known]))
    # threads that wait for a busy core spin, and the lesson is small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    notebook = nbformat.read(path, as_version=4)
    kept = {cell.id: _kinds(cell) for cell in notebook.cells if cell.cell_type == "code"}
    where = {"metadata": {"path": str(FOLDER)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=where).execute()
    now = {cell.id: _kinds(cell) for cell in notebook.cells if cell.cell_type == "code"}
    assert now == kept, "make notebooks"


def _kinds(cell) -> set[str]:
    """Say what a cell shows: numbers may differ by machine, what kind of thing it is may not."""
    return {kind for output in cell.outputs for kind in output.get("data", {output.get("name"): 0})}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_kept_outputs_are_small_whole_and_without_errors(path: Path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size <= MAX_BYTES
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert "/home/" not in path.read_text(encoding="utf-8")
    assert notebook.cells[0].source.startswith("# ")
