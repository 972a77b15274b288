"""The function as it is deployed on Nuclio: its source is decoded, run and sent the messages that Nuclio sends."""

import gc
import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest

from netops.serving.engine.champion import ChampionFile
from netops.serving.requests.endpoints.model import MODEL_PATH
from tests.servers import LocalServer
from tests.serving.bodies.test_remote_write import request, series
from tests.serving.conftest import mock_server
from tests.serving.log_models import TEXTS, log_columns, make_log_model
from tests.serving.models import SPEC, make_model
from tests.serving.samples import START, body, sample

pytest.importorskip("mlrun")


@pytest.fixture(scope="module")
def function(model):
    from netops.serving.mlrun.function import make_serving_function

    return make_serving_function("demo", "demo-serving", model)


@pytest.fixture
def worker(function, tmp_path, monkeypatch):
    """Start a worker; one that is started again is a replica that comes back after a kill."""
    from tests.serving.nuclio_peer import NuclioWorker

    monkeypatch.setenv("NETOPS_TOKEN", "secret")
    started = []

    def begin(of=function, **parameters):
        for earlier in started:
            earlier.abandon()
        started.clear()
        started.append(NuclioWorker(of, monkeypatch, **({"state_path": str(tmp_path / "state")} | parameters)))
        return started[0]

    yield begin
    for earlier in started:
        earlier.abandon()


def test_the_hooks_that_are_deployed_are_ours(function):
    from netops.serving.mlrun import nuclio_worker
    from tests.serving.nuclio_peer import load

    module = load(function)
    assert module.handler is nuclio_worker.handler
    assert module.init_context is nuclio_worker.init_context
    assert sys.modules[module.handler.__module__].init_context is nuclio_worker.init_context


def test_the_collector_runs_as_seldom_as_in_the_server(worker):
    before = gc.get_threshold()
    try:
        gc.set_threshold(700, 10, 10)
        worker()
        assert gc.get_threshold()[0] >= 50_000
    finally:
        gc.set_threshold(*before)


def test_http_messages_are_answered_as_by_the_server(worker):
    nuclio = worker()
    answer = nuclio.send(body(sample("a", 0), sample("a", 0)))
    assert (answer["status_code"], answer["content_type"]) == (200, "application/json")
    assert [found["status"] for found in json.loads(answer["body"])] == ["scored", "duplicate"]
    lines = b"\n".join(json.dumps(sample("a", tick)).encode() for tick in (1, 2))
    answer = nuclio.send(lines, content_type="application/x-ndjson")
    assert [found["status"] for found in json.loads(answer["body"])] == ["scored", "scored"]
    assert nuclio.get("/healthz")["devices"] == 1
    assert nuclio.send(path="/metrics", method="GET")["content_type"].count("charset") == 1
    assert nuclio.get(MODEL_PATH)["version"] == "v1"
    assert nuclio.get("/history", device="a")["device"] == "a"
    assert nuclio.get("/devices", limit="1", offset="1") == []
    assert nuclio.get("/fleet", since="0")["known"] == 1


def test_log_messages_are_counted(worker, tmp_path):
    from netops.serving.mlrun.function import make_serving_function

    model = make_log_model(tmp_path / "logs", log_columns(TEXTS[0]))
    nuclio = worker(make_serving_function("demo", "demo-serving", model))
    nuclio.send(body(sample("a", 0)))
    record = {"time": START + 1, "host": "a", "level": "error", "message": TEXTS[0]}
    for content, kind in (
        (json.dumps(record).encode(), "application/json"),
        # Nuclio has parsed it.
        ({**record, "time": START + 2}, "application/json"),
        (f"<187>1 2023-11-14T22:13:23Z a app - - - {TEXTS[0]}".encode(), "text/plain"),
    ):
        answer = json.loads(nuclio.send(content, "/logs", content_type=kind)["body"])
        assert (answer["counted"], answer["errors"]) == (1, [])
    event = {"device": "a", "timestamp": START + 4, "kind": "reboot"}
    assert json.loads(nuclio.send(json.dumps(event).encode(), "/events")["body"])["counted"] == 1
    nuclio.send(body(sample("a", 1)))
    values = nuclio.get("/history", device="a")["values"]
    assert (values["log_message_count"], values["event_reboot_count"]) == ([0, 3], [0, 1])
    assert nuclio.get("/devices/a/logs") == {"device": "a", "kept": 0, "lines": []}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/telemetry", 405),
        ("PUT", "/telemetry", 405),
        ("GET", "/api/v1/write", 405),
        ("POST", "/healthz", 405),
        ("POST", "/", 404),
        ("GET", "/other", 404),
        ("GET", "/history", 400),
        ("HEAD", "/healthz", 200),
    ],
)
def test_methods_are_those_of_the_server(worker, method, path, status):
    assert worker().send(body(sample("a", 0)), path, method)["status_code"] == status


def test_empty_lists_are_answers(worker):
    nuclio = worker()
    assert nuclio.get("/alerts") == []
    assert nuclio.send(b"[]")["body"] == "[]"
    assert nuclio.stream(b"[]")["status_code"] == 200
    part = request(series({"device": "a", "__name__": "latency"}, [(START * 1000, 0.1)]))
    first = nuclio.send(part, "/api/v1/write", content_type="application/x-protobuf")
    assert (first["status_code"], first["body"]) == (204, "")


@pytest.mark.parametrize("content", [b"7", b"999999999999", b"true", b"null", b'"text"', b"{", b"\xff", b""])
def test_invalid_samples_are_rejected_and_stored(worker, content, tmp_path):
    nuclio = worker()
    answer = nuclio.send(content)
    assert answer["status_code"] == 200
    assert json.loads(answer["body"])["status"] == "rejected"
    nuclio.stream(content)
    letters = list(tmp_path.glob("state/*/*/replica-0/dead-letters.jsonl"))
    assert len(letters[0].read_text().splitlines()) == 2
    assert b'netops_samples_total{network="demo",status="rejected"} 2.0' in nuclio.runtime.metrics.export()


@pytest.mark.parametrize("content", [7, 999999999999, True, None, 1.5, "text"])
def test_what_the_sdk_has_read_already_is_no_number_of_bytes(worker, content):
    from netops.serving.engine.samples import BodyError

    pipeline = worker().context.netops.service.pipeline
    assert [answer.status for answer in pipeline.run(content)] == ["rejected"]
    for kind in ("application/x-protobuf", "application/vnd.apache.arrow.stream"):
        with pytest.raises(BodyError):
            pipeline.run(content, kind)


def test_a_body_beyond_the_limit_is_refused(worker):
    nuclio = worker(serving={"limits": {"body_bytes": 1024}})
    assert nuclio.send(b" " * 1025)["status_code"] == 413
    assert nuclio.send(body(sample("a", 0)))["status_code"] == 200


def test_the_token_is_asked_for_over_http_alone(worker, monkeypatch):
    nuclio, message = worker(), body(sample("a", 0))
    assert nuclio.send(message, headers={"Authorization": "Bearer other"})["status_code"] == 401
    assert nuclio.send(message)["status_code"] == 200
    assert nuclio.send(path="/healthz", method="GET", headers={"Authorization": ""})["status_code"] == 200
    assert nuclio.stream(message)["status_code"] == 200
    monkeypatch.delenv("NETOPS_TOKEN")
    closed = worker()
    refused = closed.send(message)
    assert (refused["status_code"], "NETOPS_TOKEN" in refused["body"]) == (401, True)
    assert closed.send(path="/metrics", method="GET")["status_code"] == 401
    assert closed.stream(message)["status_code"] == 200


@pytest.mark.parametrize("kind", ["v3io-stream", "v3ioStream"])
def test_stream_and_requests_share_one_state(worker, kind):
    nuclio = worker()
    hot = [json.dumps(sample("a", tick, hot=True)).encode() for tick in range(3)]
    assert [nuclio.stream(message, kind=kind)["body"] for message in hot] == ["", "", ""]
    assert [alert["device"] for alert in nuclio.get("/alerts")] == ["a"]
    assert nuclio.get("/healthz")["devices"] == 1
    text = nuclio.send(path="/metrics", method="GET")["body"]
    assert 'netops_samples_total{network="demo",status="scored"} 3.0' in text


def test_the_state_is_saved_without_a_message_and_found_after_a_kill(worker):
    nuclio = worker(serving={"state": {"snapshot_interval": "200ms"}})
    nuclio.send(body(*[sample("a", tick) for tick in range(5)]))
    nuclio.wait(0.8)
    assert b'netops_snapshots_total{network="demo",result="written"}' in nuclio.runtime.metrics.export()
    assert worker().get("/healthz")["devices"] == 1


def test_a_worker_that_ends_saves_and_ends_its_process(worker):
    nuclio = worker()
    nuclio.send(body(*[sample("a", tick) for tick in range(5)]))
    assert nuclio.terminate() == 0
    health = worker().get("/healthz")
    assert (health["devices"], health["replay_point"]) == (1, "2023-11-14T22:13:10Z")


def test_a_state_that_cannot_be_saved_at_the_end_is_no_success(worker, monkeypatch):
    nuclio = worker()
    monkeypatch.setattr(nuclio.runtime, "save", lambda: (_ for _ in ()).throw(OSError("no space left")))
    assert nuclio.terminate() == 1


def test_a_drain_saves_at_once_and_nothing_is_thrown_away(worker):
    nuclio = worker()
    nuclio.send(body(sample("a", 0)))
    nuclio.wait(0)
    nuclio.signal(signal.SIGUSR2)
    assert nuclio.get("/healthz")["replay_point"] is not None
    assert json.loads(nuclio.send(body(sample("a", 1)))["body"])[0]["status"] == "scored"


def test_a_new_champion_is_taken_without_a_message(worker, model, tmp_path):
    champion = ChampionFile(tmp_path / "champion.json")
    champion.promote("v1", model)
    nuclio = worker(model_path=str(champion.file), serving={"state": {"champion_interval": "50ms"}})
    assert json.loads(nuclio.send(body(sample("a", 0)))["body"])[0]["model"] == "v1"
    champion.promote("v2", make_model(tmp_path / "v2", "v2", seed=1))
    for _ in range(100):
        nuclio.wait(0.05)
        if nuclio.get("/healthz")["model"] == "v2":
            break
    assert json.loads(nuclio.send(body(sample("a", 1)))["body"])[0]["model"] == "v2"


def test_a_candidate_is_asked_by_its_version_before_it_is_champion(worker, model, tmp_path):
    from netops.models.onnx_file import Scorer

    champion, candidate = ChampionFile(tmp_path / "champion.json"), make_model(tmp_path / "v2", "v2", seed=1)
    champion.promote("v1", model)
    champion.put_in_shadow("v2", candidate)
    nuclio = worker(model_path=str(champion.file))
    rows = np.random.default_rng(0).normal(size=(5, len(SPEC.names)))
    asked = json.dumps({"inputs": rows.tolist()}).encode()
    answer = json.loads(nuclio.send(asked, f"{MODEL_PATH}/versions/v2/infer")["body"])
    np.testing.assert_allclose(answer["outputs"], Scorer(candidate).score(rows), atol=1e-6)
    champion_answer = json.loads(nuclio.send(asked, f"{MODEL_PATH}/infer")["body"])
    np.testing.assert_allclose(champion_answer["outputs"], Scorer(model).score(rows), atol=1e-6)
    assert (answer["model_version"], champion_answer["model_version"]) == ("v2", "v1")


def test_alerts_are_delivered_to_receivers(worker):
    taken = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with LocalServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        nuclio = worker(serving={"receivers": [{"kind": "webhook", "url": url}]})
        nuclio.send(body(*[sample("a", tick, hot=True) for tick in range(3)]))
        for _ in range(200):
            if taken:
                break
            nuclio.wait(0.05)
        server.shutdown()
    assert taken[0]["alert"]["device"] == "a"


def test_replicas_functions_and_networks_have_separate_states(worker, function, tmp_path):
    from netops.serving.mlrun.graph import pipeline_of

    worker()
    for parameters, folder in [
        ({}, "demo/demo-serving/replica-1"),
        ({"function": "demo-serving-canary"}, "demo/demo-serving-canary/replica-0"),
        ({"network": "edge"}, "edge/demo-serving/replica-0"),
    ]:
        other = function.copy()
        path = {"state_path": str(tmp_path / "state")}
        other.spec.parameters = function.spec.parameters | path | parameters
        with mock_server(other) as server:
            assert pipeline_of(server.context).runtime.folder == tmp_path / "state" / folder


def test_the_state_of_an_earlier_version_is_restored_only_by_its_network(worker, tmp_path):
    nuclio = worker()
    nuclio.send(body(sample("a", 0)))
    assert nuclio.terminate() == 0
    volume = tmp_path / "state"
    (volume / "demo/demo-serving/replica-0").rename(volume / "replica-0")
    (volume / "demo/demo-serving").rmdir()
    (volume / "demo").rmdir()
    assert worker(network="edge").get("/healthz")["devices"] == 0
    assert worker().get("/healthz")["devices"] == 1


def moving(worker, settling: float = 0.0):
    """Two shards of ten devices each; then the second one goes to another replica."""
    nuclio = worker()
    nuclio.context.netops.assignment._settling = settling
    for tick in range(30):
        for shard in (0, 1):
            message = body(*[sample(f"s{shard}-{n}", tick, hot=n == 0) for n in range(10)])
            assert nuclio.stream(message, shard)["status_code"] == 200
    return nuclio


def go_on(nuclio, first: int, count: int = 100, devices: int = 10) -> None:
    for tick in range(first, first + count):
        nuclio.stream(body(*[sample(f"s0-{n}", tick) for n in range(devices)]), 0)


def test_devices_that_moved_are_forgotten_and_not_silent(worker):
    nuclio = moving(worker)
    assert {alert["device"] for alert in nuclio.get("/alerts")} == {"s0-0", "s1-0"}
    nuclio.signal(signal.SIGUSR2)
    go_on(nuclio, 30)
    assert {alert["kind"] for alert in nuclio.get("/alerts")} <= {"risk"}
    assert "s1-0" not in {alert["device"] for alert in nuclio.get("/alerts")}
    assert nuclio.get("/healthz")["devices"] == 10
    assert b'netops_devices_moved_total{network="demo"} 10.0' in nuclio.runtime.metrics.export()


def test_a_device_that_is_silent_in_a_shard_that_is_still_read_is_reported(worker):
    nuclio = moving(worker)
    nuclio.signal(signal.SIGUSR2)
    go_on(nuclio, 30, devices=9)
    assert "s0-9" in {alert["device"] for alert in nuclio.get("/alerts") if alert["kind"] == "silent"}


def test_devices_that_moved_while_a_replica_was_away_are_forgotten_too(worker):
    nuclio = moving(worker)
    assert nuclio.terminate() == 0
    nuclio = worker()
    assert nuclio.get("/healthz")["devices"] == 20
    go_on(nuclio, 30)
    assert not [alert for alert in nuclio.get("/alerts") if alert["kind"] == "silent"]
    assert nuclio.get("/healthz")["devices"] == 10


def test_messages_of_the_old_assignment_do_not_count(tmp_path):
    from netops.serving.engine.assignment import Assignment

    now = 100.0
    assignment = Assignment(tmp_path, 5.0, lambda: now)
    assignment.add(["a"], 1)
    assert not assignment.is_elsewhere("a")
    assignment.reassign()
    assignment.add(["a"], 1)
    assert assignment.is_elsewhere("a")
    now = 106.0
    assignment.add(["a"], 1)
    assert not assignment.is_elsewhere("a")
    assert not assignment.is_elsewhere("over-http")


@pytest.mark.parametrize("stream", ["", "v3io"])
def test_all_triggers_of_a_function_share_one_worker(function, stream):
    from netops.serving.mlrun import triggers

    deployed = function.copy()
    if stream == "v3io":
        triggers.add_v3io_stream(deployed, "v3io:///projects/demo/telemetry", replicas=3)
    else:
        triggers.add_http(deployed)
    found = {key: spec for key, spec in deployed.spec.config.items() if key.startswith("spec.triggers.")}
    assert set(found) == {"spec.triggers.http"} | ({f"spec.triggers.{stream}"} if stream else set())
    assert {spec["workerAllocatorName"] for spec in found.values()} == {"netops"}
    # Nuclio 1.15 reads numWorkers, those before 1.14 maxWorkers.
    assert {(spec["numWorkers"], spec["maxWorkers"]) for spec in found.values()} == {(1, 1)}
    assert {spec["workerTerminationTimeout"] for spec in found.values()} == {"5s" if stream else "20s"}
    assert found["spec.triggers.http"]["attributes"]["maxRequestBodySize"] == 16 << 20
    if stream:
        assert found[f"spec.triggers.{stream}"]["attributes"]["workerAllocationMode"] == "pool"


def test_the_state_volume_is_mounted(function):
    from netops.serving.mlrun import triggers

    mounted = triggers.add_state_volume(function.copy(), "claim")
    assert mounted.spec.parameters["state_path"] == "/state"
