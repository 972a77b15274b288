"""The settings of a run: bound once, typed, and carried from stage to stage as one JSON document."""

import dataclasses
import json

import pytest

from netops.config.durations import MINUTE
from netops.errors import UsageError
from netops.workflows.settings import SECTIONS, Settings, overridden, read_settings


def test_they_are_bound_and_frozen() -> None:
    settings = read_settings(overrides=["training.horizon=5m", "fleet.devices=3"])
    assert settings.training.horizon == 5 * MINUTE
    assert settings.fleet.devices == 3
    assert settings.metrics.metrics
    assert settings.cluster is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.fleet = settings.fleet  # type: ignore[misc]


def test_what_travels_between_stages_binds_to_the_same() -> None:
    settings = read_settings(overrides=["training.trials=3"], cluster=True)
    again = Settings.from_json(settings.to_json())
    assert again == settings
    assert again.metrics == settings.metrics
    assert again.cluster is not None


def test_a_document_with_some_sections_takes_defaults_for_the_others() -> None:
    settings = Settings.bind({"fleet": {"devices": 40}})
    assert settings.fleet.devices == 40
    assert settings.training == SECTIONS["training"]()
    with pytest.raises(UsageError, match="'metrics' is missing"):
        _ = settings.metrics


def test_an_empty_document_means_the_configuration_of_the_project() -> None:
    assert Settings.from_json("{}").metrics == read_settings().metrics
    assert Settings.from_json(json.dumps({"cluster": {}})).cluster is not None


def test_overrides_leave_the_original_alone() -> None:
    settings = read_settings()
    changed = overridden(settings, ["fleet.devices=9"])
    assert (changed.fleet.devices, settings.fleet.devices) == (9, read_settings().fleet.devices)
    assert overridden(settings.document, ["fleet.devices=9"]) == changed
    with pytest.raises(UsageError, match="names no time zone"):
        overridden(settings, ["fleet.start='2026-01-01T00:00:00'"])
