"""The telemetry section: the file says what the code does."""

from pathlib import Path

import pytest

from netops.config.binding import bind, read_yaml
from netops.errors import UsageError
from netops.telemetry.settings import TelemetrySettings

FILE = Path(__file__).parents[2] / "configurations" / "telemetry.yaml"


def test_the_file_holds_the_defaults() -> None:
    assert bind(TelemetrySettings, read_yaml(FILE), str(FILE)) == TelemetrySettings()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"times": ["t"]}, "unknown key 'times'; did you mean 'time'"),
        ({"checks": {"gaps": "ignore"}}, "checks: gaps: 'ignore' is not allowed"),
        ({"checks": {"bounds": {"cpu": [0, "x"]}}}, "expected a number, found 'x'"),
        ({"min_device_share": 2}, "2.0 is above 1.0"),
        ({"prometheus": {"step": "0s"}}, "must be more than zero"),
        ({"prometheus": {"metrics": ["cpu"]}}, "expected keys and values"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, object], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        bind(TelemetrySettings, values, "telemetry.yaml")


def test_auto_may_be_written_as_a_word() -> None:
    assert bind(TelemetrySettings, {"counters": "auto"}, "telemetry.yaml").counters == ("auto",)
