"""The section, and its YAML."""

import pytest

from netops.config.binding import bind, read_yaml
from netops.errors import UsageError
from netops.monitoring.settings import MonitoringSettings
from netops.workflows.project_folder import project_root


def test_the_file_has_the_defaults() -> None:
    path = project_root() / "configurations" / "monitoring.yaml"
    assert bind(MonitoringSettings, read_yaml(path), str(path)) == MonitoringSettings()


@pytest.mark.parametrize(
    ("key", "value"), [("statistic", "psy"), ("detector", "dmd"), ("window", "0s"), ("bins", 2), ("windows", "1d")]
)
def test_impossible_values_are_refused(key: str, value: object) -> None:
    with pytest.raises(UsageError, match=key):
        bind(MonitoringSettings, {key: value}, "monitoring.yaml")
