"""The configuration reference, and the files it speaks of."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from netops.config.binding import bind
from netops.simulator.settings import GeneratorSettings
from tools.reference import Key, keys_of, reference, sections

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "configurations").glob("*.yaml"))
SECTIONS = sections()


def test_the_committed_reference_is_the_one_that_the_code_gives() -> None:
    again = "write it again: python -m tools.reference > docs/configuration.md"
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == reference(), again


def test_every_section_has_its_file_and_every_file_its_section() -> None:
    assert {path.stem for path in FILES} == set(SECTIONS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_file_binds(path: Path) -> None:
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    if SECTIONS[path.stem] is GeneratorSettings:
        GeneratorSettings.from_yaml(values)
    else:
        bind(SECTIONS[path.stem], values, path.name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_key_of_the_file_is_in_the_reference(path: Path) -> None:
    known = keys_of(path.stem, SECTIONS[path.stem])
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [found for found in paths_of(values, known) if not is_known(found, known)] == []


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key_has_a_description(name: str) -> None:
    keys = keys_of(name, SECTIONS[name])
    assert keys
    assert not [key.path for key in keys if not (key.help and key.type and key.default)]


def test_defaults_bounds_and_units_are_listed() -> None:
    keys = {key.path: key for name in ("alerting", "training", "serving") for key in keys_of(name, SECTIONS[name])}
    assert keys["for"].type == "whole number"
    assert keys["for"].allowed == "from 1"
    assert keys["cooldown"].type == "duration, or null"
    assert keys["roll_up.window"].default == "10m"
    assert keys["split"].allowed == "`time`, `device`"
    assert keys["limits.receive_seconds"].unit == "s"
    assert keys["silences[].until"].default == "required"
    assert keys["families.tensorflow.layers"].default == "[64, 32]"


def paths_of(values: Any, known: list[Key], before: str = "") -> Iterator[str]:
    """List the paths of a file's keys, down to where the reference says that names are free."""
    for key, value in values.items():
        path = f"{before}{key}"
        yield path
        items = value if isinstance(value, list) else [value]
        if free(path, known):
            continue
        for item in items:
            if isinstance(item, dict):
                yield from paths_of(item, known, f"{path}[]." if isinstance(value, list) else f"{path}.")


def free(path: str, known: list[Key]) -> bool:
    """Whether a key holds names that are nobody's keys: PromQL by metric, effects by metric."""
    below = any(matches(f"{path}.x", key.path, begins=True) for key in known)
    return not below and any(matches(path, key.path) and key.type.startswith("names") for key in known)


def is_known(path: str, known: list[Key]) -> bool:
    """Whether the reference has the key, or keys below it; ``kind`` and names of one's own have no row."""
    return path.endswith(".kind") or any(matches(path, key.path, begins=True) for key in known)


def matches(path: str, pattern: str, begins: bool = False) -> bool:
    parts, wanted = path.split("."), pattern.split(".")
    if len(parts) > len(wanted) or (len(parts) < len(wanted) and not begins):
        return False
    same = (w == p or re.fullmatch("<.+>", w) or w == f"{p}[]" for p, w in zip(parts, wanted, strict=False))
    return all(same)
