"""The graph as MLRun runs it: mock server and Nuclio's hooks, with the messages that Nuclio sends."""

import asyncio
import json
import logging
import os
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from netops.models.onnx_file import Scorer
from tests.serving.models import SPEC
from tests.serving.samples import START, sample

pytest.importorskip("mlrun")


@pytest.fixture(scope="module")
def function(model, tmp_path_factory):
    from netops.serving.function import make_serving_function

    state = str(tmp_path_factory.mktemp("state"))
    return make_serving_function(model_path=model, parameters={"state_path": state})


@pytest.fixture(scope="module")
def mock(function):
    return function.to_mock_server()


def test_the_mock_server_answers_samples_in_their_form(mock):
    one = mock.test("/telemetry", body=sample("a", 0))
    assert (one["device"], one["status"], one["timestamp"]) == ("a", "scored", START)
    many = mock.test("/telemetry", body=[sample("a", 1), {"timestamp": "x"}])
    assert [answer["status"] for answer in many] == ["scored", "rejected"]


def test_the_mock_server_infers_as_the_model_does(mock, model):
    rows = np.random.default_rng(0).normal(size=(5, len(SPEC.names)))
    answer = mock.test("/v2/models/netops/infer", body={"inputs": rows.tolist()})
    np.testing.assert_allclose(answer["outputs"], Scorer(model).score(rows), atol=1e-6)
    assert answer["model_version"] == "v1"
    described = mock.test("/v2/models/netops", method="GET")
    assert described["features"] == list(SPEC.names)
    assert (described["version"], described["threshold"]) == ("v1", 0.5)


@pytest.mark.parametrize("inputs", [[[1.0]], "x", [["a"] * len(SPEC.names)], None, [[[1.0]]]])
def test_vectors_that_do_not_fit_are_refused(mock, inputs):
    answer = mock.test("/v2/models/netops/infer", body={"inputs": inputs}, silent=True)
    assert answer.status_code == 400


def test_questions_are_answered(mock):
    mock.test("/telemetry", body=sample("b", 5))
    assert mock.test("/healthz", method="GET")["model"] == "v1"
    assert "b" in [device["device"] for device in mock.test("/devices", method="GET")]
    assert mock.test("/alerts", method="GET") == []
    assert b"netops_samples_total" in mock.test("/metrics", method="GET").body
    assert mock.test("/other", method="GET", silent=True).status_code == 404


def test_what_people_say_is_taken(mock):
    hot = [sample("hot", tick, hot=True) for tick in range(3)]
    assert mock.test("/telemetry", body=hot)[-1]["alert"]
    (alert,) = [found for found in mock.test("/alerts", method="GET") if found["device"] == "hot"]
    said = mock.test(f"/alerts/{alert['id']}/feedback", body={"verdict": "confirmed"})
    assert (said["alert"]["verdict"], said["changed"]) == ("confirmed", True)
    assert mock.test("/incidents", body={"device": "hot", "start": START + 60})["recorded"] == 1
    assert mock.test("/alerts/x/feedback", body={"verdict": "confirmed"}, silent=True).status_code == 404
    known = mock.test("/feedback", method="GET")
    assert [verdict["alert"] for verdict in known["verdicts"]] == [alert["id"]]
    assert [incident["source"] for incident in known["incidents"]] == ["webhook"]


def test_a_mock_server_without_a_state_path_leaves_the_state_of_a_running_server_alone(
    model, tmp_path, monkeypatch
):
    from netops.serving.function import make_serving_function

    monkeypatch.setenv("NETOPS_HOME", str(tmp_path))
    make_serving_function(model_path=model).to_mock_server().test("/telemetry", body=sample("a", 0))
    assert not (tmp_path / "serving").exists()


class Response:
    def __init__(self, body=None, headers=None, content_type="text/plain", status_code=200):
        self.body, self.headers, self.content_type, self.status_code = body, headers, content_type, status_code


class Logger(logging.Logger):
    info_with = debug_with = warn_with = error_with = lambda self, *_, **__: None


@dataclass
class Message:
    """What Nuclio hands to a Python handler."""

    body: Any
    path: str = "/telemetry"
    method: str = "POST"
    content_type: str = "application/json"
    trigger: Any = field(default_factory=lambda: SimpleNamespace(kind="http", name="http"))
    headers: dict = field(default_factory=dict)
    id: str = "1"
    key: str = ""
    topic: str = ""
    offset: int = 0


@pytest.fixture
def nuclio(function, tmp_path, monkeypatch):
    """Start a worker as Nuclio does: the spec in the environment, one context, init_context, then messages."""
    from netops.serving import nuclio_function

    started = []

    def begin(kind: str = "http", **parameters) -> Any:
        # A replica that comes back: the one before has let go of the state by ending.
        for context in started:
            runtime = context.netops_keeper.runtime
            runtime.deliveries.stop()
            runtime.store.close()
            os.close(runtime._lock)
        started.clear()
        spec = {"function_uri": "demo/serving", "version": "v2", "graph": function.spec.graph.to_dict()}
        spec["parameters"] = function.spec.parameters | {"state_path": str(tmp_path)} | parameters
        monkeypatch.setenv("SERVING_SPEC_ENV", json.dumps(spec))
        callbacks = {}
        platform = SimpleNamespace(
            set_termination_callback=lambda call: callbacks.update(termination=call),
            set_drain_callback=lambda call: callbacks.update(drain=call),
        )
        context = SimpleNamespace(
            logger=Logger("nuclio"),
            Response=Response,
            worker_id=0,
            trigger=SimpleNamespace(kind=kind),
            platform=platform,
            callbacks=callbacks,
        )
        nuclio_function.init_context(context)
        started.append(context)
        return context, lambda message: nuclio_function.handler(context, message)

    return begin


def test_nuclio_answers_http_messages(nuclio):
    _, handle = nuclio()
    answer = handle(Message(json.dumps([sample("a", 0), sample("a", 0)]).encode()))
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert [found["status"] for found in json.loads(answer.body)] == ["scored", "duplicate"]
    lines = b"\n".join(json.dumps(sample("a", tick)).encode() for tick in (1, 2))
    answer = handle(Message(lines, content_type="application/x-ndjson"))
    assert [found["status"] for found in json.loads(answer.body)] == ["scored", "scored"]
    health = json.loads(handle(Message(b"", "/healthz", "GET", "")).body)
    assert health["devices"] == 1
    assert handle(Message(b"", "/metrics", "GET", "")).content_type.startswith("text/plain")
    assert handle(Message(b"{", content_type="application/json")).status_code == 400
    assert json.loads(handle(Message(b"", "/v2/models/netops", "GET", "")).body)["version"] == "v1"


@pytest.mark.parametrize("kind", ["kafka-cluster", "v3ioStream"])
def test_nuclio_takes_stream_messages(nuclio, kind):
    context, handle = nuclio(kind)
    trigger = SimpleNamespace(kind=kind, name="stream")
    for tick, content_type in enumerate(["", "application/json", "text/plain"]):
        message = Message(
            json.dumps(sample("a", tick)).encode(), "telemetry", "", content_type, trigger, topic="telemetry"
        )
        handle(message)
    handle(Message(b"\xff no json", "telemetry", "", "", trigger))
    text = context.netops_keeper.runtime.metrics.export().decode()
    assert 'netops_samples_total{network="demo",status="scored"} 3.0' in text
    assert 'netops_samples_total{network="demo",status="rejected"} 1.0' in text


def test_nuclio_saves_the_state_at_termination_and_finds_it_again(nuclio):
    context, handle = nuclio()
    handle(Message(json.dumps([sample("a", tick) for tick in range(5)]).encode()))
    end = context.callbacks["termination"]()
    if asyncio.iscoroutine(end):
        asyncio.run(end)
    _, handle = nuclio()
    health = json.loads(handle(Message(b"", "/healthz", "GET", "")).body)
    assert (health["devices"], health["replay_point"]) == (1, "2023-11-14T22:13:10Z")


def test_two_replicas_keep_their_states_apart(nuclio, tmp_path, function):
    from netops.serving.graph import pipeline_of
    from netops.serving.nuclio_function import Keeper

    context, _ = nuclio()
    assert (tmp_path / "replica-0").exists()
    server = function.copy()
    server.spec.parameters = function.spec.parameters | {"state_path": str(tmp_path)}
    other = server.to_mock_server()
    assert pipeline_of(other.context).runtime.folder == tmp_path / "replica-1"
    assert isinstance(context.netops_keeper, Keeper)


def test_nuclio_asks_for_the_token_over_http_alone(nuclio, monkeypatch):
    monkeypatch.setenv("NETOPS_TOKEN", "secret")
    _, handle = nuclio()
    message = json.dumps(sample("a", 0)).encode()
    assert handle(Message(message)).status_code == 401
    assert handle(Message(message, headers={"Authorization": "Bearer secret"})).status_code == 200
    stream = SimpleNamespace(kind="kafka-cluster", name="stream")
    assert json.loads(handle(Message(message, trigger=stream)).body)["status"] == "duplicate"


def test_nuclio_swaps_the_champion(nuclio, model, tmp_path):
    from netops.serving.champion import ChampionFile
    from tests.serving.models import make_model

    champion = ChampionFile(tmp_path / "champion.json")
    champion.promote("v1", model)
    context, handle = nuclio(model_path=str(champion.file), serving={"state": {"champion_interval": "1ms"}})
    assert json.loads(handle(Message(json.dumps(sample("a", 0)).encode())).body)["model"] == "v1"
    champion.promote("v2", make_model(tmp_path / "v2", "v2", seed=1))
    context.netops_keeper._looked = -1e9
    handle(Message(json.dumps(sample("a", 1)).encode()))
    assert json.loads(handle(Message(json.dumps(sample("a", 2)).encode())).body)["model"] == "v2"


def test_triggers_give_each_replica_one_worker(function):
    from netops.serving import triggers

    for add in (
        lambda f: triggers.add_http(f),
        lambda f: triggers.add_kafka(f, ["broker:9092"], "telemetry", replicas=3),
        lambda f: triggers.add_v3io_stream(f, "v3io:///projects/demo/telemetry", replicas=3),
    ):
        deployed = add(function.copy())
        found = {key: spec for key, spec in deployed.spec.config.items() if key.startswith("spec.triggers")}
        assert [spec["maxWorkers"] for spec in found.values()] == [1]
        assert all(spec["workerTerminationTimeout"] == "60s" for spec in found.values())
    mounted = triggers.add_state_volume(function.copy(), "claim")
    assert mounted.spec.parameters["state_path"] == "/state"
