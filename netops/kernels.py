"""Compilation of kernels and the cache of their machine code.

Numba's own cache considers only the file of a function. Kernels call each other across files and take constants
from others, so that an edit there, or an update, would leave the old code running. Here the folder of the machine
code is named after the content of every file that has a part in a kernel: any edit gives another folder.

The machine code is read from the first of these folders that has it, and written into the first that can be
written: ``NUMBA_CACHE_DIR`` where it is set (an image holds its kernels there, read-only), the ``__pycache__`` of
this package, and the cache folder of the user. Where none can be written, each process compiles for itself.
"""

import hashlib
import os
import pickle
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar, overload
from uuid import uuid4

import numba
import numpy as np
from numba.core.compiler import CompileResult
from numba.core.runtime import rtsys
from numba.core.serialize import dumps

if TYPE_CHECKING:
    from numba.core.base import BaseContext
    from numba.core.typing import Signature

__all__ = ["Kernel", "folders", "inlined", "kernel", "sources"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")

_PACKAGE = Path(__file__).parent
_USES = b"netops.kernels"
_IMPORT = re.compile(rb"^from (netops[\w.]*) import (\([^)]*\)|[^\n]*)", re.M)
_CONSTANT = re.compile(rb"\b[A-Z][A-Z0-9_]*\b")
#: Maximum cache folders of other versions next to the one in use.
_MAX_FILES = 4


class Kernel(Protocol[P, R_co]):
    """A compiled function: it is called as the function itself, from Python and from other kernels."""

    @property
    def py_func(self) -> Callable[P, R_co]:
        """The function as it was written."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Run the machine code for these types; it is compiled or read on the first call."""


class Compile(Protocol):
    """A decorator that compiles a function."""

    def __call__(self, function: Callable[P, R], /) -> Kernel[P, R]:
        """Compile a function."""


@overload
def kernel(function: Callable[P, R], /) -> Kernel[P, R]: ...


@overload
def kernel(*, cached: bool = True, **options: str | bool) -> Compile: ...


def kernel(
    function: Callable[P, R] | None = None, /, *, cached: bool = True, **options: str | bool
) -> Kernel[P, R] | Compile:
    """Compile a function with numba, without the interpreter's lock.

    Parameters
    ----------
    function : callable, optional
        Without one, a decorator with these options is given.
    cached : bool
        Whether its machine code is cached; that of a function that only kernels call is part of theirs.
    **options
        For ``numba.njit``.
    """
    if function is None:
        return partial(_compile, cached, options)
    return _compile(cached, options, function)


def _compile(cached: bool, options: dict[str, str | bool], function: Callable[P, R], /) -> Kernel[P, R]:
    compiled = numba.njit(nogil=True, **options)(function)
    if cached:
        compiled._cache = KernelCache(function)
    return compiled


#: Compile a function that other kernels call: its code is inlined into theirs.
inlined = kernel(
    cached=False, forceinline=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
)


class KernelCache:
    """The machine code of one kernel, one file per signature; implements the cache of numba's dispatcher."""

    def __init__(self, function: Callable[P, R]) -> None:
        self._code = function.__code__.co_code
        self._name = f"{function.__module__}.{function.__qualname__}".replace("<", "").replace(">", "")
        self.cache_path = str(folders()[0])

    def load_overload(self, signature: "Signature", target: "BaseContext") -> CompileResult | None:
        """Return the compiled code of a signature, or None where no folder has it."""
        # What numba needs to compile (.25 s, 25 MB) is loaded only if it does.
        rtsys.initialize(target)
        for folder in folders():
            # A missing, unreadable or truncated file is compiled again.
            with suppress(OSError, EOFError, pickle.UnpicklingError):
                content = (folder / self._file(signature, target)).read_bytes()
                payload = pickle.loads(content)  # noqa: S301 numba's own format, from a folder of the user
                return CompileResult._rebuild(target, *payload)
        return None

    def save_overload(self, signature: "Signature", compiled: CompileResult) -> None:
        """Keep compiled code for later processes, where there is a folder that takes it."""
        payload = dumps(compiled._reduce())
        for folder in folders():
            with suppress(OSError):
                _write(folder / self._file(signature, compiled.target_context), payload)
                return

    def flush(self) -> None:
        """Do nothing: nothing is cached in memory."""

    def _file(self, signature: "Signature", target: "BaseContext") -> str:
        # The processor is part of it: code for another one may not run, or not as fast.
        key = repr((signature, target.codegen().magic_tuple())).encode() + self._code
        return f"{self._name}-{hashlib.sha256(key).hexdigest()[:24]}.nbc"


@cache
def folders() -> tuple[Path, ...]:
    """List the folders that are searched for machine code of this version; they need not exist."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    parents = [Path(chosen)] if chosen else []
    parents += [_PACKAGE / "__pycache__", Path(user) / "netops"]
    return tuple(parent / f"kernels-{fingerprint(_PACKAGE)}" for parent in parents)


def fingerprint(package: Path) -> str:
    """Name a version of the kernels: their sources, and what compiles them."""
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__} {sys.implementation.cache_tag}".encode())
    for path in sources(package):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def sources(package: Path) -> list[Path]:
    """List the files that have a part in a kernel: those that hold kernels, and those of their constants."""
    holding = {path: text for path in package.rglob("*.py") if _USES in (text := path.read_bytes())}
    return sorted({*holding, *(path for text in holding.values() for path in _constants(package, text))})


def _constants(package: Path, text: bytes) -> Iterator[Path]:
    for module, names in _IMPORT.findall(text):
        if _CONSTANT.search(names):
            path = package.joinpath(*module.decode().split(".")[1:])
            yield path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _write(path: Path, content: bytes) -> None:
    """Write a file at once; the first one of a version ends the oldest of the others."""
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        _forget_old(path.parent)
    draft = path.with_name(f".{path.name}.{uuid4().hex[:12]}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _forget_old(newest: Path) -> None:
    with suppress(OSError):  # another process may do the same
        others = [path for path in newest.parent.glob("kernels-*") if path != newest]
        for path in sorted(others, key=lambda path: path.stat().st_mtime)[:-_MAX_FILES]:
            shutil.rmtree(path, ignore_errors=True)
