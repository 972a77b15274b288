"""Every query of every dashboard, asked of a real Prometheus that has scraped a simulated network in service."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.grafana.__main__ import FOLDER
from tests.dashboards.boards import annotations_of, asked_of, filled, panels_of, targets_of, variables_of
from tests.dashboards.processes import DASHBOARDS, Prometheus, wait_until

BOARDS = sorted(FOLDER.glob("*.json"))


def choose(prometheus: Prometheus, board: dict[str, Any]) -> dict[str, str]:
    """Give each variable a value that its own query offers, as Grafana would."""
    chosen: dict[str, str] = {}
    for variable in variables_of(board):
        name = variable["name"]
        if variable["type"] == "textbox":
            chosen[name] = variable["query"]
            continue
        series, label = asked_of(variable["query"]["query"])
        found = prometheus.values_of(label, filled(series, chosen))
        assert found, f"{name}: {series} offers nothing"
        chosen[name] = variable.get("allValue") or found[0]
    return chosen


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_panel_has_data(path: Path, run: Any) -> None:
    board = json.loads(path.read_text())
    chosen, empty = choose(run.prometheus, board), []
    for panel in panels_of(board):
        for target in targets_of(panel):
            expr = filled(target["expr"], chosen)
            if not (run.prometheus.now(expr) if target.get("instant") else run.prometheus.lately(expr)):
                empty.append(f"{panel['title']}: {expr}")
    for note in annotations_of(board):
        if not run.prometheus.lately(filled(note["expr"], chosen)):
            empty.append(f"annotation {note['name']}")
    assert not empty, "without data:\n" + "\n".join(empty)


def test_every_name_in_the_rules_is_exported_or_recorded(run: Any) -> None:
    known, unknown = run.prometheus.names(), set()
    for file in (DASHBOARDS / "prometheus/rules").glob("*.yml"):
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                unknown |= set(re.findall(r"[a-z_:]*netops_[a-z0-9_:]+", rule["expr"])) - known
    assert not unknown


def test_the_fleet_shows_what_happened(run: Any) -> None:
    silent = {series["metric"]["device"] for series in run.prometheus.now('netops_alert_open{kind="silent"}')}
    assert silent == {run.story.quiet}
    alerting = f'netops_alert_open{{kind="risk",data_center="{run.story.site}"}}'
    wait_until("all devices of the site alert", lambda: len(run.prometheus.now(alerting)) == 8)
    outage = run.prometheus.now("data_center:netops_outage:now > 0")
    assert [series["metric"]["data_center"] for series in outage] == [run.story.site]


def test_requests_are_counted_by_status(run: Any) -> None:
    counted = {series["metric"]["code"] for series in run.prometheus.now("netops_request_seconds_count")}
    assert counted == {"200", "400"}
