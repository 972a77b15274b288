"""Runs of the service and of Kubeflow in one list, asked of a service as MLRun's client asks it."""

import json

import pytest

from netops.errors import NetopsError
from netops.orchestration import control, kubeflow

from .conftest import MODERN

LOCAL = {
    "metadata": {
        "uid": "aa1",
        "name": "main",
        "labels": {"kind": "local", "workflow": "main", "workflow-id": "aa1"},
    },
    "spec": {"parameters": {"name": "core"}},
    "status": {"state": "completed", "start_time": "2025-03-01 10:00:00+00:00"},
}
PIPELINE = {
    "id": "bb2",
    "name": "netops-main 2025-03-02 10-00-00",
    "project": "netops",
    "status": "Failed",
    "error": "out of memory",
    "created_at": "2025-03-02 10:00:00+00:00",
    "finished_at": "2025-03-02 10:05:00+00:00",
}


ELSEWHERE = {"host": "build-7", "boot": "b", "pid": 4711, "started": "1"}
FOREIGN = {
    "metadata": LOCAL["metadata"] | {"uid": "cc3", "annotations": {"netops/process": json.dumps(ELSEWHERE)}},
    "spec": {"parameters": {"name": "edge"}},
    "status": {"state": "running", "start_time": "2025-02-28 10:00:00+00:00"},
}


@pytest.fixture
def service(stand_in, monkeypatch) -> None:
    """What MLRun's client reads of a service that holds a run of each kind."""
    from mlrun.db.httpdb import HTTPRunDB

    pipelines = {"runs": [PIPELINE, PIPELINE | {"id": "aa1"}], "total_size": 2, "next_page_token": None}
    address = stand_in(
        {
            "client-spec": (200, MODERN),
            "projects/netops/runs": (200, {"runs": [LOCAL, FOREIGN]}),
            "projects/netops/pipelines": (200, pipelines),
        }
    )
    monkeypatch.setattr(kubeflow.mlrun, "get_run_db", lambda: HTTPRunDB(address))


def test_runs_of_the_cluster_are_listed_with_those_of_the_local_engine(service) -> None:
    newest, oldest, _ = kubeflow.all_runs()
    assert (newest["metadata"]["uid"], newest["status"]["state"]) == ("bb2", "error")
    assert newest["status"]["error"] == "out of memory"
    assert (oldest["metadata"]["uid"], oldest["status"]["state"]) == ("aa1", "completed")


def test_a_run_is_found_by_the_beginning_of_its_id(service) -> None:
    assert kubeflow.find_run("bb")["metadata"]["uid"] == "bb2"


def test_what_runs_a_run_is_told_by_its_record(service) -> None:
    assert kubeflow.pipeline_of(kubeflow.find_run("bb2")) == "bb2"
    assert kubeflow.pipeline_of(kubeflow.find_run("cc3")) is None


@pytest.mark.parametrize(("act", "told"), [(control.cancel, "cancel it there"), (control.retry, "retry it there")])
def test_a_run_of_another_machine_is_left_to_that_one(service, home, act, told) -> None:
    with pytest.raises(NetopsError, match=f"run cc3 .* build-7.*{told}"):
        act("cc3")
