"""Prometheus' configuration and rules, checked by its own tool, and by what promtool does not look at."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dashboards.processes import DASHBOARDS

PROMETHEUS = DASHBOARDS / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
UNIT_TESTS = sorted((Path(__file__).parent / "rules").glob("*.yml"))
DOCS = DASHBOARDS.parent / "docs"


def rules(kind: str) -> list[dict[str, Any]]:
    """List the rules that have a key: ``alert`` or ``record``."""
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


def check(*command: str) -> None:
    """Run a checking tool; its output is the message of a failed test."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_is_valid(require_program: Callable[..., str]) -> None:
    # The token is a file of the container: only the syntax can be checked here.
    check(require_program("promtool"), "check", "config", "--syntax-only", str(PROMETHEUS / "prometheus.yml"))


def test_the_rules_are_valid(require_program: Callable[..., str]) -> None:
    check(require_program("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *map(str, RULES))


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_rules_do_what_they_should(path: Path, require_program: Callable[..., str]) -> None:
    check(require_program("promtool"), "test", "rules", str(path))


def test_every_alert_has_a_unit_test() -> None:
    tested = " ".join(path.read_text() for path in UNIT_TESTS)
    missing = [
        rule["alert"] for rule in rules("alert") if f"alertname: {rule['alert']}\n        exp_alerts" not in tested
    ]
    assert not missing


@pytest.mark.parametrize("rule", rules("alert"), ids=lambda rule: rule["alert"])
def test_an_alert_has_instructions(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["labels"]["team"] in ("operators", "platform")
    notes = rule["annotations"]
    assert notes.keys() == {"summary", "description", "runbook_url", "dashboard"}
    found = re.fullmatch(r"\{\{ \$externalLabels\.runbooks \}\}/([\w-]+\.md)", notes["runbook_url"])
    assert found, "the base of runbook links is configured in one place"
    runbook = DOCS / "runbooks" / found.group(1)
    assert runbook.exists()
    assert rule["alert"] in runbook.read_text().splitlines()[0]


def test_runbook_links_lead_into_the_repository() -> None:
    base = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["global"]["external_labels"]["runbooks"]
    assert (DASHBOARDS.parent / base).is_dir()


def test_no_runbook_is_left_over() -> None:
    linked = {re.sub(r".*/", "", rule["annotations"]["runbook_url"]) for rule in rules("alert")}
    assert {path.name for path in (DOCS / "runbooks").glob("*.md")} == linked


def test_recording_rules_name_level_metric_and_operation() -> None:
    for rule in rules("record"):
        assert re.fullmatch(r"[a-z_]+:netops_[a-z_]+:[a-z0-9_]+", rule["record"])
