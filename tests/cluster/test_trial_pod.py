"""The pod of ``netops doctor --deep``: what it shows, and that it is removed however it ends."""

from importlib.metadata import version

import pytest
from mlrun.common.schemas import KindRuntimeResources

from netops.cluster import trial_pod
from netops.cluster.settings import ClusterSettings
from netops.config.binding import bind
from netops.errors import NetopsError

OURS = version("mlrun")
SECRET = {"containerStatuses": [{"state": {"waiting": {"reason": "CreateContainerConfigError", "message": "no"}}}]}
PULL = {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]}
GONE = {"containerStatuses": [{"state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]}


class Service:
    """A service that tells of the pod one state after the other."""

    def __init__(self, *states, pod=None, mlrun=OURS):
        self.states, self.pod, self.calls = list(states), pod or {}, []
        self.mlrun = mlrun

    def read_run(self, uid, project):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {
            "metadata": {"uid": uid, "name": "doctor"},
            "spec": {"image": "r/netops:9"},
            "status": {"state": state, "results": {"version": "9.9", "mlrun": self.mlrun}},
        }

    def list_runtime_resources(self, project, kind, object_id):
        pod = {"name": "doctor-x", "labels": {}, "status": self.pod}
        return [KindRuntimeResources(kind=kind, resources={"pod_resources": [pod]})]

    def get_log(self, uid, project):
        return "", b""

    def abort_run(self, uid, project):
        self.calls.append("abort")

    def del_run(self, uid, project):
        self.calls.append("delete")


@pytest.fixture
def tried(monkeypatch):
    import mlrun

    def run(service):
        monkeypatch.setenv("MLRUN_DBPATH", "http://service")
        monkeypatch.setattr(mlrun, "get_run_db", lambda: service)
        monkeypatch.setattr("netops.cluster.trial_pod.load_project", lambda: None)
        monkeypatch.setattr(trial_pod, "_start", lambda project, settings: "u1")
        settings = bind(ClusterSettings, {"image": "r/netops:9"}, "cluster.yaml")
        return trial_pod.run_test_pod(settings, wait=lambda seconds: None)

    return run


def test_it_reports_what_runs_in_the_pod(tried) -> None:
    service = Service("pending", "running", "completed")
    assert "r/netops:9 runs as a pod: netops 9.9" in tried(service)
    assert service.calls == ["delete"]


@pytest.mark.parametrize(
    ("service", "expected", "calls"),
    [
        (Service("pending", pod=PULL), "cannot get image r/netops:9: push it", ["abort", "delete"]),
        (Service("running", "error", pod=GONE), "pod doctor-x: OOMKilled, exit code 137", ["delete"]),
        (Service("pending"), "does not start", ["abort", "delete"]),
        (Service("pending", pod=SECRET), "pod doctor-x: CreateContainerConfigError", ["abort", "delete"]),
        (Service("completed", mlrun="1.9.2"), r"r/netops:9 has MLRun 1\.9\.2, the client here is", ["delete"]),
        (Service("completed", mlrun=""), "has MLRun of unknown version", ["delete"]),
    ],
)
def test_a_pod_that_does_not_run_is_explained_and_removed(tried, service, expected, calls) -> None:
    with pytest.raises(NetopsError, match=expected):
        tried(service)
    assert service.calls == calls
