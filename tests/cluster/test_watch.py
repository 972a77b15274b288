"""How the steps of a run on the cluster are reported: titles, states, attempts, and why one failed."""

import subprocess
import sys

import pytest
from mlrun.common.schemas import KindRuntimeResources

from netops.cluster import failures, watch
from netops.workflows.records.states import CANCELED
from netops.workflows.records.steps import state_of, title_of


def node(name, phase, kind="Pod", **times):
    return {"name": name, "type": kind, "phase": phase, **times}


def graph(*nodes):
    return {f"n{index}": node for index, node in enumerate(nodes)}


def test_the_attempts_of_a_step_are_one_line() -> None:
    head = node("netops-main-x", "Running", "DAG")
    times = {"startedAt": "2026-11-27T10:00:00Z", "finishedAt": "2026-11-27T10:00:12Z"}
    assert watch.steps_in(
        graph(
            head,
            node("generate", "Succeeded", "Retry", **times),
            node("generate(0)", "Succeeded"),
            node("features", "Succeeded", "Retry", **times),
            node("features(0)", "Error"),
            node("features(1)", "Succeeded"),
            node("train-xgboost", "Running", "Retry"),
            node("train-xgboost(0)", "Failed"),
            node("train-sklearn", "Running", "Retry"),
            node("train-sklearn(0)", "Pending"),
            node("train-tensorflow", "Failed", "Retry"),
            node("train-tensorflow(0)", "Failed"),
            node("train-tensorflow(1)", "Failed"),
            node("condition-promoted-1", "Skipped", "Skipped"),
        )
    ) == {
        "generate": "done in 12 s",
        "features": "done in 12 s (attempt 2)",
        "train-xgboost": "attempt 1 failed, another follows",
        "train-sklearn": "waiting",
        "train-tensorflow": "failed (attempt 2)",
        "condition-promoted-1": "not needed",
    }


@pytest.mark.parametrize("workflow", ["main", "retrain", "score"])
def test_every_step_of_every_workflow_has_a_title(workflow) -> None:
    import re

    from netops.workflows.project_folder import project_root

    sources = [project_root() / "pipeline" / f"{name}.py" for name in (workflow, "learning")]
    names = re.findall(r'step\(\s*"(\w+)"', "".join(path.read_text() for path in sources))
    assert len(names) > 2
    for name in set(names) - {"train"}:
        assert title_of(name) != name
    assert title_of("train-xgboost") == "Train xgboost"
    assert title_of("condition-promoted-1") == title_of("deploy") != "deploy"
    assert state_of("Omitted") == "not reached"


def test_what_a_verb_imports_before_it_connects_leaves_mlrun_alone() -> None:
    modules = ("cluster.watch", "cluster.submit", "cluster.failures", "cluster.settings", "tracking.service")
    modules += ("workflows.settings", "workflows.arguments")
    code = "import sys, " + ", ".join(f"netops.{module}" for module in modules)
    code += "; sys.exit('mlrun' in sys.modules)"  # its import connects, and prints what it thinks of the service
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def step(uid="u1", name="generate", state="error", **status):
    return {
        "metadata": {"uid": uid, "name": name},
        "spec": {"image": "r/netops:1"},
        "status": {"state": state, **status},
    }


class Database:
    """What is asked of a service about a stage: its pods and its log."""

    def __init__(self, status, log=b""):
        self.status, self.log = status, log

    def list_runtime_resources(self, project, kind, object_id):
        pod = {"name": f"pod-{object_id}", "labels": {}, "status": self.status}
        return [KindRuntimeResources(kind=kind, resources={"pod_resources": [pod]})]

    def get_log(self, uid, project):
        return "error", self.log


SNAKE = {"container_statuses": [{"state": {"terminated": {"reason": "OOMKilled", "exit_code": 137}}}]}
CAMEL = {"containerStatuses": [{"state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]}
SECRET = {
    "containerStatuses": [
        {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "store" not found'}}}
    ]
}
UNSCHEDULABLE = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No victims."
NO_NODE = {"conditions": [{"reason": "Unschedulable", "message": UNSCHEDULABLE}]}
STARTING = {"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}
PULL = {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "back-off"}}}]}


@pytest.fixture
def service(monkeypatch):
    import mlrun

    def use(status, log=b""):
        monkeypatch.setenv("MLRUN_DBPATH", "http://service")
        monkeypatch.setattr(mlrun, "get_run_db", lambda: Database(status, log))

    return use


@pytest.mark.parametrize("status", [SNAKE, CAMEL])
def test_a_pod_that_dies_early_is_reported_with_reason_and_log(service, status) -> None:
    service(status, b"loading\n\nModuleNotFoundError: No module named 'git'\n")
    expected = failures.cause_of(step(reason="OOMKilled"))
    assert expected == (
        "pod pod-u1: OOMKilled, exit code 137; its log ends: loading | ModuleNotFoundError: No module named 'git'"
    )


def test_a_stage_whose_image_cannot_be_had_says_what_to_do(service) -> None:
    service(PULL)
    assert failures.is_stuck(step(state="pending"))
    assert "the cluster cannot get image r/netops:1" in failures.why_waiting(step(state="pending"))
    ended = step(state="aborted", error="Run aborted due to exceeded state threshold: image_pull_backoff")
    assert "the cluster cannot get image r/netops:1: push it" in failures.cause_of(ended)


@pytest.mark.parametrize(
    ("status", "why", "stuck"),
    [
        (SECRET, 'pod pod-u1: CreateContainerConfigError, secret "store" not found', True),
        (NO_NODE, "pod pod-u1: no node accepts it: 0/1 nodes are available: 1 Insufficient cpu.", False),
        (STARTING, "", False),
        ({}, "", False),
    ],
)
def test_a_pod_that_does_not_start_is_reported_while_it_waits(service, status, why, stuck) -> None:
    service(status)
    waiting = step(state="pending")
    assert failures.why_waiting(waiting) == why
    assert failures.is_stuck(waiting) == stuck


def test_a_watched_run_reports_a_pod_that_does_not_start_once(service, monkeypatch) -> None:
    import mlrun

    from netops.progress import shown_by, silent

    class Service(Database):
        looks = 0

        def list_runs(self, **filters):
            state = "pending" if self.looks < 12 else "running"
            return [step(state=state, start_time="2026-11-27T10:00:00Z")]

        def get_pipeline(self, run_id, project):
            self.looks += 1
            ended = self.looks == 20
            phase = "Succeeded" if ended else "Running"
            graph = {"n": {"name": "generate", "type": "Pod", "phase": phase}}
            return {"run": {"status": phase}, "graph": graph}

    service(SECRET)
    asked = Service(SECRET)
    monkeypatch.setattr(mlrun, "get_run_db", lambda: asked)
    lines = []
    with shown_by(silent, lines.append):
        assert watch.watch("w", lambda _: None) == "succeeded"
    stuck = 'waiting: pod pod-u1: CreateContainerConfigError, secret "store" not found'
    assert lines == [f"Generate telemetry: {text}" for text in ("running", stuck, "running", "done")]


def test_the_image_is_the_one_that_the_run_was_submitted_with(service) -> None:
    service(PULL)
    waiting = step(state="aborted")
    waiting["spec"] = {"parameters": {"settings": '{"cluster": {"image": "r/netops:7"}}'}}
    assert "cannot get image r/netops:7" in failures.cause_of(waiting)


def test_an_error_of_the_stage_itself_is_enough(service) -> None:
    service(SNAKE)
    assert failures.cause_of(step(error="no space left\non device")) == "no space left on device"


def test_a_step_whose_stage_never_started_names_the_pod_of_kubeflow(service) -> None:
    service({})
    nodes = graph(
        node("generate", "Succeeded", "Retry"),
        node("generate(0)", "Succeeded", id="wf-1"),
        node("features", "Failed", "Retry"),
        node("features(0)", "Failed", id="wf-2"),
        node("features(1)", "Failed", id="wf-3"),
        node("train-xgboost", "Failed", id="wf-4"),
        node("select", "Omitted", "Skipped"),
    )
    steps = [step("a", state="completed"), step("b", "train-xgboost", error="no space left")]
    [line] = watch.failed_launchers(nodes, steps)
    assert line.startswith("features: Kubeflow's own pod of the step failed (2 attempts); its log: kubectl -n ")
    assert line.endswith(" logs wf-3 -c main")


def test_each_step_is_listed_once_with_its_attempts(service) -> None:
    service({}, b"")
    steps = [step("a", error="x"), step("b", error="y"), step("c", "features", "completed")]
    assert failures.causes_of(steps) == ["generate: y (2 attempts)"]


def test_a_run_that_was_canceled_and_retried_is_not_canceled() -> None:
    stopped = step("a", state="aborted", status_text=CANCELED)
    assert failures.was_canceled([stopped])
    assert not failures.was_canceled([stopped, step("b", state="error")])
