"""Separate the output of runs that one process runs in several threads.

MLRun captures the output of a run by replacing ``sys.stdout`` with its own object, and points the
one logger of the process at it. Both belong to the whole process: with two runs at once lines end up in the
wrong log, and ``sys.stdout`` stays replaced permanently. Here ``sys.stdout`` is replaced once while runs are
active, by an object that forwards the lines of each thread to the run of that thread.
"""

import io
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import mlrun.runtimes.local
import mlrun.runtimes.utils
import mlrun.utils


class _Router(io.TextIOBase):
    """Writes to the run of the calling thread, else to the original ``sys.stdout``.

    The capture of a run passes on what it gets to the terminal, which is this object again: so each thread
    counts how many captures it is inside of, and the next one further out is written to.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread = threading.local()
        self._captures: list[TextIO] = []
        self._below: TextIO | None = None

    @contextmanager
    def capture(self, target: TextIO) -> Iterator[TextIO]:
        """Hand to ``target`` what the calling thread prints."""
        own = self._own()
        with self._lock:
            if not self._captures:
                self._below, sys.stdout = sys.stdout, self
            self._captures.append(target)
        own.append(target)
        try:
            yield target
        finally:
            own.remove(target)
            with self._lock:
                self._captures.remove(target)
                if not self._captures and sys.stdout is self:
                    sys.stdout = self._below

    def captures(self) -> list[TextIO]:
        """Return the captures that the calling thread writes to, the innermost last."""
        own = self._own()
        # a thread that a run has started itself: with one run at work, it can only be that one's
        return own if own or len(self._captures) != 1 else self._captures[:1]

    def in_run(self) -> bool:
        """Return whether the calling thread itself runs the code of a run."""
        return bool(self._own())

    def write(self, text: str) -> int:
        """Write to the capture whose turn it is, or to the terminal."""
        captures, inside = self.captures(), getattr(self._thread, "inside", 0)
        if inside >= len(captures):
            return int(self._terminal().write(text))
        self._thread.inside = inside + 1
        try:
            captures[-1 - inside].write(text)
        finally:
            self._thread.inside = inside
        return len(text)

    def flush(self) -> None:
        """Flush the terminal."""
        self._terminal().flush()

    def isatty(self) -> bool:
        """Return whether the terminal is one."""
        terminal = self._terminal()
        return not terminal.closed and bool(terminal.isatty())  # libraries also query it at the end of the process

    def fileno(self) -> int:
        """Return the terminal's descriptor."""
        return int(self._terminal().fileno())

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Name the terminal's encoding."""
        return str(self._terminal().encoding)

    def _own(self) -> list[TextIO]:
        if not hasattr(self._thread, "own"):
            self._thread.own = []
        return self._thread.own

    def _terminal(self) -> TextIO:
        terminal = self._below if self._below is not None else sys.__stderr__
        if terminal is None:
            raise RuntimeError("this process was started without a standard error")
        return terminal


class _LogStream(io.TextIOBase):
    """Routes MLRun's log lines to the log of the run whose code wrote them, else to stderr."""

    def write(self, text: str) -> int:
        """Write a line."""
        return (sys.stdout if router.in_run() else sys.stderr).write(text)

    def flush(self) -> None:
        """Flush both."""
        (sys.stdout if router.in_run() else sys.stderr).flush()


router = _Router()


def separate_runs() -> None:
    """Let MLRun capture the output of runs by thread, and show its own chatter only from warnings on.

    What the code of a run logs with ``context.logger`` is in the log of that run from the usual level on.
    ``MLRUN_LOG_LEVEL`` applies everywhere if it is set.
    """
    mlrun.runtimes.local.redirect_stdout = router.capture
    logger = mlrun.utils.logger
    handler = logger.get_handler("default")
    handler.stream = _LogStream()
    mlrun.runtimes.utils.stderr = handler.stream  # it keeps the stream that was there when it was imported
    logger.replace_handler_stream = lambda *_: None  # each run would point the one handler at its own capture
    if not os.environ.get("MLRUN_LOG_LEVEL") and not any(isinstance(f, _Chatter) for f in handler.filters):
        handler.addFilter(_Chatter())


class _Chatter(logging.Filter):
    """Drops messages of MLRun below warning level outside of the code of a run."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is shown."""
        return record.levelno >= logging.WARNING or router.in_run()
