"""JSON as types: what ``json.loads`` returns and ``json.dumps`` takes.

A document of known form has a TypedDict or a dataclass where it is read; these are for the free ones.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

#: Any JSON value. Read-only, so that a ``dict[str, int]`` or a ``tuple[str, ...]`` is one as it is.
Json: TypeAlias = Mapping[str, "Json"] | Sequence["Json"] | str | int | float | bool | None

#: An object of JSON that is only read, and one that is being built.
JsonObject: TypeAlias = Mapping[str, Json]
JsonDict: TypeAlias = dict[str, Json]
