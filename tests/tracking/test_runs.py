"""Runs in one process: what a change leaves alone."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from netops.tracking.processes import Process, this_process


@pytest.fixture
def database(embedded, tmp_path) -> Iterator[Any]:
    from netops.tracking.database.embedded import open_database

    opened = open_database(tmp_path / "netops.db")
    yield opened
    opened.close()


def stored(database, uid: str, state: str = "running", iteration: int = 0, **status: Any) -> None:
    run = {"metadata": {"name": "r", "uid": uid, "iteration": iteration}, "status": {"state": state, **status}}
    database.store_run(run, uid, "p", iteration)


def ago(**time: float) -> str:
    return (datetime.now(UTC) - timedelta(**time)).isoformat()


def uids(runs: list[Any]) -> list[str]:
    return [run["metadata"]["uid"] for run in runs]


@pytest.fixture
def as_process(monkeypatch):
    """Have changes come from another process than this one."""

    def become(process: Process) -> Process:
        monkeypatch.setattr("netops.tracking.database.runs.this_process", lambda: process)
        return process

    return become


def ended_process() -> Process:
    child = subprocess.Popen(["true"])
    child.wait()
    return replace(this_process(), pid=child.pid, started="")


def test_a_run_that_has_ended_is_released_and_no_other(database):
    stored(database, "running")
    for uid in ("ended", "other"):
        stored(database, uid, "completed")
    database.release_run("running", "p")
    database.release_run("ended", "p")
    assert database.process_of("ended", "p") is None
    assert None not in (database.process_of("running", "p"), database.process_of("other", "p"))


def test_a_run_is_released_as_a_whole_not_by_its_iteration(database):
    stored(database, "r")
    stored(database, "r", "completed", iteration=1)
    database.release_run("r", "p")
    assert database.process_of("r", "p") is not None


def test_a_run_at_work_is_not_deleted(database):
    import mlrun

    stored(database, "r")
    with pytest.raises(mlrun.errors.MLRunBadRequestError, match="run r is running: abort it before it is deleted"):
        database.del_run("r", "p")
    with pytest.raises(mlrun.errors.MLRunBadRequestError, match="run r is running"):
        database.del_runs(project="p")
    assert database.read_run("r", "p")["status"]["state"] == "running"


def test_the_first_end_of_a_run_stays_until_it_is_taken_up_again(database):
    end = "2026-01-05T00:00:00+00:00"
    stored(database, "r", "completed", end_time=end)
    stored(database, "r", "completed", end_time="2026-01-06T00:00:00+00:00")
    assert database.read_run("r", "p")["status"]["end_time"] == end
    database.update_run({"status.results": {"x": 1}}, "r", "p")
    assert database.read_run("r", "p")["status"]["end_time"] == end
    stored(database, "r", "running")
    assert "end_time" not in database.read_run("r", "p")["status"]


def test_iterations_are_listed_only_when_they_are_asked_for(database):
    stored(database, "r")
    stored(database, "r", "completed", iteration=1)
    assert len(database.list_runs(project="p", name="r")) == 1
    assert len(database.list_runs(project="p", name="r", iter=True)) == 2
    assert database.read_run("r", "p", iter=1)["status"]["state"] == "completed"


def test_all_groups_are_listed_unless_their_number_is_limited(database):
    for name in ("a", "b", "c"):
        database.store_run({"metadata": {"name": name, "uid": name}, "status": {}}, name, "p")
    parted = {"project": "p", "partition_by": "name", "partition_sort_by": "updated"}
    assert len(database.list_runs(**parted)) == 3
    assert [found["metadata"]["name"] for found in database.list_runs(**parted, max_partitions=2)] == ["c", "b"]


def test_only_the_full_format_of_a_run_holds_its_artifacts(database):
    import mlrun

    uri = "store://artifacts/p/model:latest"
    database.store_artifact(
        "model", {"kind": "model", "metadata": {"key": "model"}, "spec": {}}, project="p", tree="t"
    )
    deleted = uri.replace("model:", "deleted:")
    stored(database, "r", "completed", artifact_uris={"deleted": deleted, "model": uri})
    standard = mlrun.common.formatters.RunFormat.standard
    assert "artifacts" not in database.read_run("r", "p", format_=standard)["status"]
    (artifact,) = database.read_run("r", "p")["status"]["artifacts"]
    assert artifact["metadata"]["key"] == "model"


def test_a_run_is_aborted_as_a_whole(database):
    stored(database, "r")
    stored(database, "r", iteration=1)
    database.abort_run("r", "p")
    states = [database.read_run("r", "p", iter=iteration)["status"]["state"] for iteration in (0, 1)]
    assert states == ["aborted", "running"]


def test_the_reason_of_an_abort_is_with_the_run(database):
    for uid, text in (("a", ""), ("b", "too slow")):
        stored(database, uid)
        database.abort_run(uid, "p", status_text=text)
    texts = [database.read_run(uid, "p")["status"]["status_text"] for uid in ("a", "b")]
    assert texts == ["aborted on demand", "too slow"]


def test_a_run_that_has_ended_cannot_be_aborted(database):
    import mlrun

    stored(database, "r", "completed")
    with pytest.raises(mlrun.errors.MLRunConflictError, match="run r is completed already and cannot be aborted"):
        database.abort_run("r", "p")
    assert database.read_run("r", "p")["status"]["state"] == "completed"


def test_an_aborted_run_stays_so_until_it_is_released(database):
    stored(database, "r")
    database.abort_run("r", "p")
    stored(database, "r", "completed")
    assert database.read_run("r", "p")["status"]["state"] == "aborted"
    database.release_run("r", "p")
    stored(database, "r", "running")
    assert database.read_run("r", "p")["status"]["state"] == "running"


def test_a_run_belongs_to_the_process_that_began_it_until_it_is_released(database, as_process):
    stored(database, "r")
    other = as_process(replace(this_process(), pid=4711))
    stored(database, "r", "completed")
    assert database.process_of("r", "p") == this_process()
    database.release_run("r", "p")
    stored(database, "r", "running")
    assert database.process_of("r", "p") == other


def test_runs_of_a_process_that_has_ended_are_aborted_and_free(database, as_process):
    for uid in ("living", "done"):
        stored(database, uid, "running" if uid == "living" else "completed")
    assert database.abort_abandoned_runs() == []
    dead = as_process(ended_process())
    stored(database, "b")
    stored(database, "a")
    stored(database, "a", iteration=1)
    stored(database, "ended", "completed")
    as_process(this_process())
    assert database.abort_abandoned_runs() == ["a", "b"]
    for uid, iteration in (("a", 0), ("a", 1), ("b", 0)):
        status = database.read_run(uid, "p", iteration)["status"]
        assert (status["state"], status["status_text"]) == (
            "aborted",
            f"its process ({dead.pid}) ended before the run did",
        )
        assert status["end_time"]
    assert (database.process_of("a", "p"), database.process_of("ended", "p")) == (None, dead)
    assert database.process_of("living", "p") == this_process()
    assert database.read_run("living", "p")["status"]["state"] == "running"
    assert database.abort_abandoned_runs() == []


def test_a_run_keeps_its_name(database):
    import mlrun

    stored(database, "r")
    with pytest.raises(mlrun.errors.MLRunBadRequestError, match=r"run r \(r\) cannot be renamed to 's'"):
        database.store_run({"metadata": {"name": "s"}, "status": {"state": "completed"}}, "r", "p")
    assert database.read_run("r", "p")["status"]["state"] == "running"


def test_a_run_without_a_state_is_created_and_starts_now(database):
    before = ago()
    database.store_run({"metadata": {"name": "r"}}, "r", "p")
    status = database.read_run("r", "p")["status"]
    assert status["state"] == "created"
    assert before <= status["start_time"] == status["last_update"] <= ago()
    assert "end_time" not in status


def test_the_start_of_a_run_stays_unless_another_is_given(database):
    start, later = ago(hours=2), ago(hours=1)
    stored(database, "r", start_time=start)
    stored(database, "r")
    assert database.read_run("r", "p")["status"]["start_time"] == start
    stored(database, "r", start_time=later)
    assert database.read_run("r", "p")["status"]["start_time"] == later


def test_the_end_of_a_run_is_the_one_given_else_now(database):
    end, before = ago(hours=1), ago()
    stored(database, "r", "completed", end_time=end)
    stored(database, "s", "completed")
    assert database.read_run("r", "p")["status"]["end_time"] == end
    assert before <= database.read_run("s", "p")["status"]["end_time"] <= ago()


def test_an_iteration_is_stored_changed_and_aborted_without_its_run(database):
    for iteration in (0, 1, 2):
        stored(database, "r", iteration=iteration)
    database.update_run({"status.results": {"x": 1}}, "r", "p", 1)
    database.update_run({"status.results": {"x": 0}}, "r", "p")
    database.abort_run("r", "p", 2)
    statuses = [database.read_run("r", "p", iteration)["status"] for iteration in (0, 1, 2)]
    assert [status.get("results") for status in statuses] == [{"x": 0}, {"x": 1}, None]
    assert [status["state"] for status in statuses] == ["running", "running", "aborted"]
    assert database.read_run("r", "p", None)["status"]["results"] == {"x": 0}, "no iteration is that of the run"


def test_the_list_without_filters_is_of_a_week(database):
    for uid, days in (("old", 7.5), ("new", 6.5)):
        run = {"metadata": {"name": uid, "uid": uid}, "status": {"start_time": ago(days=days)}}
        database.store_run(run, uid, "p")
    assert uids(database.list_runs(project="p")) == ["new"]
    assert uids(database.list_runs(project="p", states=["created"])) == ["new", "old"]
    assert uids(database.list_runs(project="p", end_time_to=ago(days=1))) == []


@pytest.mark.parametrize(
    "filters",
    [
        {"name": "r"},
        {"uid": ["a", "b"]},
        {"labels": "x"},
        {"states": ["running"]},
        {"start_time_from": "1970-01-02"},
        {"start_time_to": "2100-01-01"},
        {"last_update_time_from": "1970-01-02"},
        {"last_update_time_to": "2100-01-01"},
        {"iter": True},
    ],
)
def test_any_filter_lists_all_runs_of_a_name(database, filters):
    for uid in ("a", "b"):
        database.store_run(
            {"metadata": {"name": "r", "uid": uid, "labels": {"x": "1"}}, "status": {"state": "running"}}, uid, "p"
        )
    assert uids(database.list_runs(project="p", **filters)) == ["b", "a"]
    assert uids(database.list_runs(project="p")) == ["b"]


def test_runs_are_listed_by_their_start_the_latest_first(database):
    for uid, hours in (("second", 2), ("third", 1), ("first", 3)):
        stored(database, uid, start_time=ago(hours=hours))
    assert uids(database.list_runs(project="p", name="r")) == ["third", "second", "first"]


def test_a_group_lists_its_newest_run(database):
    import mlrun

    for uid, hours in (("a", 1), ("b", 3), ("c", 2)):
        stored(database, uid, start_time=ago(hours=hours))
    started, updated = (
        {"project": "p", "partition_by": "name", "partition_sort_by": by} for by in ("created", "updated")
    )
    assert uids(database.list_runs(**started)) == ["a"]
    assert uids(database.list_runs(**updated)) == ["c"]
    assert uids(database.list_runs(**started, partition_order="asc")) == ["b"]
    assert uids(database.list_runs(**started, rows_per_partition=2)) == ["a", "c"]
    with pytest.raises(mlrun.errors.MLRunBadRequestError, match="partition_by needs partition_sort_by"):
        database.list_runs(project="p", partition_by="name")


def test_no_run_is_listed_for_its_notifications(database):
    stored(database, "r")
    assert database.list_runs(project="p", name="r", with_notifications=True) == []


def test_a_run_is_deleted_with_its_iterations_and_its_log_and_nothing_else_is(database):
    import mlrun

    for uid in ("r", "s"):
        for iteration in (0, 1):
            stored(database, uid, "completed", iteration)
        database.store_log(uid, "p", uid.encode())
    database.store_run({"metadata": {"name": "r"}, "status": {"state": "completed"}}, "r", "q")
    database.del_run("r", "p")
    database.del_run("unknown", "p")
    for iteration in (0, 1):
        with pytest.raises(mlrun.errors.MLRunNotFoundError):
            database.read_run("r", "p", iteration)
        assert database.read_run("s", "p", iteration)
    assert (database.get_log_size("r", "p"), database.get_log("s", "p")) == (0, ("completed", b"s"))
    assert database.read_run("r", "q")


def test_runs_that_started_since_some_days_are_deleted_with_their_iterations(database):
    for uid, days in (("old", 3.5), ("new", 2.5)):
        for iteration in (0, 1):
            stored(database, uid, "completed", iteration, start_time=ago(days=days))
    database.del_runs(project="p", days_ago=3)
    assert uids(database.list_runs(project="p", name="r", iter=True)) == ["old", "old"]
    database.del_runs(project="p")
    assert uids(database.list_runs(project="p", name="r", iter=True)) == []


def test_a_log_without_a_run_has_no_state(database):
    database.store_log("r", "p", b"x")
    assert database.get_log("r", "p") == ("unknown", b"x")
