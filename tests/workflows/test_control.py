"""Runs that are watched, canceled and taken up again, against the embedded database."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest

from netops.cli.main import run
from netops.cluster import watch
from netops.errors import NetopsError, UsageError
from netops.progress import shown_by, silent
from netops.registry import records
from netops.tracking.database.pipelines import RUNNER
from netops.workflows import control

from .conftest import ONE_FAMILY

SERVICE = "NETOPS_TEST_MLRUN_API"


def record(database, uid, state, name="retrain", labels=RUNNER, **status):
    now = datetime.now(UTC).isoformat()
    database.store_run(
        {
            "metadata": {"name": name, "uid": uid, "project": "netops", "labels": dict(labels), "iteration": 0},
            "spec": {"parameters": {"name": "core", "settings": "{}"}, "image": "r/netops:1"},
            "status": {"state": state, "start_time": now, **status},
        },
        uid,
        "netops",
    )


def watched(run_id, wait=lambda _: None):
    lines = []
    with shown_by(silent, lines.append):
        try:
            return watch.watch(run_id, wait), lines
        except NetopsError as error:
            return str(error), lines


def test_a_run_is_followed_to_its_end(database) -> None:
    record(database, "w1", "running")
    step = {"workflow": "w1"}

    def wait(_seconds):
        if not waits:
            record(database, "s1", "running", "features", step)
        else:
            record(database, "s1", "completed", "features", step)
            record(database, "w1", "completed")
        waits.append(1)

    waits = []
    assert watched("w1", wait) == (
        "succeeded",
        ["Build feature vectors: running", "Build feature vectors: done in 0 s"],
    )


def test_a_run_that_fails_says_which_step_and_why(database) -> None:
    record(database, "w2", "error", error="failed")
    record(database, "s2", "error", "train-xgboost", {"workflow": "w2"}, error="no space left on device")
    end, _ = watched("w2")
    assert end == "run w2 failed: train-xgboost: no space left on device"


def test_a_step_without_its_image_says_what_to_do(database) -> None:
    record(database, "w3", "error")
    record(database, "s3", "aborted", "features", {"workflow": "w3"}, status_text="image_pull_backoff for 15m")
    assert "cannot get image r/netops:1: push it" in watched("w3")[0]


def test_a_run_that_is_not_there(database) -> None:
    assert "not found" in watched("nowhere")[0]


def test_only_a_run_that_is_going_is_canceled(database) -> None:
    record(database, "done", "completed")
    with pytest.raises(UsageError, match="run done is completed"):
        control.cancel("done")
    with pytest.raises(UsageError, match="no run begins with 'zzz'"):
        control.cancel("zzz")


def test_a_run_that_ends_while_it_is_canceled_has_ended(database, monkeypatch) -> None:
    """Its process, which may be a scheduler that continues, gets no signal; its model may be promoted."""
    record(database, "ends", "running")
    signals = []
    monkeypatch.setattr(control, "_process_of", lambda _: record(database, "ends", "completed"))
    monkeypatch.setattr(control.os, "kill", lambda _pid, number: signals.append(number))
    with pytest.raises(UsageError, match="run ends has ended meanwhile"):
        control.cancel("ends")
    assert set(signals) <= {0}  # 0 asks whether a process is there
    assert database.read_run("ends", "netops")["status"]["state"] == "completed"
    assert "ends" not in records.read("core").canceled


@pytest.mark.slow
def test_a_canceled_run_whose_step_ends_first_is_stopped_by_the_signal(home, database, monkeypatch) -> None:
    options = [part for key in ONE_FAMILY for part in ("--set", key)]
    command = [sys.executable, "-m", "netops.cli.main", "run", "--name", "late", *options]
    kill, shown = os.kill, []

    def after_the_next_step(pid, number):
        if number == signal.SIGTERM:
            shown.append(process.stderr.readline())
            time.sleep(0.5)
        kill(pid, number)

    with started(command, stderr=subprocess.PIPE) as process:
        for line in process.stderr:
            if line.startswith("Build feature vectors"):
                break
        [going] = database.list_runs(project="netops", labels=RUNNER, states=["running"])
        monkeypatch.setattr(control.os, "kill", after_the_next_step)
        assert run(["runs", "cancel", going["metadata"]["uid"]]) == 0
        process.wait(60)
        rest = process.stderr.read()
    assert shown[0].startswith("Train")
    assert (process.returncode, rest.strip()) == (130, f"netops: run {going['metadata']['uid'][:12]} is canceled")
    assert database.read_run(going["metadata"]["uid"], "netops")["status"]["state"] == "aborted"


@pytest.mark.slow
def test_a_run_of_another_process_is_canceled_and_taken_up_again(home, database, capsys) -> None:
    options = [part for key in ONE_FAMILY for part in ("--set", key)]
    command = [sys.executable, "-m", "netops.cli.main", "run", "--name", "edge", *options]
    # As a script starts it with &: SIGINT is ignored.
    ignored = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)}
    with started(command, stderr=subprocess.PIPE, **ignored) as process:
        for line in process.stderr:
            if line.startswith("Build feature vectors"):
                break
        [going] = database.list_runs(project="netops", labels=RUNNER, states=["running"])
        run_id = going["metadata"]["uid"]
        assert run(["runs", "cancel", run_id[:10]]) == 0
        process.wait(60)
    assert process.returncode == 130
    assert database.read_run(run_id, "netops")["status"]["state"] == "aborted"
    capsys.readouterr()
    assert run(["runs", "retry", run_id, "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["state"] == "completed"
    assert "Build feature vectors: skipped (already completed)" in shown.err
    assert database.read_run(run_id, "netops")["status"]["state"] == "completed"


@pytest.mark.parametrize(("state", "error"), [("completed", ""), ("error", "no space left"), ("aborted", "")])
def test_runs_of_kubeflow_are_shown_like_any_other(database, state, error) -> None:
    from netops.cluster.kubeflow import run_of
    from netops.workflows.records.runs import describe, find

    record(database, f"k-{state}", state, "netops-retrain", error=error)
    reported = database.get_pipeline(f"k-{state}", project="netops")["run"]
    there, here = describe(run_of(reported)), describe(find(f"k-{state}"))
    assert there == here | {"name": "", "workflow": "retrain", "seconds": there["seconds"]}


@pytest.mark.timeout(900)
def test_a_local_run_that_a_service_has_on_record(home, monkeypatch, capsys) -> None:
    """Canceled while another process runs it, and taken up again from the stage that was going."""
    address = os.environ.get(SERVICE)
    if not address:
        pytest.skip(f"{SERVICE} names no MLRun service")
    monkeypatch.setenv("MLRUN_DBPATH", address)
    network = f"edge-{os.getpid()}"
    options = [part for key in ONE_FAMILY for part in ("--set", key)]
    command = [sys.executable, "-m", "netops.cli.main", "run", "--name", network, *options]
    with started(command, stderr=subprocess.PIPE) as process:
        for line in process.stderr:
            if line.startswith("Build feature vectors"):
                break
        os.kill(process.pid, signal.SIGSTOP)  # it must not end before the commands below have started
        [going] = [row for row in reported("runs", "list") if (row["name"], row["state"]) == (network, "running")]
        cancel = [sys.executable, "-m", "netops.cli.main", "runs", "cancel", going["run_id"][:10]]
        with started(cancel, stdout=subprocess.PIPE) as canceling:
            record = f"{address}/api/v1/run/netops/{going['run_id']}"
            while canceling.poll() is None and httpx.get(record).json()["data"]["status"]["state"] != "aborted":
                time.sleep(0.2)
            os.kill(process.pid, signal.SIGCONT)
            assert "its process has ended" in canceling.stdout.read()
        process.wait(60)
    assert process.returncode == 130
    [stopped] = [row for row in reported("runs", "list") if row["run_id"] == going["run_id"]]
    assert stopped["state"] == "canceled"
    again = netops("runs", "retry", going["run_id"][:10], "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["state"] == "completed"
    assert "Build feature vectors: skipped (already completed)" in again.stderr


@contextmanager
def started(command, **more):
    """Start a process that does not outlive a test that fails."""
    with subprocess.Popen(command, text=True, **more) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def netops(*arguments):
    command = [sys.executable, "-m", "netops.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def output(*verb):
    done = netops(*verb)
    assert done.returncode == 0, done.stderr
    return done.stdout


def reported(*verb):
    return [json.loads(line) for line in output(*verb, "--json").splitlines()]
