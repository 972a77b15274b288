"""The HTTP endpoints, in process."""

import json
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest

from netops.config.durations import HOUR
from netops.serving.settings import LimitSettings, ServingSettings, StateSettings
from tests.serving.bodies.test_arrow_body import written
from tests.serving.bodies.test_remote_write import request, series
from tests.serving.models import METRICS, SPEC
from tests.serving.samples import START, fleet, sample

pytest.importorskip("mlrun")


@pytest.fixture
def client(client_of):
    return client_of()


def test_one_for_one_and_a_list_for_a_list(client):
    one = client.post("/telemetry", json=sample("a", 0))
    assert one.status_code == 200
    answer = one.json()
    assert list(answer) == ["device", "timestamp", "status", "risk", "alert", "reasons", "model", "probability"]
    assert (answer["device"], answer["timestamp"], answer["status"]) == ("a", START, "scored")
    many = client.post("/telemetry", json=[sample("a", 0), sample("a", 1), {"device": "a"}]).json()
    assert [found["status"] for found in many] == ["duplicate", "scored", "rejected"]
    assert many[0]["risk"] is None
    assert "timestamp" in many[2]["error"]
    assert client.post("/telemetry", content=b"[]").json() == []


def test_bulk_bodies_are_answered_alike(client_of, tmp_path):
    samples = fleet(30, 80)
    answers = []
    for number, (content, kind) in enumerate(_bodies(samples)):
        with client_of(folder=tmp_path / str(number)) as client:
            answer = client.post("/telemetry", content=content, headers={"content-type": kind})
        assert answer.status_code == 200
        answers.append([(found["device"], found["risk"], found["alert"]) for found in answer.json()])
    assert len(answers[0]) == len(samples)
    assert answers[0] == answers[1] == answers[2]


def _bodies(samples):
    yield json.dumps(samples).encode(), "application/json"
    yield b"\n".join(json.dumps(row).encode() for row in samples), "application/x-ndjson; charset=utf-8"
    table = pa.table(
        {
            "timestamp": pa.array([row["timestamp"] * 10**9 for row in samples], pa.int64()),
            "device": [row["device"] for row in samples],
            **{metric: [row[metric] for row in samples] for metric in METRICS},
        }
    )
    yield written(table), "application/vnd.apache.arrow.stream"


def test_remote_write_comes_in(client):
    body = request(*(series({"__name__": m, "instance": "r1"}, [(START * 1000, 0.5)]) for m in METRICS))
    answer = client.post("/api/v1/write", content=body)
    assert answer.status_code == 204
    (device,) = client.get("/devices").json()
    assert (device["device"], device["risk"] is not None) == ("r1", True)
    assert client.post("/api/v1/write", content=b"x").status_code == 400
    letters = client.app.state.runtime.letters.path().read_text()
    assert "not a remote-write request" in letters


def test_questions(client):
    client.post("/telemetry", json=[sample("a", tick, hot=tick > 2, company="c") for tick in range(6)])
    (alert,) = client.get("/alerts").json()
    assert (alert["device"], alert["company"], alert["ended"], alert["kind"]) == ("a", "c", None, "risk")
    assert client.get("/alerts?all=true&limit=5").json() == [alert]
    assert client.get("/healthz").json()["alerts"] == 1
    assert client.get("/devices?limit=1&offset=1").json() == []
    model = client.get("/v2/models/netops").json()
    assert (model["features"], model["version"], model["threshold"]) == (list(SPEC.names), "v1", 0.5)
    exported = client.get("/metrics")
    assert exported.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = exported.text
    for name in ("netops_step_seconds_bucket", "netops_device_risk", "netops_alerts_open", "netops_model_info"):
        assert name in text


def test_a_fleet_is_followed_from_cursor_to_cursor(client):
    client.post("/telemetry", json=[sample("a", 0, company="c", data_center="x"), sample("b", 0)])
    whole = client.get("/fleet").json()
    assert (whole["devices"], whole["companies"], whole["data_centers"]) == (["a", "b"], ["c", None], ["x", None])
    assert (whole["known"], whole["last"], whole["alerting"]) == (2, [START * 1000] * 2, [])
    assert all(0 <= risk <= 1 for risk in whole["risk"])
    assert client.get(f"/fleet?since={whole['cursor']}").json()["devices"] == []
    client.post("/telemetry", json=[sample("b", tick, hot=True) for tick in (1, 2)])
    delta = client.get(f"/fleet?since={whole['cursor']}").json()
    assert (delta["devices"], delta["known"], delta["alerting"]) == (["b"], 2, ["b"])
    # A cursor from before a restart is invalid: all devices are returned.
    assert client.get(f"/fleet?since={delta['cursor'] + 1}").json()["devices"] == ["a", "b"]


def test_history_has_the_samples_in_a_devices_windows(client):
    client.post("/telemetry", json=[sample("a", tick, hot=tick == 3) for tick in range(5)])
    answer = client.get("/history", params={"device": "a"}).json()
    assert answer["times"] == [(START + 5 * tick) * 1000 for tick in range(5)]
    assert list(answer["values"]) == list(METRICS)
    assert answer["values"]["cpu_utilization"] == [0.1, 0.1, 0.1, 5.0, 0.1]
    assert client.get("/history?device=nobody").status_code == 404


def test_vectors_are_scored(client):
    rows = np.zeros((3, len(SPEC.names))).tolist()
    answer = client.post("/v2/models/netops/infer", json={"inputs": rows}).json()
    assert len(answer["outputs"]) == 3
    assert answer["model_version"] == "v1"
    too_large = b'{"inputs": [[1' + b"0" * 400 + b"]]}"
    for wrong in (b"", b"{", b"[]", b'{"inputs": [[1]]}', b'{"inputs": 3}', b"null", b"[" * 10_000, too_large):
        assert client.post("/v2/models/netops/infer", content=wrong).status_code == 400


def test_a_token_is_asked_of_all_but_health(client_of):
    client = client_of("secret")
    for path in ("/devices", "/fleet", "/alerts", "/metrics", "/v2/models/netops"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"authorization": "Bearer other"}).status_code == 401
        assert client.get(path, headers={"authorization": "Bearer secret"}).status_code == 200
    assert client.post("/telemetry", json=sample("a", 0)).status_code == 401
    for path, body in (("/alerts/x/feedback", {"verdict": "confirmed"}), ("/incidents", [])):
        assert client.post(path, json=body).status_code == 401
        found = client.post(path, json=body, headers={"authorization": "Bearer secret"})
        assert found.status_code == (200 if path == "/incidents" else 404)
    assert client.get("/feedback").status_code == 401
    assert client.get("/healthz").status_code == 200


def test_large_requests_are_refused(client_of):
    client = client_of(settings=ServingSettings(limits=LimitSettings(body_bytes=4096, batch=20)))
    answer = client.post("/telemetry", content=b" " * 5000)
    assert (answer.status_code, list(answer.json())) == (413, ["error"])
    assert client.post("/telemetry", json=[{}] * 21).status_code == 413
    assert client.post("/incidents", json=[{"device": "a", "start": 1}] * 21).status_code == 413
    assert client.post("/incidents", content=b" " * 5000).status_code == 413
    assert client.post("/telemetry", json=sample("a", 0)).status_code == 200


def test_unknown_paths_and_devices_are_reported(client):
    assert client.get("/nothing").status_code == 404
    assert client.get("/telemetry").status_code == 405
    assert client.get("/alerts?limit=0").status_code == 400


def test_the_champion_is_swapped_between_two_requests(client_of, model, tmp_path):
    import asyncio

    from netops.serving.engine.background import refresh
    from netops.serving.engine.champion import ChampionFile
    from tests.serving.models import make_model

    champion = ChampionFile(tmp_path / "champion.json")
    champion.promote("v1", model)
    client = client_of(source=champion, settings=ServingSettings(state=StateSettings(snapshot_interval=HOUR)))
    runtime = client.app.state.runtime
    assert client.post("/telemetry", json=sample("a", 0)).json()["model"] == "v1"
    champion.promote("v2", make_model(tmp_path / "v2", "v2", seed=3))
    asyncio.run(refresh(runtime))
    answer = client.post("/telemetry", json=sample("a", 1)).json()
    assert (answer["model"], answer["status"]) == ("v2", "scored")
    assert client.get("/v2/models/netops").json()["version"] == "v2"
    rows = np.zeros((1, len(SPEC.names))).tolist()
    assert client.post("/v2/models/netops/infer", json={"inputs": rows}).json()["model_version"] == "v2"


def test_the_published_description_holds_under_fuzzing(client):
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis.errors import Unsatisfiable
    from schemathesis.checks import CHECKS

    for kind in ("x-protobuf", "x-ndjson", "vnd.apache.arrow.stream", "vnd.apache.arrow.file"):
        schemathesis.serializer.alias(f"application/{kind}", "application/octet-stream")
    schema = schemathesis.openapi.from_asgi("/schema/openapi.json", client.app)
    # A malformed sample is answered like any other, with the status "rejected"; and no schema can say which bytes
    # are Arrow, or how many features the champion takes.
    unknown = ("negative_data_rejection", "positive_data_acceptance")
    checks = [check for check in CHECKS.get_all() if check.__name__ not in unknown]
    run = settings(
        max_examples=20,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 25
    for operation in operations:
        for mode in schemathesis.GenerationMode:
            strategy = operation.as_strategy(generation_mode=mode)
            # Of a request without parameters there is no wrong form.
            with suppress(Unsatisfiable):
                seed(0)(run(given(strategy)(lambda case: case.call_and_validate(checks=checks) and None)))()
