"""The alerting section, and its silences."""

from pathlib import Path

import pytest

from netops.alerting.settings import AlertSettings
from netops.alerting.silences import silenced
from netops.config.binding import bind, read_yaml
from netops.config.durations import DAY, HOUR, MINUTE
from netops.errors import UsageError

FILE = Path(__file__).parents[2] / "configurations" / "alerting.yaml"


def test_the_file_has_the_defaults_of_the_code():
    assert bind(AlertSettings, read_yaml(FILE), "alerting.yaml") == AlertSettings()


def test_the_cooldown_is_the_horizon_unless_it_is_set():
    assert AlertSettings().policy(0.4, 7 * MINUTE).cooldown == 7 * MINUTE
    assert bind(AlertSettings, {"cooldown": "1m", "for": 3}, "x").policy(0.4, 7 * MINUTE).cooldown == MINUTE
    assert AlertSettings().policy(0.4, 7 * MINUTE).expire == 7 * MINUTE
    assert bind(AlertSettings, {"expire": "1h"}, "x").policy(0.4, 7 * MINUTE).expire == HOUR
    assert AlertSettings().false_alarms_per_device_day == pytest.approx(1 / 7)


@pytest.mark.parametrize(
    ("budget", "horizon", "empty"), [(1.0, 10 * MINUTE, False), (1.0, 7 * DAY, True), (0.9, 7 * DAY, False)]
)
def test_a_budget_of_an_alarm_per_horizon_gives_a_warning(budget, horizon, empty):
    caution = AlertSettings(false_alarms_per_device_week=budget).budget_caution(horizon)
    assert ("excludes nothing" in caution, "7d" in caution) == (empty, empty)


def silences(**keys):
    window = {"from": "1970-01-02T00:00", "until": "1970-01-02T02:00"}
    return bind(AlertSettings, {"silences": [window | keys]}, "x").silences


@pytest.mark.parametrize(
    ("time", "holds"), [(DAY - 1, False), (DAY, True), (DAY + 2 * HOUR, False), (8 * DAY + HOUR, True)]
)
def test_a_window_repeats(time, holds):
    assert (silenced(silences(every="7d"), {"device": "a"}, time) is not None) == holds


def test_a_silence_holds_for_what_it_names():
    only = silences(data_center="east-*", device="core?")
    assert silenced(only, {"device": "core1", "data_center": "east-1"}, DAY)
    assert not silenced(only, {"device": "core1", "data_center": "west"}, DAY)
    assert not silenced(only, {"device": "core1"}, DAY)
    assert not silenced(only, {"device": "core12", "data_center": "east-1"}, DAY)


@pytest.mark.parametrize(
    "wrong", [{"from": "soon"}, {"until": "1970-01-01"}, {"every": "1h"}, {"site": "x"}, {"from": None}]
)
def test_impossible_silences_are_refused(wrong):
    with pytest.raises(UsageError):
        silences(**wrong)
