"""Schedules as the command keeps them; cron as cron means it; a network that goes on in time."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from netops.cli.main import run
from netops.config.durations import HOUR, SECOND
from netops.errors import UsageError
from netops.simulator.fleet_settings import FleetSettings
from netops.tracking.database import cron
from netops.workflows.stages import continuation

pytestmark = pytest.mark.usefixtures("database")

MONDAY = 1_767_571_200 * SECOND  # 2026-01-05T00:00:00Z


def due(expression: str, after: int = MONDAY) -> str:
    moment = cron.next_after(cron.normal(expression), after)
    return f"{datetime.fromtimestamp(moment // SECOND, UTC):%a %Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("expression", "when"),
    [
        ("0 3 * * *", "Mon 2026-01-05 03:00:00"),
        ("0 0 * * *", "Tue 2026-01-06 00:00:00"),
        ("*/15 * * * *", "Mon 2026-01-05 00:15:00"),
        ("0 3 * * 0", "Sun 2026-01-11 03:00:00"),
        ("0 3 * * 7", "Sun 2026-01-11 03:00:00"),
        ("0 3 * * 1", "Mon 2026-01-05 03:00:00"),
        ("0 3 * * 2-4", "Tue 2026-01-06 03:00:00"),
        ("0 3 * * 5-7", "Fri 2026-01-09 03:00:00"),
        ("0 3 * * sat,sun", "Sat 2026-01-10 03:00:00"),
        ("0 0 29 2 *", "Tue 2028-02-29 00:00:00"),
        ("30 0 3 * * *", "Mon 2026-01-05 03:00:30"),
        ("0 3 1 * 1", "Mon 2026-01-05 03:00:00"),  # the first of a month, or a Monday
        ("0 3 6 * sun", "Tue 2026-01-06 03:00:00"),
        ("0 3 */2 * 3", "Wed 2026-01-07 03:00:00"),  # a step over all days restricts them: both hold
    ],
)
def test_an_expression_is_due_when_cron_says(expression, when) -> None:
    assert due(expression) == when


@pytest.mark.parametrize(
    "expression", ["", "0 3 * *", "61 * * * *", "0 3 * * mun", "x y z a b", "0 3 * * 5-1", "0 0 30 2 *"]
)
def test_a_wrong_expression_is_refused(expression) -> None:
    with pytest.raises(UsageError, match="--cron"):
        cron.normal(expression)


def call(capsys, *arguments):
    capsys.readouterr()
    code = run(["schedule", *arguments])
    return code, *capsys.readouterr()


def test_it_is_added_listed_and_removed(capsys) -> None:
    code, out, _ = call(capsys, "add", "--cron", "0 3 * * *", "--name", "core", "--json")
    assert code == 0
    added = json.loads(out)
    assert (added["name"], added["network"], added["workflow"]) == ("core-retrain", "core", "main")
    assert added["next"].endswith(" 03:00:00")
    assert [json.loads(line) for line in call(capsys, "list", "--json")[1].splitlines()] == [added]
    assert call(capsys, "remove", "core-retrain")[0] == 0
    assert call(capsys, "list", "--json")[1] == ""


def test_a_source_of_telemetry_makes_it_a_retraining_from_there(capsys, tmp_path) -> None:
    (tmp_path / "t.csv").write_text("")
    _, out, _ = call(capsys, "add", "--cron", "0 3 * * *", "--telemetry", str(tmp_path / "t.csv"), "--json")
    added = json.loads(out)
    assert (added["workflow"], added["telemetry"]) == ("retrain", str(tmp_path / "t.csv"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "--cron", "0 3 * * *", "--workflow", "retain"), "did you mean 'retrain'?"),
        (("add", "--cron", "0 3 * * *", "--workflow", "score"), "needs --telemetry"),
        (("add", "--cron", "nightly"), "--cron 'nightly'"),
        (("add", "--cron", "0 3 * * *", "--set", "fleet.devises=1"), "did you mean 'devices'?"),
        (("add", "--cron", "0 3 * * *", "--telemetry", "/no/such"), "no such file"),
        (("remove", "nothing"), "no schedule 'nothing'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(capsys, arguments, message) -> None:
    code, _, err = call(capsys, *arguments)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_name_that_is_taken_is_refused(capsys) -> None:
    assert call(capsys, "add", "--cron", "0 3 * * *")[0] == 0
    code, _, err = call(capsys, "add", "--cron", "0 4 * * *")
    assert (code, "exists already" in err) == (2, True)
    assert call(capsys, "add", "--cron", "0 4 * * *", "--as", "later")[0] == 0


def test_there_is_one_scheduler_at_a_time(capsys, home) -> None:
    from netops.scheduling.schedules import _alone

    with _alone():
        code, _, err = call(capsys, "start", "--once")
    assert code == 1
    assert "a scheduler is at work already" in err
    assert call(capsys, "start", "--once")[0] == 0


def generated(database, network, uid, state="completed", **results):
    database.store_run(
        {
            "metadata": {"name": "generate", "uid": uid, "project": "netops", "labels": {"network": network}},
            "status": {"state": state, "results": results},
        },
        uid,
        "netops",
    )


def test_a_network_continues_from_the_end_of_its_last_telemetry(database) -> None:
    fleet = FleetSettings(duration=10 * HOUR)
    assert continuation.period_of("new", fleet, continues=True) == (MONDAY, MONDAY)
    generated(database, "new", "g1", **continuation.describe(MONDAY, MONDAY, fleet))
    assert continuation.period_of("new", fleet, continues=False) == (MONDAY, MONDAY)
    assert continuation.period_of("new", fleet, continues=True) == (MONDAY + 10 * HOUR, MONDAY)
    later = continuation.describe(MONDAY + 10 * HOUR, MONDAY, fleet)
    generated(database, "new", "g2", "error", **later)
    assert continuation.period_of("new", fleet, continues=True) == (MONDAY + 10 * HOUR, MONDAY)
    generated(database, "new", "g3", **later)
    assert continuation.period_of("new", fleet, continues=True) == (MONDAY + 20 * HOUR, MONDAY)
    assert continuation.period_of("other", fleet, continues=True) == (MONDAY, MONDAY)


@pytest.mark.parametrize("moment", [MONDAY, MONDAY + 1, MONDAY + SECOND // 2])
def test_times_have_nanosecond_precision(moment) -> None:
    assert continuation.parse(continuation.write(moment)) == moment


@pytest.mark.timeout(900)
def test_a_service_keeps_it(monkeypatch) -> None:
    address = os.environ.get("NETOPS_TEST_MLRUN_API")
    if not address:
        pytest.skip("NETOPS_TEST_MLRUN_API names no MLRun service")
    monkeypatch.setenv("MLRUN_DBPATH", address)
    name = f"nightly-{os.getpid()}"

    def netops(*arguments: str) -> list[dict]:
        command = [sys.executable, "-m", "netops.cli.main", "schedule", *arguments, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    [added] = netops("add", "--cron", "0 3 * * *", "--name", "core", "--as", name)
    assert (added["name"], added["cron"], added["network"]) == (name, "0 3 * * *", "core")
    assert added["next"].endswith("03:00:00")
    assert added in netops("list")
    assert netops("remove", name) == [{"removed": name}]
    assert name not in {schedule["name"] for schedule in netops("list")}
