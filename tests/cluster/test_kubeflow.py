"""Runs of the service and of Kubeflow in one list, asked of a service as MLRun's client asks it."""

import json

import mlrun
import pytest

from netops.cluster import kubeflow
from netops.errors import NetopsError
from netops.workflows import control
from tests.workflows.conftest import MODERN

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
    monkeypatch.setattr(mlrun, "get_run_db", lambda: HTTPRunDB(address))


def test_runs_of_the_cluster_are_listed_with_those_of_the_local_engine(service) -> None:
    newest, oldest, _ = kubeflow.all_runs()
    assert (newest["metadata"]["uid"], newest["status"]["state"]) == ("bb2", "error")
    assert newest["status"]["error"] == "out of memory"
    assert (oldest["metadata"]["uid"], oldest["status"]["state"]) == ("aa1", "completed")


def test_a_run_is_found_by_the_beginning_of_its_id(service) -> None:
    assert kubeflow.find_run("bb")["metadata"]["uid"] == "bb2"


def test_the_record_of_a_run_names_its_process(service) -> None:
    assert kubeflow.pipeline_of(kubeflow.find_run("bb2")) == "bb2"
    assert kubeflow.pipeline_of(kubeflow.find_run("cc3")) is None


@pytest.mark.parametrize(
    ("act", "expected"), [(control.cancel, "cancel it there"), (control.retry, "retry it there")]
)
def test_a_run_of_another_machine_is_left_to_that_one(service, home, act, expected) -> None:
    with pytest.raises(NetopsError, match=f"run cc3 .* build-7.*{expected}"):
        act("cc3")


RUNNER = {"job-type": "workflow-runner", "kind": "job", "workflow": "workflow-runner-core-retrain"}
STARTED = {
    "metadata": {"uid": "dd4", "name": "workflow-runner-core-retrain", "labels": RUNNER | {"workflow-id": "bb2"}},
    "spec": {
        "parameters": {
            "workflow_path": "./pipeline/retrain.py",
            "workflow_arguments": {"name": "core", "settings": "{}"},
        }
    },
    "status": {"state": "running", "start_time": "2025-03-02 09:59:00+00:00"},
}
LOST = STARTED | {"metadata": STARTED["metadata"] | {"uid": "ee5", "labels": RUNNER}}


class Service:
    """What a service holds: jobs that start workflows, Kubeflow's runs, and their steps."""

    def __init__(self, runners, steps=(), status="Failed"):
        self.runners, self.steps, self.status = list(runners), list(steps), status

    def list_runs(self, project, labels, **_filters):
        return self.steps if labels[0].startswith("workflow") else self.runners

    def update_run(self, changes, uid, project):
        [step] = self.steps
        step["status"] |= {key.removeprefix("status."): value for key, value in changes.items()}

    def list_pipelines(self, project, format_):
        from types import SimpleNamespace

        return SimpleNamespace(runs=[PIPELINE | {"name": "netops-core-retrain", "status": self.status}])

    def list_runtime_resources(self, project, kind, object_id):
        return []


@pytest.fixture
def holding(monkeypatch):
    def use(*runners, **more):
        monkeypatch.setenv("MLRUN_DBPATH", "http://service")
        monkeypatch.setattr(mlrun, "get_run_db", lambda: Service(runners, **more))
        return [describe(run) for run in kubeflow.described(kubeflow.all_runs())]

    from netops.workflows.records.runs import describe

    return use


def step_of(network, **status):
    return {
        "metadata": {"uid": "s", "name": "ingest", "labels": {"workflow": "bb2", "netops-workflow": "retrain"}},
        "spec": {"parameters": {"network": network}},
        "status": {"state": "error", "start_time": "2025-03-02 10:01:00+00:00", **status},
    }


def test_a_run_that_a_schedule_started_is_one_run_with_its_workflow_and_network(holding) -> None:
    [row] = holding(STARTED)
    assert (row["run_id"], row["workflow"], row["name"], row["state"]) == ("bb2", "retrain", "core", "error")


def test_the_steps_of_an_uploaded_run_name_its_workflow_and_network(holding) -> None:
    [row] = holding(steps=[step_of("edge")])
    assert (row["workflow"], row["name"]) == ("retrain", "edge")


def test_a_canceled_run_is_not_shown_as_an_error(holding) -> None:
    from netops.workflows.records.states import CANCELED

    [row] = holding(steps=[step_of("edge", state="aborted", status_text=CANCELED)])
    assert (row["state"], row["error"]) == ("canceled", "")
    [row] = holding(steps=[step_of("edge", state="aborted", status_text=CANCELED)], status="Succeeded")
    assert row["state"] == "completed"


def test_a_job_that_never_started_its_workflow_does_not_run_for_ever(holding) -> None:
    row = holding(LOST)[-1]
    assert (row["run_id"], row["workflow"], row["name"], row["state"]) == ("ee5", "retrain", "core", "error")
    assert "job that starts the workflow no longer exists" in row["error"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("main-edge-2", ("main", "edge-2")), ("retrain-core", ("retrain", "core")), ("nightly", ("nightly", ""))],
)
def test_the_name_of_a_submitted_run_contains_workflow_and_network(name, expected) -> None:
    run = kubeflow.run_of(PIPELINE | {"name": f"netops-{name}"})
    assert (run["metadata"]["name"], run["spec"]["parameters"].get("name", "")) == expected


def test_a_canceled_run_that_is_retried_and_then_fails_is_an_error(holding, monkeypatch) -> None:
    from netops import registry
    from netops.workflows.records.states import CANCELED

    step = step_of("edge", state="completed", status_text=CANCELED)  # no stage was running when it was canceled
    monkeypatch.setattr(control, "connect", lambda: None)
    monkeypatch.setattr(registry, "resume_run", lambda network, run: None)
    asked = []
    monkeypatch.setattr(control, "_on_service", lambda method, run: asked.append((method, run)))
    [row] = holding(steps=[step])
    assert row["state"] == "canceled"
    control.retry("bb2")
    assert asked == [("retry_pipeline", "bb2")]
    [row] = holding(steps=[step])
    assert (row["state"], row["error"]) == ("error", "out of memory")
