"""Routing and inhibition of alerts, checked with amtool and Alertmanager."""

import json
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.dashboards.processes import DASHBOARDS, get, wait_until, webhook
from tests.dashboards.stack import alertmanager
from tests.dashboards.test_rules import check, rules

CONFIG = str(DASHBOARDS / "alertmanager" / "alertmanager.yml")
SITE = {"network": "demo", "company": "acme", "data_center": "ams"}


def alert(name: str, **labels: str) -> dict[str, str]:
    """Make the labels of an alert of a device's site."""
    return {"alertname": name, **SITE, **labels}


def test_the_configuration_is_valid(require_program: Callable[..., str]) -> None:
    check(require_program("amtool"), "check-config", CONFIG)


@pytest.mark.parametrize("rule", rules("alert"), ids=lambda rule: rule["alert"])
def test_each_alert_reaches_its_team(rule: dict[str, Any], require_program: Callable[..., str]) -> None:
    labels = {"alertname": rule["alert"], **rule["labels"]}
    asked = [f"{name}={value}" for name, value in labels.items()]
    command = [require_program("amtool"), "config", "routes", "test", f"--config.file={CONFIG}", *asked]
    reported = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    assert reported == rule["labels"]["team"]


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory, require_program: Callable[..., str]) -> Iterator[str]:
    """An Alertmanager on the shipped configuration."""
    program = require_program("prometheus-alertmanager", "alertmanager")
    with webhook() as (receiver, _), alertmanager(program, tmp_path_factory.mktemp("am") / "am", receiver) as url:
        yield url


CASES = {
    "the site over its devices": (
        [alert("SiteOutage"), alert("DeviceAboutToFail", device="ams-1"), alert("DevicesSilent")],
        {"DeviceAboutToFail", "DevicesSilent"},
    ),
    "the site, as the server itself calls it": (
        [alert("SiteAboutToFail", alert="1"), alert("DeviceAboutToFail", device="ams-1", alert="2")],
        {"DeviceAboutToFail"},
    ),
    "not over the devices of another site": (
        [alert("SiteOutage"), alert("DeviceAboutToFail", device="fra-1", data_center="fra")],
        set(),
    ),
    "nor over those of another network": (
        [alert("SiteOutage"), alert("DeviceAboutToFail", device="ams-1", network="other")],
        set(),
    ),
    "a company over its sites and devices": (
        [alert("SiteOutage", data_center=""), alert("SiteOutage"), alert("DeviceAboutToFail", data_center="fra")],
        {"SiteOutage ams", "DeviceAboutToFail"},
    ),
    "the service over what it measures": (
        [{"alertname": name, "network": "demo"} for name in ("ServiceDown", "NoTelemetry", "ServiceSlow")],
        {"NoTelemetry", "ServiceSlow"},
    ),
    "missing telemetry over missing devices": (
        [{"alertname": "NoTelemetry", "network": "demo"}, alert("DevicesSilent")],
        {"DevicesSilent"},
    ),
}


@pytest.mark.parametrize(("sent", "muted"), CASES.values(), ids=CASES)
def test_inhibition(sent: list[dict[str, str]], muted: set[str], manager: str, request: Any) -> None:
    marked = [{"labels": {**labels, "network": f"{labels['network']} {request.node.name}"}} for labels in sent]
    body = json.dumps(marked).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(f"{manager}/api/v2/alerts", body, headers), timeout=5).close()

    def known() -> list[dict[str, Any]]:
        return [each for each in get(f"{manager}/api/v2/alerts") if request.node.name in each["labels"]["network"]]

    wait_until("the alerts", lambda: len(known()) == len(sent))
    found = {_name(each["labels"]) for each in known() if each["status"]["inhibitedBy"]}
    assert found == muted


def _name(labels: dict[str, str]) -> str:
    name, site = labels["alertname"], labels.get("data_center")
    return f"{name} {site}" if name.startswith("Site") and site else name
