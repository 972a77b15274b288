"""The workflows as the command compiles them, once for all tests."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from netops.cli.main import run

Document = dict[str, Any]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder of the tests' own."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETOPS_HOME", str(folder))
        patch.delenv("MLRUN_DBPATH", raising=False)
        yield folder


@pytest.fixture(scope="session")
def compiled(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Document]:
    """Compile a workflow with some options and read it back."""
    folder, known = tmp_path_factory.mktemp("compiled"), {}

    def get(workflow: str, *options: str) -> Document:
        key = (workflow, *options)
        if key not in known:
            out = folder / f"{len(known)}.yaml"
            assert run(["compile", "--out", str(out), "--workflow", workflow, *options]) == 0
            known[key] = out.read_text()
        return yaml.safe_load(known[key])

    return get


@pytest.fixture
def compile_for(home: Path, tmp_path: Path) -> Callable[..., Document]:
    """Compile the main workflow for a cluster that is described by some keys of its section."""

    def get(**changes: Any) -> Document:
        folder = tmp_path / "configurations"
        folder.mkdir(exist_ok=True)
        values = yaml.safe_load((ROOT / "configurations" / "cluster.yaml").read_text())
        values["stages"] |= changes.pop("stages", {})
        (folder / "cluster.yaml").write_text(yaml.safe_dump(values | changes))
        assert run(["compile", "--out", str(tmp_path / "main.yaml"), "--config", str(folder)]) == 0
        return yaml.safe_load((tmp_path / "main.yaml").read_text())

    return get


def function_of(template: Document) -> Document:
    """Give the function that a step carries, read as its launcher reads it."""
    from mlrun.__main__ import py_eval

    command = template["container"]["command"]
    return py_eval(command[command.index("--runtime") + 1])


def environment_of(template: Document) -> dict[str, str]:
    """Give the variables of a step's launcher that have a value."""
    return {variable["name"]: variable.get("value") for variable in template["container"]["env"]}


def templates(document: Document) -> dict[str, Document]:
    """Give the templates by their names."""
    return {template["name"]: template for template in document["spec"]["templates"]}


def steps(document: Document) -> dict[str, Document]:
    """Give the templates that run something."""
    return {name: template for name, template in templates(document).items() if "container" in template}


def graph(document: Document) -> dict[str, set[str]]:
    """Give what each task of the outermost graph waits for."""
    tasks = templates(document)[document["spec"]["entrypoint"]]["dag"]["tasks"]
    return {task["name"]: set(task.get("dependencies", ())) for task in tasks}


def options_of(template: Document, option: str) -> dict[str, str]:
    """Give what a step's command line says with an option (-p, -i), by name."""
    command = template["container"]["command"]
    pairs = [command[index + 1] for index, word in enumerate(command) if word == option]
    return dict(pair.split("=", 1) for pair in pairs)


def parameter(document: Document, name: str) -> Any:
    """Give the default of a parameter."""
    values = {p["name"]: p.get("value") for p in document["spec"]["arguments"]["parameters"]}
    return values[name]


def settings(document: Document) -> Document:
    """Give the configuration that a workflow carries."""
    return json.loads(parameter(document, "settings"))
