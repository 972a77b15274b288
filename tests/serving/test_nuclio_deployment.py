"""Deployment of the function on Nuclio: configuration, conditions, and errors."""

from types import SimpleNamespace

import numpy as np
import pytest

from netops.errors import NetopsError
from netops.serving.mlrun import deployment
from netops.serving.mlrun.deployment import Nuclio, NuclioOptions, roll_out

TOKEN = {"name": "NETOPS_TOKEN", "valueFrom": {"secretKeyRef": {"name": "netops", "key": "NETOPS_TOKEN"}}}
ROWS, RISKS = np.zeros((1, 2)), np.array([0.5])


def nuclio(**options):
    return Nuclio(
        SimpleNamespace(name="netops"), "core", NuclioOptions("netops:1", **{"environment": (TOKEN,)} | options)
    )


class Database:
    """A fake run database of the service: its functions, and the deleted ones."""

    def __init__(self, deployed=None, log="") -> None:
        self.deployed, self.log, self.deleted = deployed, log, []

    def get_function(self, name, project):
        if self.deployed is None:
            raise KeyError(name)
        return self.deployed

    def get_nuclio_deploy_status(self, function, last_log_timestamp, verbose):
        return self.log, 1.0

    def delete_function(self, name, project):
        self.deleted.append(name)


@pytest.fixture
def service(monkeypatch):
    """Stand in for the service that deploys: what it was asked, and how each function answers."""
    import mlrun
    from mlrun.runtimes import ServingRuntime

    made = SimpleNamespace(database=Database(), deployed=[], asked=[], error=None)

    def deploy(function, **_):
        if made.error:
            raise made.error
        made.deployed.append(function)

    def invoke(function, path, **_):
        made.asked.append(path)
        return {"outputs": [0.5]}

    monkeypatch.setattr(mlrun, "get_run_db", lambda: made.database)
    monkeypatch.setattr(ServingRuntime, "deploy", deploy)
    monkeypatch.setattr(ServingRuntime, "invoke", invoke)
    monkeypatch.setattr(ServingRuntime, "get_url", lambda function: "http://core")
    monkeypatch.setattr(deployment, "_version", lambda model: model.rpartition("/")[2])
    return made


def test_a_version_is_proven_by_its_name_on_a_function_that_follows_the_champion(service) -> None:
    assert roll_out(nuclio(), "store://models/v1", None, ROWS, RISKS) == (0.0, "http://core")
    assert service.asked == ["/v2/models/netops/versions/v1/infer"]
    parameters = service.deployed[0].spec.parameters
    assert (parameters["follow"], parameters["model_path"]) == (True, "store://models/v1")


def test_a_canary_serves_its_one_model(service) -> None:
    platform = nuclio(canary=20)
    platform.replaces = True
    platform.start("store://models/v2")([[0.0, 0.0]])
    assert service.asked == ["/v2/models/netops/infer"]
    assert service.deployed[0].spec.parameters["follow"] is False


def test_what_runs_is_deployed_again_only_where_more_than_the_model_has_changed(service) -> None:
    running = nuclio().function("store://models/v1")
    running.status.state = "ready"
    service.database.deployed = running.to_dict()
    nuclio().start("store://models/v2")
    assert service.deployed == []
    nuclio(max_replicas=2).start("store://models/v2")
    assert len(service.deployed) == 1
    service.database.deployed["status"]["state"] = "error"
    nuclio().start("store://models/v2")
    assert len(service.deployed) == 2


def test_a_function_without_a_token_is_refused_before_it_is_deployed(service) -> None:
    with pytest.raises(NetopsError, match="secrets: the function needs NETOPS_TOKEN"):
        roll_out(nuclio(environment=()), "store://models/v1", "before", ROWS, RISKS)
    assert service.deployed == []


def test_a_pod_without_the_client_does_not_deploy_a_function_that_reads_a_topic(service, monkeypatch) -> None:
    """Stage and function have the same image; elsewhere the function itself reports it."""
    from netops.telemetry.kafka import client

    monkeypatch.setattr(client, "find_spec", lambda name: None)
    reading = {"stream": "kafka://broker:9092/telemetry", "state_claim": "state"}
    roll_out(nuclio(**reading), "store://models/v1", None, ROWS, RISKS)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(NetopsError, match="make image EXTRAS=kafka"):
        roll_out(nuclio(**reading), "store://models/v2", "store://models/v1", ROWS, RISKS)
    assert len(service.deployed) == 1


def test_a_failed_deployment_is_reported_once_with_the_function_log(service) -> None:
    from mlrun.errors import err_to_str

    service.error = RuntimeError("Function core-serving deployment failed")
    service.database.log = "building\n\nwrapper: NetopsError: network 'core' has no champion\n"
    with pytest.raises(NetopsError) as raised:
        roll_out(nuclio(), "store://models/v1", None, ROWS, RISKS)
    message = err_to_str(raised.value)
    assert message.count("deployment failed") == 1
    assert message.endswith("its log ends: building | wrapper: NetopsError: network 'core' has no champion")
    assert "\n" not in message
    assert service.database.deleted == ["core-serving"]


def test_a_function_that_serves_the_champion_stays_when_a_candidate_fails(service) -> None:
    with pytest.raises(NetopsError, match="differs"):
        roll_out(nuclio(), "store://models/v2", "store://models/v1", ROWS, np.array([0.9]))
    assert service.database.deleted == []
