"""Run the notebooks: ``python -m tests.notebooks.execute`` runs them as they are and stores their outputs."""

import base64
import io
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SECONDS = 240


def execute(path: Path, home: Path, parameters: Mapping[str, Any] | None = None) -> nbformat.NotebookNode:
    """Run one notebook in a fresh kernel.

    Parameters
    ----------
    path : Path
        The notebook; the file stays as it is.
    home : Path
        Its NETOPS_HOME: a later notebook goes on with the models of an earlier one.
    parameters : mapping, optional
        Values in place of those in its cell with the tag ``parameters``.

    Returns
    -------
    NotebookNode
        With outputs.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    """
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    if parameters:
        _set(notebook, parameters)
    client = NotebookClient(
        notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("MLRUN_DBPATH", "NETOPS_TOKEN", "MPLBACKEND")}
    client.execute(env={**environment, "NETOPS_HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "3"})
    return notebook


def _set(notebook: nbformat.NotebookNode, parameters: Mapping[str, Any]) -> None:
    """Assign values after the cell that says which there are."""
    tagged = [n for n, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
    known = notebook.cells[tagged[0]].source
    assert all(name in known for name in parameters), f"the notebook knows no other parameters than {known}"
    lines = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    notebook.cells.insert(tagged[0] + 1, nbformat.v4.new_code_cell(lines))


def store(path: Path, notebook: nbformat.NotebookNode) -> None:
    """Write a notebook with its outputs, without what differs from run to run for no reason."""
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("metadata", {}).clear()
            if picture := output.get("data", {}).get("image/png"):
                output["data"]["image/png"] = _smaller(picture)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, path)


def _smaller(picture: str) -> str:
    """Keep the 64 colours that a plot needs."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB").quantize(64).save(buffer, "png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def main() -> None:
    """Run all notebooks, or those that are named, one after the other in one home folder."""
    named = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="netops-") as home:
        for path in NOTEBOOKS:
            if not named or path.stem in named:
                print(path.name)
                store(path, execute(path, Path(home)))


if __name__ == "__main__":
    main()
