"""Compiled kernels: an edit of any file that has a part in them is noticed, and a read-only cache is of use."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from netops import kernels

PACKAGE = Path(kernels.__file__).parent
SOURCES = [path.relative_to(PACKAGE) for path in kernels.sources(PACKAGE)]
#: Two samples at the threshold open an alert; says too whether the machine code was read or made.
ALERT = """
import json
import numpy as np
from netops.alerting.policy import AlertPolicy
from netops.alerting.tracker import AlertTracker, _update

policy = AlertPolicy(threshold=0.5)
events = AlertTracker(policy).update(np.zeros(2, np.int64), np.arange(2), np.full(2, 0.5))
stats = _update.stats
print(json.dumps([len(events), sum(stats.cache_hits.values()), sum(stats.cache_misses.values())]))
"""


@pytest.fixture
def package(own_folder: Path) -> Path:
    """A copy of the library that a test may edit."""
    return shutil.copytree(PACKAGE, own_folder / "lib" / "netops", ignore=shutil.ignore_patterns("__pycache__"))


def alert(package: Path, cache: Path, **options) -> list[int]:
    """Run the script with a copy of the library: alerts opened, kernels read, kernels compiled."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(package.parent),
        "NUMBA_CACHE_DIR": str(cache),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(package.parent / "home"),
    }
    done = subprocess.run(
        [sys.executable, "-c", ALERT],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=240,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_kernel_is_compiled_by_the_one_helper() -> None:
    compiles = re.compile(r"\b(njit|jit|vectorize|guvectorize|cfunc|stencil|jitclass)\b")
    others = [path for path in PACKAGE.rglob("*.py") if path != Path(kernels.__file__)]
    found = [
        path.relative_to(PACKAGE)
        for path in others
        if "numba" in (text := path.read_text()) and compiles.search(text)
    ]
    assert found == []
    assert len(SOURCES) > 20


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_an_edit_of_any_file_of_a_kernel_changes_the_fingerprint(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "netops"
    for path in SOURCES:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / path, copy / path)
    before = kernels.fingerprint(copy)
    assert before == kernels.fingerprint(PACKAGE)
    (copy / source).write_text((copy / source).read_text() + "\n")
    assert kernels.fingerprint(copy) != before


def _root(node: ast.expr) -> str:
    """Name what a decorator is made with: ``kernel`` of ``@kernel(inline="always")``."""
    return _root(node.func) if isinstance(node, ast.Call) else getattr(node, "id", "")


def _kernels_of(tree: ast.Module) -> list[ast.FunctionDef]:
    made = [node for node in tree.body if isinstance(node, ast.Assign) and _root(node.value) == "kernel"]
    names = {"kernel", *(target.id for node in made for target in node.targets if isinstance(target, ast.Name))}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [node for node in functions if names & {_root(decorator) for decorator in node.decorator_list}]


def test_what_a_kernel_uses_of_other_files_is_part_of_the_fingerprint() -> None:
    missing, count = [], 0
    for source in SOURCES:
        tree = ast.parse((PACKAGE / source).read_text())
        origin = {
            alias.asname or alias.name: (node.module or "", alias.name)
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("netops")
            for alias in node.names
        }
        count += len(_kernels_of(tree))
        used = {
            name.id
            for function in _kernels_of(tree)
            for part in (*function.body, function.args)
            for name in ast.walk(part)
            if isinstance(name, ast.Name)
        }
        for name in used & set(origin):
            module, attribute = origin[name]
            candidates = [Path(*part.split(".")[1:]) for part in (module, f"{module}.{attribute}")]
            if not any(path.with_suffix(".py") in SOURCES for path in candidates if path.name):
                missing.append((str(source), name))
    assert missing == []
    assert count > 60


def test_an_edit_of_an_inlined_function_is_noticed_with_a_warm_cache(package, own_folder) -> None:
    cache = own_folder / "cache"
    assert alert(package, cache) == [1, 0, 1]
    assert alert(package, cache) == [1, 1, 0]
    machine = package / "alerting" / "machine.py"
    edited = machine.read_text().replace("risk >= threshold", "risk > threshold")
    assert edited != machine.read_text()
    machine.write_text(edited)
    assert alert(package, cache) == [0, 0, 1]


def test_the_kernels_of_a_read_only_folder_are_used(package, own_folder, without_rights) -> None:
    cache, empty = own_folder / "cache", own_folder / "empty"
    assert alert(package, cache) == [1, 0, 1]
    empty.mkdir()
    for folder in (cache, *cache.rglob("*"), empty):
        folder.chmod(0o555 if folder.is_dir() else 0o444)
    (package / "__pycache__").mkdir(mode=0o555)
    package.parent.chmod(0o555)  # and no home
    assert alert(package, cache, **without_rights) == [1, 1, 0]
    assert alert(package, empty, **without_rights) == [1, 0, 1]
    assert list(empty.iterdir()) == []


def test_a_damaged_kernel_is_compiled_again(package, own_folder) -> None:
    cache = own_folder / "cache"
    alert(package, cache)
    [cached] = [path for path in cache.rglob("*.nbc") if "_update" in path.name]
    whole = cached.read_bytes()
    cached.write_bytes(whole[: len(whole) // 2])
    assert alert(package, cache) == [1, 0, 1]
    assert alert(package, cache) == [1, 1, 0]


def test_folders_of_old_versions_go(tmp_path) -> None:
    for number in range(9):
        folder = tmp_path / f"kernels-{number}"
        folder.mkdir()
        os.utime(folder, (number, number))
    kernels._write(tmp_path / "kernels-new" / "a.nbc", b"code")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["kernels-5", "kernels-6", "kernels-7", "kernels-8", "kernels-new"]
