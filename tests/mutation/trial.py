"""One mutant: the tests near its module run in a fork of this process, which has imported all libraries."""

import importlib.abc
import importlib.util
import os
import resource
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
#: A trial that waits instead of working ends after this many times its limit: on a machine with other work, the
#: clock may run far ahead of the processor time.
_PATIENCE = 10


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a text instead of its file."""

    def __init__(self, module: Module, source: str) -> None:
        self.module, self.source, self.path = module.name, source, str(ROOT / module.path)

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        return importlib.util.spec_from_loader(name, self) if name == self.module else None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self.path
        exec(compile(self.source, self.path, "exec"), module.__dict__)


def run_tests(module: Module, source: str, limit: int) -> tuple[bool, float]:
    """Run the tests of a module with another source.

    Parameters
    ----------
    module : Module
    source : str
    limit : int
        Seconds of processor time after which they count as failed: a mutant may never end.

    Returns
    -------
    passed : bool
    seconds : float
        Processor time they took.
    """
    child = os.fork()
    if child == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        try:
            status = _run(module, source)
        except BaseException:
            status = 1
        os._exit(status)
    end = monotonic() + _PATIENCE * limit
    while (ended := os.wait4(child, os.WNOHANG))[0] == 0:
        if monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            ended = os.wait4(child, 0)
            break
        sleep(0.01)
    _, status, usage = ended
    return status == 0, usage.ru_utime + usage.ru_stime


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
    from hypothesis import Phase, settings

    # What one mutant failed at must not help with the next, and a failure need not be small.
    settings.register_profile("trial", database=None, phases=(Phase.explicit, Phase.generate))
    settings.load_profile("trial")
    numba.config.DISABLE_JIT = module.interpreted
    from netops import kernels

    if module.interpreted:
        from netops.features import kernel

        kernel._unowned = lambda array: array
    elif kernels._USES in (ROOT / module.path).read_bytes():
        kernels.folders = lambda: (folder,)  # type: ignore[assignment]
