"""Imports are at the top of a file, except for libraries that take long to load or that not everybody has."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: Libraries that a function may import: each takes longer to load than a command that does without it.
HEAVY = {
    "apscheduler",
    "bokeh",
    "botocore",
    "confluent_kafka",
    "cramjam",
    "dask",
    "dependency_injector",
    "faker",
    "grpc",
    "httptools",
    "httpx",
    "jinja2",
    "kfp",
    "kubernetes",
    "matplotlib",
    "mlrun",
    "mlrun_pipelines",
    "nuclio_sdk",
    "onnx",
    "onnxruntime",
    "optuna",
    "pandas",
    "pyarrow",
    "river",
    "scipy",
    "sklearn",
    "tensorflow",
    "threadpoolctl",
    "uvicorn",
    "v3io",
    "v3io_frames",
    "xgboost",
}
#: Any other import in a function needs this comment above it, with the measured reason.
LATE = re.compile(r"# Late: \S")
#: The command line imports the code of a command when it runs it.
FREE = "netops/cli"


def _package(path: Path) -> str:
    return "/".join(path.relative_to(ROOT).parts[:2])


def _packages() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for root in ("netops", "components", "pipeline"):
        for path in sorted((ROOT / root).rglob("*.py")):
            found.setdefault(_package(path), []).append(path)
    return {name: paths for name, paths in found.items() if name != FREE}


def _late_imports(path: Path) -> Iterator[str]:
    """Yield the imports in functions that are neither of a heavy library nor explained."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    inside = {
        node
        for function in ast.walk(ast.parse(source))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    for node in sorted(inside, key=lambda node: node.lineno):
        if not _libraries(node) <= HEAVY and not _explained(lines, node.lineno):
            yield f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"


def _libraries(node: ast.Import | ast.ImportFrom) -> set[str]:
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    return {name.partition(".")[0] for name in names}


def _explained(lines: list[str], number: int) -> bool:
    """Return whether the comment block above the imports that this one belongs to explains them."""
    above = number - 2
    while lines[above].strip().startswith(("import ", "from ")):
        above -= 1
    while lines[above].strip().startswith("#"):
        if LATE.search(lines[above]):
            return True
        above -= 1
    return False


@pytest.mark.parametrize("package", sorted(_packages()))
def test_functions_import_heavy_libraries_alone(package: str) -> None:
    found = [line for path in _packages()[package] for line in _late_imports(path)]
    assert not found, "\n".join(found)


def test_an_import_in_a_function_is_found(tmp_path: Path) -> None:
    source = (
        "def plain():\n    from netops import files\n"
        "def heavy():\n    import mlrun.runtimes\n"
        "def explained():\n    # Late: slow\n    from netops import kernels\n    from netops import files\n"
        "class Some:\n    async def method(self):\n        import json, mlrun\n"
    )
    path = ROOT / "netops" / "errors.py"
    assert not list(_late_imports(path))
    path = tmp_path / "some.py"
    path.write_text(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "ROOT", tmp_path)
        assert list(_late_imports(path)) == [
            "some.py:2: from netops import files",
            "some.py:11: import json, mlrun",
        ]


def test_a_server_starts_without_libraries_for_files() -> None:
    code = (
        "import sys, netops.serving.http.serve\n"
        "heavy = {'mlrun', 'pandas', 'pyarrow', 'onnx', 'sklearn', 'xgboost', 'tensorflow'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
