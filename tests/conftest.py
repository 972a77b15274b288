"""Fixtures of all tests."""

import ctypes
import importlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def pytest_configure() -> None:
    """Let Ctrl-C work in the processes of the tests, also under ``make test &``, where a shell ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, so that no process is left alone with one of them at the end."""
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


#: Folders whose files share something that takes long to make: a trained network, a simulated service.
TOGETHER = ("tests/backtest", "tests/dashboards", "tests/monitoring", "tests/pipeline")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Distribute files, and these folders as a whole: each process would make what is shared again."""
    from xdist.scheduler import LoadFileScheduling

    class LoadFolders(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            folder = file.rpartition("/")[0]
            return folder if folder in TOGETHER else file

    return LoadFolders(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="module", autouse=True)
def environment_of_each_file() -> Iterator[None]:
    """Undo what a file's tests, or the libraries under them (MLRun's runs do), leave in the environment."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def require_program() -> Callable[..., str]:
    """Find a program by one of its names; without it the test skips, or fails where NETOPS_REQUIRE_ALL=1."""

    def find(*names: str) -> str:
        for name in names:
            if path := shutil.which(name):
                return path
        reason = f"{names[0]} is not installed"
        if os.environ.get("NETOPS_REQUIRE_ALL") == "1":
            pytest.fail(f"{reason}, and NETOPS_REQUIRE_ALL=1 asks for it")
        pytest.skip(reason)

    return find


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A new folder; whatever a test has forbidden in it is allowed again at its end."""
    folder = Path(tempfile.mkdtemp(prefix="netops-test-"))
    yield folder
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def without_rights() -> dict[str, Any]:
    """What makes a subprocess one that cannot write where the permissions say so; for root they say nothing.

    Another user would do as well, but need not be able to reach the interpreter.
    """
    if os.geteuid() != 0:
        return {}
    system = ctypes.CDLL(None, use_errno=True)

    def drop() -> None:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            system.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP: gone with the next exec

    return {"preexec_fn": drop}


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import code as a module of a name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def take(name: str, text: str) -> ModuleType:
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    return take
