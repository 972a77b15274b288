"""The embedded database is put in where no service is named, and nowhere else."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from netops.tracking.install import install


def test_it_can_be_installed_again_and_from_threads(embedded, home):
    import mlrun

    before = mlrun.get_run_db()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: install(), range(8))) == [True] * 8
    assert mlrun.get_run_db() is before
    assert before.path == home / "netops.db"
    assert os.environ["MLRUN_DBPATH"] == "./"


def test_another_home_is_another_database(embedded, tmp_path, monkeypatch):
    import mlrun

    before = mlrun.get_run_db().path
    with monkeypatch.context() as patch:
        patch.setenv("NETOPS_HOME", str(tmp_path))
        assert install()
        assert mlrun.get_run_db().path == tmp_path / "netops.db"
    assert install()
    assert mlrun.get_run_db().path == before


def test_a_service_is_left_alone(embedded, monkeypatch):
    import mlrun

    before = mlrun.get_run_db().path
    monkeypatch.setenv("MLRUN_DBPATH", "http://localhost:1")
    assert not install()
    monkeypatch.undo()
    assert mlrun.get_run_db().path == before


def test_nothing_is_printed_in_a_fresh_process(tmp_path):
    code = (
        "from netops.tracking.install import install; install()\n"
        "import mlrun, sys\n"
        "project = mlrun.get_or_create_project('p', sys.argv[1])\n"
        "print(mlrun.get_run_db().list_projects())"
    )
    # "./" is what a child of a process with MLRun inherits
    environment = os.environ | {"NETOPS_HOME": str(tmp_path / "home"), "MLRUN_DBPATH": "./"}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("['p']\n", "")
