"""One file, many threads and processes, and what can go wrong with a file."""

import multiprocessing
import os
import resource
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from netops.errors import NetopsError
from netops.tracking.database import tables

DATA = Path(__file__).parent / "data"
fork = multiprocessing.get_context("fork")  # MLRun takes seconds to import: the children have it already


@pytest.fixture
def path(embedded, tmp_path) -> Path:
    return tmp_path / "netops.db"


@pytest.fixture
def database(path):
    from netops.tracking.database.embedded import open_database

    opened = open_database(path)
    yield opened
    opened.close()


def run(uid: str, state: str = "running", name: str = "r") -> dict[str, object]:
    return {"metadata": {"name": name, "uid": uid, "labels": {"kind": "local"}}, "status": {"state": state}}


def write_much(database, writer: int, count: int) -> None:
    for number in range(count):
        uid = f"{writer}-{number}"
        database.store_run(run(uid), uid, "p")
        database.store_log("shared", "p", f"{uid}\n".encode(), append=True)
        artifact = {"kind": "model", "metadata": {"key": "m", "tree": uid}, "spec": {"size": number}}
        database.store_artifact("m", artifact, tag="v", project="p", tree=uid)
        database.update_run({"status.state": "completed"}, uid, "p")


def assert_all_there(database, writers: int, count: int) -> None:
    assert len(database.list_runs(project="p", name="r", states=["completed"])) == writers * count
    assert len(database.get_log("shared", "p")[1].splitlines()) == writers * count
    assert len({found["metadata"]["uid"] for found in database.list_artifacts(project="p")}) == writers * count
    assert len(database.list_artifacts(project="p", tag="latest")) == 1  # the tags ended on one version


def test_processes_write_at_once(database):
    children = [fork.Process(target=write_much, args=(database, writer, 15)) for writer in range(4)]
    for child in children:
        child.start()
    write_much(database, 4, 15)
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 4
    assert_all_there(database, writers=5, count=15)


def open_and_write(path: Path, barrier: Any, writer: int) -> None:
    from netops.tracking.database.embedded import open_database

    barrier.wait()
    write_much(open_database(path), writer, 2)


def test_processes_make_the_file_at_once(path):
    from netops.tracking.database.embedded import open_database

    barrier = fork.Barrier(5)
    children = [fork.Process(target=open_and_write, args=(path, barrier, writer)) for writer in range(5)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 5
    assert_all_there(open_database(path), writers=5, count=2)


def test_a_file_that_another_process_is_making_is_waited_for(embedded, path):
    from netops.tracking.database.embedded import open_database

    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE other (a)")
    other.execute("BEGIN IMMEDIATE")  # SQLite refuses to change the journal's mode at once, whatever the timeout
    release = threading.Timer(0.3, other.execute, ["ROLLBACK"])
    release.start()
    open_database(path).close()
    release.join()
    other.close()


def test_threads_write_at_once(database):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda writer: write_much(database, writer, 10), range(8)))
    assert_all_there(database, writers=8, count=10)


def write_until_killed(path: Path) -> None:
    from netops.tracking.database.embedded import open_database

    database = open_database(path)
    for number in range(10**6):
        database.store_run(run(f"u{number}"), f"u{number}", "p")
        database.store_log(f"u{number}", "p", b"x" * 5000, append=True)


@pytest.mark.parametrize("delay", [0.05, 0.17])
def test_a_kill_leaves_a_sound_file_and_aborted_runs(path, delay):
    from netops.tracking.database.embedded import open_database

    child = fork.Process(target=write_until_killed, args=(path,))
    child.start()
    while not path.exists() or not path.stat().st_size:
        time.sleep(0.01)
    time.sleep(delay)
    os.kill(child.pid, signal.SIGKILL)
    child.join(10)
    database = open_database(path)
    runs = database.list_runs(project="p", name="r")
    assert {found["status"]["state"] for found in runs} <= {"aborted"}
    assert all(f"({child.pid})" in found["status"]["status_text"] for found in runs)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_runs_of_living_processes_are_left_alone(database, path):
    from netops.tracking.database.embedded import open_database

    database.store_run(run("mine"), "mine", "p")
    child = fork.Process(target=lambda: (database.store_run(run("childs"), "childs", "p"), time.sleep(30)))
    child.start()
    while not database.list_runs(project="p", uid="childs"):
        time.sleep(0.01)
    again = open_database(path)
    assert {found["status"]["state"] for found in again.list_runs(project="p", name="r")} == {"running"}
    assert again.process_of("childs", "p").pid == child.pid
    child.kill()
    child.join(10)
    assert again.abort_abandoned_runs() == ["childs"]
    assert again.abort_abandoned_runs() == []
    # the run is not lost: a process that lives takes it up again
    again.update_run({"status.state": "completed"}, "childs", "p")
    assert again.read_run("childs", "p")["status"]["state"] == "completed"


def test_an_abort_on_demand_stays(database):
    database.store_run(run("a"), "a", "p")
    database.abort_run("a", "p", status_text="enough")
    database.update_run({"status.state": "completed", "status.results": {"x": 1}}, "a", "p")
    status = database.read_run("a", "p")["status"]
    assert (status["state"], status["status_text"], status["results"]) == ("aborted", "enough", {"x": 1})
    assert status["end_time"]


def test_labels_that_change_change_what_filters_find(database):
    database.store_run(run("l"), "l", "p")
    database.update_run({"metadata.labels": {"family": "x", "kind": "local"}}, "l", "p")
    assert len(database.list_runs(project="p", labels="family=x")) == 1
    database.update_run({"metadata.labels": {"family": "y"}}, "l", "p")
    assert not database.list_runs(project="p", labels=["family=x"])
    assert not database.list_runs(project="p", labels=["kind"])


def test_a_full_database_is_one_clear_line_and_loses_nothing(database, path):
    database.store_run(run("before"), "before", "p")
    limit = f"PRAGMA max_page_count={path.stat().st_size // 4096 + 60}"
    sa.event.listen(database._connection._engine, "checkout", lambda raw, *_: raw.execute(limit))
    with pytest.raises(NetopsError, match=r"no space left for the run database .*netops\.db: free some") as caught:
        for _ in range(100):
            database.store_log("before", "p", b"x" * 100_000, append=True)
    assert "\n" not in str(caught.value)
    assert database.read_run("before", "p")["status"]["state"] == "running"
    database.update_run({"status.state": "completed"}, "before", "p")


def fill_up(path: Path) -> None:
    from netops.tracking.database.embedded import open_database

    database = open_database(path)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
    try:
        while True:
            database.store_log("u", "p", b"x" * 50_000, append=True)
    except NetopsError as error:
        os._exit(7 if "full" in str(error) and "\n" not in str(error) else 8)


def test_a_write_that_the_system_refuses_is_a_clear_error_too(path):
    from netops.tracking.database.embedded import open_database

    child = fork.Process(target=fill_up, args=(path,))
    child.start()
    child.join(30)
    assert child.exitcode == 7
    assert open_database(path).get_log_size("u", "p") % 50_000 == 0


def test_a_file_of_version_1_is_migrated(path):
    from netops.tracking.database.embedded import open_database

    with sqlite3.connect(path) as connection:
        connection.executescript((DATA / "version-1.sql").read_text())
    database = open_database(path)
    assert [found["metadata"]["uid"] for found in database.list_runs(project="old", labels="a=b")] == ["u1"]
    assert database.list_runs(project="old", end_time_from="1970-01-01T00:00:02")
    assert database.list_artifacts(project="old", parent="p:v1", tag="latest")
    database.store_run(run("new"), "new", "old")
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (tables.SCHEMA_VERSION,)
        columns = {row[1] for row in connection.execute("PRAGMA table_info(runs)")}
    assert columns == set(tables.runs.c.keys())


def test_a_failed_migration_leaves_the_old_file(path, monkeypatch):
    from netops.tracking.database import migrations
    from netops.tracking.database.embedded import open_database

    def break_off(connection):
        connection.exec_driver_sql("DROP TABLE run_labels")
        raise RuntimeError("power cut")

    with sqlite3.connect(path) as connection:
        connection.executescript((DATA / "version-1.sql").read_text())
    monkeypatch.setattr(migrations, "STEPS", [*migrations.STEPS[:1], break_off])
    with pytest.raises(RuntimeError):
        open_database(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM run_labels").fetchone() == (1,)


def test_a_newer_file_is_refused(path):
    from netops.tracking.database.embedded import open_database

    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(NetopsError, match=r"schema 99, NetOps supports up to 3: upgrade netops"):
        open_database(path)


def test_what_is_no_database_is_refused(path):
    from netops.tracking.database.embedded import open_database

    path.write_text("not a database, but long enough to look at" * 30)
    with pytest.raises(NetopsError, match="is no run database"):
        open_database(path)


def test_a_folder_instead_of_the_file_is_refused(path):
    from netops.tracking.database.embedded import open_database

    path.mkdir()
    with pytest.raises(NetopsError, match="cannot be opened"):
        open_database(path)
