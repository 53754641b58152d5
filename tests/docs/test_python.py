"""The script and the notebook of the guides run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import ddbench

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"
LONGEST = 25


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One store for both: what the script ran, the notebook finds, but for a cell."""
    return tmp_path_factory.mktemp("first") / "bench-store"


def test_the_script_prints_a_pivot_a_table_and_a_comparison(store):
    script = DOCS / "first_study.py"
    assert len(script.read_text().splitlines()) <= LONGEST
    command = [sys.executable, str(script), str(store)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=store.parent, timeout=200)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^herding +0\.\d+", done.stdout, re.M)
    assert "| method | IPC 1 | IPC 2 |" in done.stdout
    assert "B: method=herding" in done.stdout
    assert (store.parent / "first-study.png").stat().st_size > 5000


def test_the_notebook_shows_progress_a_table_a_pivot_and_a_plot(store, monkeypatch):
    monkeypatch.setitem(os.environ, "IPYTHONDIR", str(store.parent / "ipython"))
    next((store / "records").glob("*.json")).unlink()
    notebook = nbformat.read(DOCS / "first-study.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert sum(len(cell.source.splitlines()) for cell in cells) <= LONGEST
    NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(store.parent)}}).execute()
    run, table, pivot, plot, compare = cells
    (progress,) = run.outputs
    assert re.search(r"\[1/1\] evaluate digits/.*; left: 0:00", progress.data["text/html"])
    assert "<table>" in table.outputs[0].data["text/html"]
    assert "herding" in pivot.outputs[0].data["text/html"]
    assert plot.outputs[0].data["image/png"]
    assert "B: method=herding" in compare.outputs[0].data["text/html"]


def test_the_page_names_what_is_there():
    page = (DOCS / "python.md").read_text()
    for name in re.findall(r"`ddbench\.(\w+)", page) + re.findall(r"ddbench\.(\w+)\(", page):
        assert hasattr(ddbench, name), name
    for name in re.findall(r"`results\.(\w+)", page):
        assert hasattr(ddbench.Results, name), name
