"""The configuration reference, written from the code.

    python -m tools.reference > docs/configuration.md

A key, its type, default and bounds stand in the dataclass that reads it, and nowhere else; this only lays them out.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from netops.cluster.settings import ClusterSettings, StageSettings
from netops.config.durations import format_duration
from netops.simulator.scenarios import KINDS, LOOKALIKES, Failure
from netops.simulator.settings import DISTRIBUTIONS, ChoiceStatic, GeneratorSettings, RangeStatic
from netops.workflows.settings import METRICS, SECTIONS

#: Placeholder of a name that the user gives.
NAMED = {
    "metrics": "<metric>",
    "deployment": "<level>",
    "static": "<attribute>",
    "stages": "<stage>",
    "scenarios": "<scenario>",
}
EVERY_FAILURE = "every failure"
#: Mappings whose sections are bound by a kind of their own: path → what may be bound there, by kind.
KINDS_AT: dict[tuple[str, str], Mapping[str, type]] = {
    ("cluster", "stages"): {"": StageSettings},
    (METRICS, "static"): {"range": RangeStatic, "choice": ChoiceStatic},
    (METRICS, "scenarios"): {EVERY_FAILURE: Failure, **KINDS},
}
#: A key whose sections depend on another key.
PARAMS: tuple[str, Mapping[str, type]] = ("metrics.<metric>.distribution_params", DISTRIBUTIONS)
WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false", object: "any", Any: "any"}
PLURALS = {
    "duration": "durations",
    "whole number": "whole numbers",
    "number": "numbers",
    "text": "texts",
    "any": "any",
}


@dataclass(frozen=True)
class Key:
    """One key of the configuration.

    Attributes
    ----------
    path : str
        Keys joined by dots; a name that the user gives stands in ``<>``, an item of a list is ``[]``.
    kind : str
        For keys of a section with a ``kind``, which one; else "".
    type, unit, default, allowed, help : str
        In words; "" where there is nothing to say.
    """

    path: str
    kind: str
    type: str
    unit: str
    default: str
    allowed: str
    help: str


def sections() -> dict[str, type]:
    """Return every section with the dataclass that reads it, in the order of the work."""
    found: dict[str, type] = {METRICS: GeneratorSettings}
    return found | SECTIONS | {"cluster": ClusterSettings}


def keys_of(section: str, cls: type) -> list[Key]:
    """List the keys of a section, those of nested sections after their own."""
    return list(_keys(section, cls, "", ""))


def _keys(section: str, cls: type, before: str, kind: str) -> Iterator[Key]:
    hints = typing.get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        if not field.metadata:
            continue
        path, hint = before + field.name.rstrip("_"), hints[field.name]
        if not dataclasses.is_dataclass(hint):
            yield _key(field, path, kind, hint)
        yield from _inside(section, path, kind, hint)


def _inside(section: str, path: str, kind: str, hint: Any) -> Iterator[Key]:
    """List the keys below a key."""
    if kinds := KINDS_AT.get((section, path)):
        for name, nested in kinds.items():
            keys = _keys(section, nested, f"{path}.{NAMED[path]}.", name)
            shared = _shared(section, path) if issubclass(nested, Failure) and nested is not Failure else set()
            yield from (key for key in keys if dataclasses.replace(key, kind=EVERY_FAILURE) not in shared)
    elif path == PARAMS[0]:
        for name, nested in PARAMS[1].items():
            yield from _keys(section, nested, f"{path}.", name)
    elif dataclasses.is_dataclass(hint):
        yield from _keys(section, typing.cast(type, hint), f"{path}.", kind)
    elif (origin := get_origin(hint)) in (dict, Mapping, tuple):
        item = get_args(hint)[-1 if origin is not tuple else 0]
        if dataclasses.is_dataclass(item):
            index = f"{path}[]." if origin is tuple else f"{path}.{NAMED[path]}."
            yield from _keys(section, typing.cast(type, item), index, kind)


def _shared(section: str, path: str) -> set[Key]:
    """Return the keys that every failure has; they are not repeated where they mean the same."""
    return set(_keys(section, Failure, f"{path}.{NAMED[path]}.", EVERY_FAILURE))


def _key(field: "dataclasses.Field[Any]", path: str, kind: str, hint: Any) -> Key:
    about = field.metadata
    name = "names with a section each" if path in NAMED else type_of(hint)
    unit = "" if about["unit"] == "duration" else about["unit"]
    return Key(path, kind, name, unit, _default(field, hint), _allowed(about), _sentence(about["help"]))


def type_of(hint: Any) -> str:
    """Describe the values of a key."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return "duration"
    if origin in (typing.Union, types.UnionType):
        known = next(a for a in arguments if a is not type(None))
        return f"{type_of(known)}, or null" if type(None) in arguments else type_of(known)
    if dataclasses.is_dataclass(hint):
        return "section"
    if origin is tuple:
        item = type_of(arguments[0])
        return f"list of {PLURALS.get(item, item + 's')}"
    if origin in (dict, Mapping) or hint is dict:
        item = type_of(arguments[1]) if arguments else "any"
        return f"names with {PLURALS.get(item, 'a ' + item + ' each')}"
    return WORDS[hint]


def _default(field: "dataclasses.Field[Any]", hint: Any) -> str:
    if field.default is field.default_factory is dataclasses.MISSING:
        return "required"
    factory: Callable[[], Any] | Any = field.default_factory
    value = field.default if factory is dataclasses.MISSING else factory()
    return _plain(value, duration="duration" in type_of(hint))


def _plain(value: Any, duration: bool = False) -> str:
    """Write a value as YAML has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(_plain(item, duration) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}: {_plain(item)}' for name, item in value.items())}}}"
    if dataclasses.is_dataclass(value):
        fields = [(field, getattr(value, field.name)) for field in dataclasses.fields(value)]
        return _plain({field.name: item for field, item in fields if item != field.default})
    if duration and isinstance(value, int):
        return format_duration(value)
    if isinstance(value, str):
        return value if value.replace("_", "a").replace("/", "a").isalnum() else f'"{value}"'
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


def _allowed(about: Mapping[str, Any]) -> str:
    if about["choices"] is not None:
        return ", ".join(f"`{choice}`" for choice in about["choices"])
    least, most = about["minimum"], about["maximum"]
    if least is not None and most is not None:
        return f"{_number(least)} to {_number(most)}"
    if least is not None:
        return f"from {_number(least)}"
    return "" if most is None else f"to {_number(most)}"


def _sentence(text: str) -> str:
    """Begin with a capital, unless the first word is quoted from the file."""
    first = text.split(" ")[0]
    return text if first[-1] in ",:;" else text[:1].upper() + text[1:]


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("|", "\\|")


HEAD = """# Configuration reference

Written from the code by `python -m tools.reference > docs/configuration.md`; a test compares them.

The files are in `configurations/`, one per section. `--config DIR` reads files of the same names in a folder:
a file there replaces the whole section, a section without a file keeps the default.
`--set section.key=value` changes one key, for example `--set training.horizon=5m`. An unknown key, or a value of
the wrong type or out of bounds, is refused before anything runs, with the closest known key.

A **duration** is written `90s`, `10m`, `1h` or `2d`; a bare number is seconds. `null` is YAML's word for *no
value*. In the tables `a.b` is the key `b` in the section `a`, `<name>` a name of your own, `[]` an item of a list.
The default is that of the code, which holds where the file does not have the key.
"""

ABOUT = {
    METRICS: "The generated network: its devices, what they do on a good day, and how they fail. `netops generate "
    "--metrics-config FILE` takes another file. The shipped file is more detailed than the defaults. The "
    "kind of a scenario is its name, or its key `kind`.",
    "fleet": "Telemetry that `netops run` generates if none is given.",
    "telemetry": "Telemetry of one's own: which columns are what, see [own data](own-data.md).",
    "features": "The feature vector, see [concepts](concepts.md#feature-vector).",
    "training": "Labels, splits and the model families.",
    "alerting": "From risks to alerts, the same in evaluation, backtest and server, see [alerting](alerting.md).",
    "promotion": "What a challenger may not break when it is better than the champion.",
    "serving": "The server, see [serving](serving.md).",
    "cluster": "What the stages run on where MLRun is a service. A run on this machine reads none of it.",
}


def reference() -> str:
    """Write the reference as Markdown."""
    return "\n".join([HEAD, *(_chapter(name, cls) for name, cls in sections().items())])


def _chapter(name: str, cls: type) -> str:
    keys = keys_of(name, cls)
    lines = [f"## {name}.yaml", "", ABOUT.get(name) or (cls.__doc__ or "").strip().splitlines()[0], ""]
    lines += _table(key for key in keys if not key.kind)
    for where, kinds in _kinds(name):
        lines += [line for kind in kinds for line in _kind(where, kind, [key for key in keys if key.kind == kind])]
    return "\n".join(lines)


def _kinds(section: str) -> Iterator[tuple[str, Iterable[str]]]:
    """Name the items of a section whose kind determines the keys."""
    if section == METRICS:
        yield PARAMS
    for (owner, path), kinds in KINDS_AT.items():
        if owner == section:
            yield f"{path}.{NAMED[path]}", [kind for kind in kinds if kind]


def _kind(where: str, kind: str, keys: list[Key]) -> list[str]:
    what = _about_kind(kind)
    if kind in KINDS and issubclass(KINDS[kind], Failure):
        what += f" The keys of every failure{', and' if keys else '.'}"
    return [f"### {_escaped(where)}: {kind}", "", what, "", *(_table(keys) if keys else [])]


def _about_kind(kind: str) -> str:
    cls = {EVERY_FAILURE: Failure, **KINDS}.get(kind)
    if cls is None:
        return f"With `{'kind' if kind in ('range', 'choice') else 'distribution'}: {kind}`."
    what = "Failure" if issubclass(cls, Failure) else "Look-alike" if cls in LOOKALIKES else "Drift"
    return f"{what}. {' '.join((cls.__doc__ or '').split())}"


def _table(keys: Iterable[Key]) -> list[str]:
    lines = ["| key | type | unit | default | allowed | what it does |", "|---|---|---|---|---|---|"]
    for key in keys:
        cells = (f"`{key.path}`", key.type, key.unit, f"`{key.default}`", key.allowed, _escaped(key.help))
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


if __name__ == "__main__":
    print(reference(), end="")
