"""Columns are distinguished by their names."""

import pytest

from netops.errors import NetopsError, brief
from netops.telemetry.columns.roles import layout_of, matches
from netops.telemetry.settings import TelemetrySettings

SETTINGS = TelemetrySettings()


def test_each_name_has_one_part_to_play() -> None:
    names = ["", "ts", "Time", "host", "Node", "cpu", "cpu_is_error", "label", "is_error", "Unnamed: 0.1"]
    layout = layout_of(names, SETTINGS, "t.csv")
    assert (layout.time, layout.device) == ("Time", "Node")
    assert layout.flags == {"is_error": "is_error", "cpu_is_error": "cpu_is_error"}
    assert layout.values == ("ts", "host", "cpu")
    assert set(layout.ignored) == {"", "Unnamed: 0.1", "label"}


def test_configured_names_precede_the_usual_ones() -> None:
    layout = layout_of(["index", "time", "cpu"], TelemetrySettings(time=("index",)), "t.csv")
    assert (layout.time, layout.values) == ("index", ("time", "cpu"))


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(NetopsError, match=r"^t.csv: two columns are named 'cpu'"):
        layout_of(["time", "cpu", "cpu"], SETTINGS, "t.csv")


def test_globs_match_literally_too() -> None:
    assert matches("rate[1m]", ["rate[1m]"])
    assert matches("cpu_user", ["cpu*"])
    assert not matches("CPU", ["cpu"])


def test_long_lists_are_cut() -> None:
    assert brief(["", "a"]) == "'', a"
    assert brief([f"c{n}" for n in range(10)]).endswith("c7, … (10 in all)")
