"""One mutant: the tests near its module run in a fork of this process, which has imported all libraries."""

import importlib.abc
import importlib.util
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep
from types import ModuleType
from typing import Any

from tests.mutation.modules import ROOT, Module

#: What takes long to import, and nothing of the project.
LIBRARIES = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "numba",
    "hypothesis",
    "pytest",
    "msgspec",
    "mlrun",
    "scipy.stats",
)
_PLUGINS = ("pytest_timeout", "_hypothesis_pytestplugin")


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a text instead of its file."""

    def __init__(self, module: Module, source: str) -> None:
        self.module, self.source, self.path = module.name, source, str(ROOT / module.path)

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        return importlib.util.spec_from_loader(name, self) if name == self.module else None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self.path
        exec(compile(self.source, self.path, "exec"), module.__dict__)


def passes(module: Module, source: str, limit: float) -> bool:
    """Run the tests of a module with another source.

    Parameters
    ----------
    module : Module
    source : str
    limit : float
        Seconds after which they count as failed: a mutant may never end.
    """
    child = os.fork()
    if child == 0:
        os.setsid()
        try:
            status = _run(module, source)
        except BaseException:
            status = 1
        os._exit(status)
    end = monotonic() + limit
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False
        sleep(0.01)
    return ended[1] == 0


def _run(module: Module, source: str) -> int:
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    sys.meta_path.insert(0, _Changed(module, source))
    with tempfile.TemporaryDirectory() as folder:
        _prepare(module, Path(folder))
        import pytest

        options = ["-x", "-q", "-W", "ignore", "-o", "addopts=", "-m", "not soak", "-p", "no:cacheprovider"]
        options += [f"--basetemp={folder}/pytest", "--hypothesis-seed=0"]
        plugins = [part for name in _PLUGINS for part in ("-p", name)]
        return int(pytest.main([*options, *plugins, *module.tests]))


def _prepare(module: Module, folder: Path) -> None:
    """Keep machine code of the module as it is from being used in the place of the mutant's."""
    import numba

    numba.config.DISABLE_JIT = module.interpreted
    from netops import kernels

    if module.interpreted:
        from netops.features import kernel

        kernel._unowned = lambda array: array
    elif kernels._USES in (ROOT / module.path).read_bytes():
        kernels.folders = lambda: (folder,)  # type: ignore[assignment]
