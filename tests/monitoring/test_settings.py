"""The section, and its YAML."""

import pytest

from netops.config.binding import bind, read_yaml
from netops.errors import UsageError
from netops.monitoring.settings import MonitoringSettings
from netops.progress import shown_by, silent
from netops.workflows.project_folder import project_root


def test_the_file_has_the_defaults() -> None:
    path = project_root() / "configurations" / "monitoring.yaml"
    assert bind(MonitoringSettings, read_yaml(path), str(path)) == MonitoringSettings()


@pytest.mark.parametrize(("key", "value"), [("statistic", "psy"), ("window", "0s"), ("bins", 2), ("windows", "1d")])
def test_impossible_values_are_refused(key: str, value: object) -> None:
    with pytest.raises(UsageError, match=key):
        bind(MonitoringSettings, {key: value}, "monitoring.yaml")


def test_what_an_earlier_version_had_is_read_with_a_warning() -> None:
    lines: list[str] = []
    with shown_by(silent, lines.append):
        found = bind(MonitoringSettings, {"statistic": "hellinger", "detector": "adwin"}, "old.yaml")
    assert found == MonitoringSettings()
    assert lines == [
        "warn: old.yaml: 'detector' is ignored: concept drift is always detected by DDM",
        "warn: old.yaml: statistic: 'hellinger' is no longer available; 'psi' is used",
    ]
