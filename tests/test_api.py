"""The Python API: what is public, that it costs nothing to import, and that its examples hold."""

import doctest
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

import netops

API = importlib.import_module("netops.api")
SIGNATURES = Path(__file__).parent / "data" / "api.txt"
#: In this order: each uses what those before it have made.
EXAMPLES = (
    "generate",
    "ingest",
    "inspect",
    "build_features",
    "train",
    "evaluate",
    "load_model",
    "score",
    "run_backtest",
    "Predictor",
)


def signatures() -> str:
    """Write each public name with its parameters, as users call it."""
    lines = []
    for name in netops.__all__:
        found = getattr(netops, name)
        if inspect.isclass(found) and found.__module__ == "netops.api":
            methods = [m for m, of in inspect.getmembers(found, inspect.isfunction) if not m.startswith("_")]
            lines += [f"{name}{inspect.signature(found)}"]
            lines += [f"{name}.{method}{inspect.signature(getattr(found, method))}" for method in methods]
        elif inspect.isfunction(found):
            lines.append(f"{name}{inspect.signature(found)}")
        else:
            lines.append(name)
    return "\n".join(lines) + "\n"


def test_what_is_public_changes_on_purpose_alone() -> None:
    """Write the file again when a change is meant: ``python -m tests.test_api > tests/data/api.txt``."""
    assert signatures() == SIGNATURES.read_text()


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import netops, sys; print([n for n in ('numpy', 'pandas', 'mlrun', 'numba') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_everything_public_is_there_and_documented() -> None:
    assert set(netops.__all__) <= set(dir(netops))
    for name in netops.__all__:
        assert getattr(netops, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'genrate'"):
        netops.genrate  # noqa: B018


def test_every_function_that_makes_something_has_an_example() -> None:
    assert {*EXAMPLES} | {"Dataset", "open_project", "read_settings", "run"} == {*API.__all__}


@pytest.mark.slow
def test_the_examples_hold(tmp_path: Path) -> None:
    known = {"netops": netops, "numpy": numpy, "pandas": pandas, "folder": tmp_path}
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for name in EXAMPLES:
        text = getattr(netops, name).__doc__
        example = parser.get_doctest(text, known, name, None, None)
        assert example.examples, name
        results = runner.run(example, clear_globs=False)
        known |= example.globs
        assert results.failed == 0, name


@pytest.mark.slow
def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[1] / "docs" / "python.md").read_text()
    monkeypatch.chdir(tmp_path)
    known: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.S):
        exec(block, known)
    assert known["answer"]["status"] == "scored"
    named = {name for row in re.findall(r"^\| (`.*?) \|", page, re.M) for name in re.findall(r"`(\w+)", row)}
    assert named == {*netops.__all__}


def test_the_project_is_mlruns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETOPS_HOME", str(tmp_path))
    monkeypatch.delenv("MLRUN_DBPATH", raising=False)
    assert netops.open_project().name == "netops"
    assert netops.registry.versions("nobody") == []


if __name__ == "__main__":
    print(signatures(), end="")
