"""Runs in one process: what a change leaves alone."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def database(embedded, tmp_path) -> Iterator[Any]:
    from netops.tracking.database import open_database

    opened = open_database(tmp_path / "netops.db")
    yield opened
    opened.close()


def stored(database, uid: str, state: str = "running", iteration: int = 0, **status: Any) -> None:
    run = {"metadata": {"name": "r", "uid": uid, "iteration": iteration}, "status": {"state": state, **status}}
    database.store_run(run, uid, "p", iteration)


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
    gone = uri.replace("model:", "deleted:")
    stored(database, "r", "completed", artifact_uris={"deleted": gone, "model": uri})
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
