"""The scheduler by a clock that the test holds, and what is left of it when it is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

import pytest

from netops.cli.main import run
from netops.config.durations import HOUR, MINUTE, SECOND
from netops.errors import NetopsError
from netops.scheduling.scheduler import Scheduler
from tests.workflows.conftest import ONE_FAMILY

DAWN = 1_767_571_200 * SECOND  # 2026-01-05T00:00:00Z, a Monday


class Killed(BaseException):
    """Stands for the end of the process."""


@dataclass
class Launches:
    """Notes what it is asked to run; does what the test says."""

    takes: int = 0
    clock: list[int] = field(default_factory=lambda: [DAWN])
    outcomes: list = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    going: str | None = None

    def launch(self, document, run):
        self.begun.append(run)
        self.clock[0] += self.takes
        outcome = self.outcomes.pop(0) if self.outcomes else "completed"
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def busy(self, document):
        return self.going


@pytest.fixture
def launches():
    return Launches()


def document(retries=3):
    return {"workflow": "main", "arguments": {"name": "core"}, "retries": retries, "backoff": MINUTE}


@pytest.fixture
def scheduler(database, launches):
    return Scheduler(database, "netops", launches, lambda: launches.clock[0])


@pytest.fixture
def nightly(database):
    return lambda cron="0 3 * * *", name="nightly", retries=3: database.add_schedule(
        "netops", name, cron, document(retries), DAWN
    )


def the(database, name="nightly"):
    return next(schedule for schedule in database.schedules("netops") if schedule.name == name)


def test_nothing_runs_before_it_is_due(scheduler, launches, nightly) -> None:
    nightly()
    assert scheduler.step() == DAWN + 3 * HOUR
    launches.clock[0] = DAWN + 3 * HOUR - 1
    scheduler.step()
    assert launches.begun == []


def test_what_is_due_runs_once(scheduler, launches, nightly, database) -> None:
    nightly()
    launches.clock[0] = DAWN + 3 * HOUR
    assert scheduler.step() == DAWN + 27 * HOUR
    scheduler.step()
    assert len(launches.begun) == 1
    assert (the(database).last_run, the(database).last_state) == (launches.begun[0], "completed")


def test_missed_times_are_one_run(scheduler, launches, nightly) -> None:
    nightly()
    launches.clock[0] = DAWN + 24 * HOUR * 5
    assert scheduler.step() == DAWN + 24 * HOUR * 5 + 3 * HOUR
    assert len(launches.begun) == 1


def test_a_clock_that_was_ahead_does_not_park_a_schedule(scheduler, launches, nightly, database) -> None:
    nightly()
    launches.clock[0] = DAWN + 400 * 24 * HOUR
    scheduler.step()
    assert len(launches.begun) == 1
    launches.clock[0] = DAWN + 4 * HOUR
    assert scheduler.step() == DAWN + 27 * HOUR
    launches.clock[0] = DAWN + 27 * HOUR
    scheduler.step()
    assert len(launches.begun) == 2


def test_a_clock_that_was_ahead_does_not_park_a_retry(scheduler, launches, nightly) -> None:
    nightly()
    launches.clock[0] = DAWN + 400 * 24 * HOUR
    launches.outcomes = [NetopsError("no disk")]
    scheduler.step()
    launches.clock[0] = DAWN + 4 * HOUR
    scheduler.step()
    assert len(launches.begun) == 2


def test_a_run_that_lasts_longer_than_its_period_does_not_pile_up(scheduler, launches, nightly) -> None:
    nightly("*/5 * * * *")
    launches.takes = 12 * MINUTE
    launches.clock[0] = DAWN + 5 * MINUTE
    launches.outcomes = ["completed", "completed", Killed()]
    with pytest.raises(Killed):
        scheduler.step()
    # begun at 5, at 17 for 10 and 15, at 29 for 20 and 25
    assert len(launches.begun) == 3


def test_one_at_a_time_in_the_order_in_which_they_are_due(scheduler, launches, nightly, database) -> None:
    nightly("0 4 * * *", "late")
    nightly("0 3 * * *", "early")
    launches.clock[0] = DAWN + 5 * HOUR
    scheduler.step()
    assert [the(database, name).last_run for name in ("early", "late")] == launches.begun


def test_it_is_left_out_while_a_run_of_the_network_is_going(scheduler, launches, nightly, database) -> None:
    nightly()
    launches.clock[0], launches.going = DAWN + 3 * HOUR, "by-hand"
    assert scheduler.step() == DAWN + 27 * HOUR
    assert launches.begun == []
    assert the(database).last_state == "skipped"


def test_a_failure_is_tried_again_with_growing_pauses(scheduler, launches, nightly, database) -> None:
    nightly()
    launches.outcomes = [NetopsError("no space left")] * 2
    launches.clock[0] = DAWN + 3 * HOUR
    for pause in (1, 2):
        due = scheduler.step()
        assert due == launches.clock[0] + pause * MINUTE
        launches.clock[0] = due
    assert scheduler.step() == DAWN + 27 * HOUR
    assert len(launches.begun) == 3
    assert len(set(launches.begun)) == 1
    assert the(database).last_state == "completed"


def test_it_gives_up_in_the_end(scheduler, launches, nightly, database) -> None:
    nightly(retries=1)
    launches.outcomes = [NetopsError("no space left")] * 9
    launches.clock[0] = DAWN + 3 * HOUR
    launches.clock[0] = scheduler.step()
    assert scheduler.step() == DAWN + 27 * HOUR
    assert len(launches.begun) == 2
    assert the(database).last_state == "error"


@pytest.mark.parametrize("retries", [0, 3])
def test_a_killed_scheduler_resumes_its_run(database, launches, nightly, retries) -> None:
    nightly(retries=max(retries, 1))
    launches.clock[0] = DAWN + 3 * HOUR
    launches.outcomes = [Killed()]
    first = Scheduler(database, "netops", launches, lambda: launches.clock[0])
    with pytest.raises(Killed):
        first.step()
    second = Scheduler(database, "netops", launches, lambda: launches.clock[0])
    assert second.step() == DAWN + 27 * HOUR
    assert len(launches.begun) == 2
    assert len(set(launches.begun)) == 1


def test_a_run_that_always_ends_its_process_is_given_up(database, launches, nightly) -> None:
    nightly(retries=2)
    launches.clock[0] = DAWN + 3 * HOUR
    launches.outcomes = [Killed()] * 9
    for _ in range(3):
        with pytest.raises(Killed):
            Scheduler(database, "netops", launches, lambda: launches.clock[0]).step()
    assert Scheduler(database, "netops", launches, lambda: launches.clock[0]).step() == DAWN + 27 * HOUR
    assert the(database).last_state == "error"
    assert len(launches.begun) == 3


def test_killed_between_two_times_it_runs_what_was_due_once(database, launches, nightly) -> None:
    nightly()
    launches.clock[0] = DAWN + HOUR
    Scheduler(database, "netops", launches, lambda: launches.clock[0]).step()
    launches.clock[0] = DAWN + 4 * HOUR  # it was away at three
    Scheduler(database, "netops", launches, lambda: launches.clock[0]).step()
    Scheduler(database, "netops", launches, lambda: launches.clock[0]).step()
    assert len(launches.begun) == 1


def test_a_schedule_can_be_removed_while_it_runs(scheduler, launches, nightly, database) -> None:
    nightly()
    launches.clock[0] = DAWN + 3 * HOUR
    launches.launch = lambda document, run: database.delete_schedule("netops", "nightly") or "completed"
    assert scheduler.step() is None


def netops(capfd, *arguments):
    """Call the command in this process: what it printed and reported."""
    capfd.readouterr()
    assert run(arguments) == 0
    return capfd.readouterr()


@pytest.mark.slow
def test_a_real_scheduler_killed_and_started_again(tmp_path, monkeypatch, capfd) -> None:
    """Killed with SIGKILL in the middle of a run of a trigger that is due at one second only."""
    monkeypatch.setenv("NETOPS_HOME", str(tmp_path))
    monkeypatch.delenv("MLRUN_DBPATH", raising=False)
    from netops.scheduling import schedules
    from netops.workflows.settings import read_settings

    settings = read_settings(None, ONE_FAMILY)
    due = time.gmtime(time.time() + 6)
    cron = f"{due.tm_sec} {due.tm_min} {due.tm_hour} {due.tm_mday} {due.tm_mon} *"
    schedules.add(cron, "retrain", "core", settings)
    command = [sys.executable, "-m", "netops.cli.main", "schedule", "start"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as scheduler:
        for line in scheduler.stderr:
            if line.startswith("Build feature vectors"):
                break
        os.kill(scheduler.pid, signal.SIGKILL)
    again = netops(capfd, "schedule", "start", "--once")
    assert "Build feature vectors: skipped (already completed)" in again.err
    netops(capfd, "schedule", "start", "--once")
    [found] = [json.loads(line) for line in netops(capfd, "runs", "list", "--json").out.splitlines()]
    assert found["state"] == "completed"
    [schedule] = [json.loads(line) for line in netops(capfd, "schedule", "list", "--json").out.splitlines()]
    assert (schedule["last_run"], schedule["last_state"]) == (found["run_id"], "completed")


@pytest.mark.slow
def test_a_real_scheduler_killed_between_two_times_runs_what_was_due_once(tmp_path, monkeypatch) -> None:
    """Killed with SIGKILL while it waits; three times pass while it is away; the network goes on in time."""
    monkeypatch.setenv("NETOPS_HOME", str(tmp_path))
    monkeypatch.delenv("MLRUN_DBPATH", raising=False)
    from netops.scheduling import schedules
    from netops.workflows.records.runs import steps_of, workflows
    from netops.workflows.settings import read_settings

    schedules.add("0 3 * * *", "retrain", "core", read_settings(None, ONE_FAMILY))
    command = [sys.executable, "-m", "netops.cli.main", "schedule", "start"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as scheduler:
        lock = tmp_path / "scheduler.lock"
        while not lock.is_file() or lock.read_text().strip() != str(scheduler.pid):
            assert scheduler.poll() is None
            time.sleep(0.1)
        os.kill(scheduler.pid, signal.SIGKILL)
    database = schedules._database()
    for day in (1, 2):
        put_back(database, "core-retrain", days=3)
        assert schedules.start(once=True) > time.time_ns()
        assert schedules.start(once=True) > time.time_ns()
        assert len(workflows()) == day
    assert {run["status"]["state"] for run in workflows()} == {"completed"}
    second, first = (steps_of(run["metadata"]["uid"], "generate")[0]["status"]["results"] for run in workflows())
    assert second["start"] == first["until"]


def put_back(database, name: str, days: int) -> None:
    """Let a schedule stand as it would if nobody had looked at it for some days."""
    found = the(database, name)
    database.delete_schedule("netops", name)
    database.add_schedule("netops", name, found.cron, found.document, time.time_ns() - days * 24 * HOUR)


def test_a_run_that_fails_is_tried_again_and_is_in_the_list(database, tmp_path, capsys) -> None:
    from netops.scheduling import schedules
    from netops.workflows.settings import read_settings

    source = tmp_path / "telemetry.csv"
    source.write_text("")  # it is there, and holds nothing
    settings = read_settings(None, ONE_FAMILY)
    schedules.add("0 3 * * *", "retrain", "edge", settings, (str(source),), retries=1, backoff=SECOND // 100)
    put_back(database, "edge-retrain", days=1)
    again = schedules.start(once=True)
    assert again < time.time_ns() + HOUR
    time.sleep(0.1)
    assert schedules.start(once=True) > time.time_ns()
    capsys.readouterr()
    assert run(["runs", "list", "--json"]) == 0
    [row] = [row for row in map(json.loads, capsys.readouterr().out.splitlines()) if row["name"] == "edge"]
    assert (row["state"], "the file is empty" in row["error"]) == ("error", True)
    assert (the(database, "edge-retrain").last_run, the(database, "edge-retrain").last_state) == (
        row["run_id"],
        "error",
    )


def test_a_time_at_which_a_run_of_the_network_is_going_is_left_out(database) -> None:
    from netops.scheduling import schedules
    from netops.tracking.database.pipelines import RUNNER
    from netops.workflows.settings import read_settings

    schedules.add("0 3 * * *", "retrain", "busy", read_settings(None, ONE_FAMILY))
    put_back(database, "busy-retrain", days=1)
    document = {
        "metadata": {"name": "main", "uid": "by-hand", "project": "netops", "labels": dict(RUNNER), "iteration": 0},
        "spec": {"parameters": {"name": "busy"}},
        "status": {"state": "running"},
    }
    database.store_run(document, "by-hand", "netops")
    try:
        assert schedules.start(once=True) > time.time_ns()
    finally:
        database.abort_run("by-hand", "netops")
    assert (the(database, "busy-retrain").last_run, the(database, "busy-retrain").last_state) == (None, "skipped")
