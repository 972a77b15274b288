"""What needs the MLRun service, and the one line that says so."""

from collections.abc import Callable
from typing import Any, TypeVar

import mlrun.errors
from mlrun.db.base import RunDBInterface
from mlrun.db.httpdb import HTTPRunDB

from netops.errors import NetopsError

Class = TypeVar("Class", bound=type)


class ServiceOnlyError(NetopsError, mlrun.errors.MLRunBadRequestError):
    """Asked for what only the MLRun service can do (an error of NetOps as well as of MLRun)."""


def refuse_the_rest(cls: Class) -> Class:
    """Give a run database each public method that MLRun's client knows and the class does not: it refuses.

    Parameters
    ----------
    cls : type
        A subclass of MLRun's ``RunDBInterface``.

    Returns
    -------
    type
        The same class, with nothing abstract left.
    """
    own = {name for base in cls.__mro__ if base is not RunDBInterface for name in vars(base)}
    for source in (RunDBInterface, HTTPRunDB):
        for name, value in vars(source).items():
            if callable(value) and not name.startswith("_") and name not in own:
                setattr(cls, name, _refusal(name))
    cls.__abstractmethods__ = frozenset()
    return cls


def _refusal(name: str) -> Callable[..., Any]:
    def refuse(self: Any, *_args: Any, **_kwargs: Any) -> Any:
        what = name.replace("_", " ")
        raise ServiceOnlyError(f"'{what}' needs the MLRun service: set MLRUN_DBPATH to its address (http://…)")

    refuse.__name__ = name
    refuse.__doc__ = "Refuse: only the service can do this."
    return refuse
