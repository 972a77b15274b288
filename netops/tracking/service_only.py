"""Features that require the MLRun service, and their error message."""

from collections.abc import Callable
from typing import NoReturn, TypeVar

import mlrun.errors
import requests
from mlrun.db.base import RunDBInterface
from mlrun.db.httpdb import HTTPRunDB

from netops.errors import NetopsError

Class = TypeVar("Class", bound=type)


class ServiceOnlyError(NetopsError, mlrun.errors.MLRunBadRequestError):
    """A feature requires the MLRun service (an error of NetOps and of MLRun)."""

    @classmethod
    def of(cls, method: str) -> "ServiceOnlyError":
        """Raise: a method of the run database requires the service."""
        what = method.replace("_", " ")
        line = f"'{what}' needs the MLRun service: set MLRUN_DBPATH to its address (http://…)"
        response = requests.Response()  # some callers in MLRun pass on its text instead of the error's
        response._content, response.encoding = line.encode(), "utf-8"
        return cls(line, response=response)  # type: ignore[call-arg]


def refuse_the_rest(cls: Class) -> Class:
    """Add the public methods of MLRun's client that the class lacks to a run database: they raise.

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
    cls.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
    return cls


def _refusal(name: str) -> Callable[..., object]:
    def refuse(self: object, *_args: object, **_kwargs: object) -> NoReturn:
        raise ServiceOnlyError.of(name)

    refuse.__name__ = name
    refuse.__doc__ = "Refuse: only the service can do this."
    return refuse
