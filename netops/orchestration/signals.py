"""Ends that are asked for: SIGTERM counts as Ctrl-C, so that a run is recorded as stopped."""

import signal
from typing import Any


def stop_on_terminate() -> None:
    """Let SIGTERM raise KeyboardInterrupt in the main thread."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt
