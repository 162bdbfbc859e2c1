"""Run the notebooks on a fresh kernel and keep what they show, without times."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
WHERE = {"metadata": {"path": str(FOLDER)}}

for path in [Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=600, resources=WHERE, record_timing=False, coalesce_streams=True
    ).execute()
    # the kernel writes its own version into the file
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}
    nbformat.write(notebook, path)
    print(path.name, path.stat().st_size, flush=True)
