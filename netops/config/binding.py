"""Configuration: YAML bound to frozen dataclasses; unknown keys and invalid values raise errors.

A section is a dataclass whose fields are declared with :func:`option`. The section is in the package that reads
it, so that there are no unused keys. Keys that only earlier versions had are in the section's ``RETIRED``, with the
reason.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, overload

import yaml

from netops import progress
from netops.config.durations import parse_duration
from netops.errors import UsageError, closest
from netops.json_types import Json, JsonObject

T = TypeVar("T")

#: A field of this type is written as ``10m`` and stored in nanoseconds.
Duration = Annotated[int, "duration"]


def option(
    default: object = dataclasses.MISSING,
    *,
    help: str,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[object] | None = None,
    was: str | None = None,
    retired: Sequence[object] = (),
    by_kind: bool = False,
) -> Any:
    """Declare one key of a section.

    Parameters
    ----------
    default : optional
        Its value when the key is absent; required if there is none. A list, dict or section is passed as a
        function without arguments.
    help, unit : str
        One line for the configuration reference, and the unit.
    minimum, maximum : float, optional
        Bounds, both included.
    choices : sequence, optional
        The only values allowed.
    was : str, optional
        Its name in earlier versions, which files may still hold.
    retired : sequence, optional
        Values that earlier versions allowed; the default is used in their stead, with a warning.
    by_kind : bool
        Whether the owner of the section binds it, because another key decides what it may hold.

    Returns
    -------
    dataclasses.Field
        Any, for the type checker: the type of a field is its annotation.
    """
    about = {
        "help": help,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "was": was,
        "retired": retired,
        "by_kind": by_kind,
    }
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=about)
    return dataclasses.field(default=default, metadata=about)


def bind(section: type[T], values: object, where: str) -> T:
    """Create a section from the contents of a YAML file.

    Parameters
    ----------
    section : dataclass type
        The type of the section.
    values : mapping or None
        The parsed YAML; None means an empty mapping.
    where : str
        File and key, for errors.

    Raises
    ------
    UsageError
        For an unknown or missing key, a value of the wrong type or outside its bounds; names the key.
    """
    fields = {field.name.rstrip("_"): field for field in dataclasses.fields(section)}  # type: ignore[arg-type]
    keys = _renamed(_without_retired(keys_in(values, where), section, where), fields, where)
    hints = typing.get_type_hints(section, include_extras=True)
    if unknown := [key for key in keys if key not in fields]:
        raise UsageError(f"{where}: unknown key '{unknown[0]}'{closest(str(unknown[0]), fields)}")
    bound = {
        fields[key].name: _value(hints[fields[key].name], value, f"{where}: {key}", fields[key].metadata)
        for key, value in keys.items()
        if not _is_retired(value, fields[key], f"{where}: {key}")
    }
    for key, field in fields.items():
        if key not in keys and field.default is field.default_factory is dataclasses.MISSING:
            raise UsageError(f"{where}: key '{key}' is missing")
    return section(**bound)


@overload
def keys_in(values: Json, where: str) -> JsonObject: ...
@overload
def keys_in(values: object, where: str) -> Mapping[str, object]: ...
def keys_in(values: object, where: str) -> Mapping[str, object]:
    """Return the keys and values of a section; none where there is nothing.

    Raises
    ------
    UsageError
        If it is anything else.
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise UsageError(f"{where}: expected keys and values, found {values!r}")
    return values


def _without_retired(values: Mapping[str, object], section: type, where: str) -> Mapping[str, object]:
    """Drop the keys that the section lists in ``RETIRED``, with a warning that gives the reason."""
    retired: Mapping[str, str] = getattr(section, "RETIRED", {})
    for key in retired.keys() & values.keys():
        progress.say_once(f"warn: {where}: '{key}' is ignored: {retired[key]}")
    return {key: value for key, value in values.items() if key not in retired}


def _renamed(
    values: Mapping[str, object], fields: Mapping[str, "dataclasses.Field[object]"], where: str
) -> Mapping[str, object]:
    """Give keys that have an old name their new one."""
    new = {field.metadata["was"]: key for key, field in fields.items() if field.metadata.get("was")}
    if not any(key in new for key in values):
        return values
    for old in new.keys() & values.keys():
        if new[old] in values:
            raise UsageError(f"{where}: '{old}' is the old name of '{new[old]}': keep one of them")
        progress.say_once(f"warn: {where}: '{old}' is now called '{new[old]}'")
    return {new.get(key, key): value for key, value in values.items()}


def _is_retired(value: object, field: "dataclasses.Field[object]", where: str) -> bool:
    """Whether an earlier version allowed the value; warns that the default is used."""
    found = isinstance(value, str) and value in field.metadata.get("retired", ())
    if found:
        progress.say_once(f"warn: {where}: '{value}' is no longer available; '{field.default}' is used")
    return found


def _value(hint: object, value: object, where: str, about: Mapping[str, Any]) -> object:
    if about["by_kind"]:
        return value
    converted = _convert(hint, value, where)
    parts = tuple(converted.values()) if isinstance(converted, dict) else converted
    for item in parts if isinstance(parts, tuple) else (parts,):
        _check(item, where, about)
    return converted


def _check(value: object, where: str, about: Mapping[str, Any]) -> None:
    choices, minimum, maximum = about.get("choices"), about.get("minimum"), about.get("maximum")
    if choices is not None and value not in choices:
        raise UsageError(f"{where}: '{value}' is not allowed{closest(str(value), map(str, choices))}")
    if minimum is not None and value is not None and not value >= minimum:
        raise UsageError(f"{where}: {value} is below {minimum}")
    if maximum is not None and value is not None and not value <= maximum:
        raise UsageError(f"{where}: {value} is above {maximum}")


def _convert(hint: object, value: object, where: str) -> object:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _duration(value, where)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _convert(next(a for a in arguments if a is not type(None)), value, where)
    if origin is tuple:
        return _items(arguments[0], value, where)
    if origin in (dict, Mapping) or hint is dict:
        return _mapping(arguments[1] if arguments else object, value, where)
    if dataclasses.is_dataclass(hint):
        return bind(typing.cast(type, hint), value, where)
    return _scalar(hint, value, where)


def _duration(value: object, where: str) -> int:
    try:
        return parse_duration(value)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _items(hint: object, value: object, where: str) -> tuple[object, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, Sequence):
        raise UsageError(f"{where}: expected a list, found {value!r}")
    return tuple(_convert(hint, item, f"{where}[{index}]") for index, item in enumerate(value))


def _mapping(hint: object, value: object, where: str) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{where}: expected keys and values, found {value!r}")
    return {str(key): _convert(hint, item, f"{where}: {key}") for key, item in value.items()}


def _scalar(hint: object, value: object, where: str) -> object:
    if hint in (object, Any):
        return value
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if value != value or value in (float("inf"), float("-inf")):
            raise UsageError(f"{where}: {value} is not a finite number")
        return float(value)
    if isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    words: dict[object, str] = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    raise UsageError(f"{where}: expected {words.get(hint, hint)}, found {value!r}")


class _Loader(yaml.SafeLoader):
    """YAML loader that returns times as text: they are parsed later, and can be sent as JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str) -> Json:
    """Parse YAML, times as text.

    Raises
    ------
    yaml.YAMLError
        If the text is not YAML.
    """
    document: Json = yaml.load(text, Loader=_Loader)  # noqa: S506 a safe loader without times
    return document


def read_yaml(path: Path) -> Json:
    """Read a YAML file.

    Raises
    ------
    UsageError
        If the file is missing or not YAML; names the file and the line.
    """
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        index = "" if line is None else f", line {line + 1}"
        raise UsageError(f"{path}{index}: not YAML: {getattr(error, 'problem', error)}") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
