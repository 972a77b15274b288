"""Parameters of a request, declared as a struct: names, types, bounds, defaults and descriptions."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import inspect

from netops.serving.engine.samples import BodyError

#: Query parameters: text from an address, numbers from Nuclio.
Query: TypeAlias = Mapping[str, object]


class Parameters:
    """Reads the parameters of requests into a struct.

    Parameters
    ----------
    struct : type
        Its fields are the parameters; those without a default are required. Bounds and descriptions are in
        ``msgspec.Meta``.
    path : str
        The path of the endpoint, for messages; the fields named in it (``{name}``) are parts of the path.
    """

    def __init__(self, struct: type[msgspec.Struct], path: str) -> None:
        self.struct, self.path = struct, path
        self._fields = [(field, _expected(field.type)) for field in _fields_of(struct)]
        self._types = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}

    def read(self, query: Query) -> msgspec.Struct:
        """Convert the text of parameters; unknown ones are ignored.

        Raises
        ------
        BodyError
            If a parameter is missing or invalid.
        """
        values: dict[str, Any] = {}
        for field, expected in self._fields:
            text = str(query.get(field.encode_name, ""))
            if field.required and not text:
                raise BodyError(self._missing(field.encode_name, expected), 400)
            if field.encode_name in query:
                values[field.name] = _convert(text, field.encode_name, self._types[field.encode_name], expected)
        return self.struct(**values)

    def _missing(self, name: str, expected: str) -> str:
        example = "name" if expected == "text" else expected
        return f"{name}: missing; use {self.path}?{name}=<{example}>"

    def schemas(self) -> dict[str, dict[str, Any]]:
        """Return the JSON schema of each parameter."""
        properties: dict[str, dict[str, Any]] = msgspec.json.schema(self.struct)["$defs"][self.struct.__name__][
            "properties"
        ]
        return properties

    def is_required(self, name: str) -> bool:
        """Return whether a parameter must be given."""
        return any(field.encode_name == name and field.required for field, _ in self._fields)


def _fields_of(struct: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    found = inspect.type_info(struct)
    assert isinstance(found, inspect.StructType)
    return found.fields


def _convert(text: str, name: str, kind: Any, expected: str) -> object:
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        raise BodyError(f"{name}: expected {expected}, found '{text[:40]}'", 400) from None


def _expected(kind: inspect.Type) -> str:
    """Describe what a parameter accepts."""
    while isinstance(kind, inspect.Metadata | inspect.UnionType):
        # An optional one: the type comes first.
        kind = kind.type if isinstance(kind, inspect.Metadata) else kind.types[0]
    if isinstance(kind, inspect.BoolType):
        return "true or false"
    if isinstance(kind, inspect.LiteralType):
        return " or ".join(map(str, kind.values))
    if isinstance(kind, (inspect.IntType, inspect.FloatType)):
        first = "" if kind.ge is None else f" from {kind.ge}"
        return f"a number{first}" + ("" if kind.le is None else f" to {kind.le}")
    return "text"
