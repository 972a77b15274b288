"""The notebooks run on a small network, and what is stored in them is whole, small and says nothing private."""

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.notebooks.execute import NOTEBOOKS, execute

#: In this order: inference and dashboards go on with the champion of the training.
SMALL: dict[str, dict[str, Any]] = {
    "01-generator": {"DEVICES": 30, "HOURS": 8},
    "02-explore": {"DEVICES": 30, "HOURS": 8},
    "03-training": {"DEVICES": 40, "HOURS": 10, "FAMILIES": ["xgboost"]},
    "04-infer": {"DEVICES": 30, "HOURS": 3},
    "05-grafana": {"DEVICES": 30, "HOURS": 2},
}
LIMIT = 300_000
PRIVATE = re.compile(r"(?<![\w.:/])/(home|root|tmp|work|usr|var|Users|opt)/|netops-[a-z0-9_]{8}\b")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def test_every_notebook_is_run() -> None:
    assert [path.stem for path in NOTEBOOKS] == list(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, home: Path) -> None:
    notebook = execute(path, home, SMALL[path.stem])
    assert pictures_of(notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_stored(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert path.stat().st_size < LIMIT
    assert all(cell.execution_count for cell in code_of(notebook)), "run it: python -m tests.notebooks.execute"
    assert pictures_of(notebook)
    assert not [output for output in outputs_of(notebook) if output.output_type == "error"]
    assert not [output.text for output in outputs_of(notebook) if output.get("name") == "stderr"]
    texts = [text for output in outputs_of(notebook) for text in texts_of(output)]
    assert not [found[0] for text in texts if (found := PRIVATE.search(text))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_only_the_public_api_is_used(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    code = "\n".join(line for cell in code_of(notebook) for line in cell.source.splitlines() if line[:1] != "%")
    imported = [
        name
        for node in ast.walk(ast.parse(code))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    ]
    assert "netops" in imported
    assert not [name for name in imported if name.startswith("netops.")]


def code_of(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs_of(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in code_of(notebook) for output in cell.outputs]


def pictures_of(notebook: nbformat.NotebookNode) -> list[str]:
    return [output.data["image/png"] for output in outputs_of(notebook) if "image/png" in output.get("data", {})]


def texts_of(output: nbformat.NotebookNode) -> list[str]:
    data = output.get("data", {})
    return [output.get("text", ""), *(text for kind, text in data.items() if kind.startswith("text/"))]
