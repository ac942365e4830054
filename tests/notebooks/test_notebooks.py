"""The notebooks run from top to bottom, are stored without outputs, and are light enough to save when they have run."""

from __future__ import annotations

import json
import os
import warnings

import pytest

from tests.parts import REAL_DATA, ROOT

FOLDER = ROOT / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
LIGHT = 3_000_000
"""Most bytes of a notebook that has run, maps included."""


def test_there_are_notebooks() -> None:
    assert NAMES == ["attribution", "bpic2012", "embedding", "tour"]


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_are_stored_without_outputs(name: str) -> None:
    book = json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert (FOLDER / f"{name}.ipynb").stat().st_size < 200_000


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    if name == "bpic2012":
        if not (REAL_DATA / "bpic2012.parquet").exists():
            pytest.skip("the real logs are not here: set JOURNEYMINE_REAL_DATA")
        monkeypatch.setenv("JOURNEYMINE_REAL_DATA", str(REAL_DATA))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    book = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    with warnings.catch_warnings(action="ignore"):  # The notebook stack warns about itself; cells are checked below.
        nbclient.NotebookClient(
            book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
        ).execute()
    assert len(nbformat.writes(book).encode()) < LIGHT
    shown = [out for cell in book.cells if cell.cell_type == "code" for out in cell.outputs]
    assert not [out for out in shown if out.output_type == "stream" and out.name == "stderr"]
