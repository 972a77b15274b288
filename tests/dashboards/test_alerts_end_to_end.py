"""From a failing device to a notification: real server, Prometheus and Alertmanager on the shipped configuration.

What is waited for is a fifteenth of what is shipped; event time runs faster still.
"""

import time
from typing import Any

import pytest

from tests.dashboards.processes import wait_until


def about(run: Any, site: str) -> list[dict[str, Any]]:
    """Notifications about a data center."""
    return [note for note in run.notes if note["groupLabels"].get("data_center") == site]


def names(note: dict[str, Any]) -> list[str]:
    """Names of the alerts of a notification."""
    return [alert["labels"]["alertname"] for alert in note["alerts"]]


@pytest.mark.slow
def test_a_cascade_reaches_the_webhook(run: Any) -> None:
    note = wait_until("a notification", lambda: about(run, run.story.device_site))[0]
    assert note["path"] == "/operators"
    assert note["groupLabels"].keys() == {"network", "company", "data_center"}
    assert names(note) == ["DeviceAboutToFail"]
    (alert,) = note["alerts"]
    assert alert["status"] == "firing"
    assert alert["labels"]["device"] == run.story.device
    assert alert["annotations"]["runbook_url"] == "docs/runbooks/device-about-to-fail.md"
    assert "runbooks" not in alert["labels"]


def test_a_site_outage_reaches_the_webhook_as_one_notification(run: Any) -> None:
    wait_until("a notification", lambda: about(run, run.story.site))
    time.sleep(6)  # longer than the group of the devices waits
    notes = about(run, run.story.site)
    assert [names(note) for note in notes] == [["SiteOutage"]]
    firing = run.prometheus.now(f'ALERTS{{alertname="DeviceAboutToFail",data_center="{run.story.site}"}}')
    assert len(firing) == 8, "the devices alert too, but only the site alert is sent"


def test_stale_devices_are_reported(run: Any) -> None:
    def is_notified() -> bool:
        return any("DevicesSilent" in names(note) for note in run.notes)

    wait_until("a notification of silence", is_notified)
