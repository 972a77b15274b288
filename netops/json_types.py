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


def object_in(document: JsonObject, key: str) -> JsonObject:
    """Return an object within an object; an empty one where there is none."""
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def objects_in(document: JsonObject, key: str) -> list[JsonObject]:
    """Return the objects of a list within an object."""
    values = document.get(key)
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, (list, tuple)) else []
