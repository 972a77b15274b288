"""NetOps predicts which network devices are about to fail, from their telemetry.

The names below are the Python API. They are imported when they are first used, so that ``import netops`` takes no
time.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from netops.errors import NetopsError, UsageError

if TYPE_CHECKING:
    from netops import registry
    from netops.api import (
        Dataset,
        Predictor,
        build_features,
        evaluate,
        generate,
        ingest,
        inspect,
        load_model,
        open_project,
        read_settings,
        run,
        run_backtest,
        score,
        train,
    )

__version__ = "0.2.0"

__all__ = [
    "Dataset",
    "NetopsError",
    "Predictor",
    "UsageError",
    "build_features",
    "evaluate",
    "generate",
    "ingest",
    "inspect",
    "load_model",
    "open_project",
    "read_settings",
    "registry",
    "run",
    "run_backtest",
    "score",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'netops' has no attribute '{name}'")
    if name == "registry":
        return import_module("netops.registry")
    return getattr(import_module("netops.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
