"""``POST /loki/api/v1/push`` over HTTP."""

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netops.serving.engine.champion import FixedModel
from netops.serving.settings import LimitSettings, MessageSettings, ServingSettings
from tests.serving.bodies.test_loki import as_json, as_protobuf, entry
from tests.serving.log_models import TEXTS, log_columns, make_log_model
from tests.serving.samples import START, sample

PATH = "/loki/api/v1/push"
NOW = (START + 2) * 10**9


@pytest.fixture
def served(client_of: Any, tmp_path: Path) -> Iterator[Any]:
    model = FixedModel("v1", make_log_model(tmp_path / "v1", log_columns(TEXTS[0])))
    settings = ServingSettings(
        messages=MessageSettings(max_entries=1000, host_labels=("router", "host")),
        limits=LimitSettings(body_bytes=1 << 20),
    )
    with client_of(source=model, settings=settings) as client:
        client.post("/telemetry", json=[sample("leaf1", 0), sample("leaf2", 0)])
        yield client


def statuses(client: Any) -> dict[str, float]:
    return statuses_in(client.get("/metrics").text)


def statuses_in(metrics: str) -> dict[str, float]:
    lines = metrics.splitlines()
    rows = [line.rsplit(" ", 1) for line in lines if line.startswith("netops_messages_total") and '"logs"' in line]
    return {name.split('status="')[1].split('"')[0]: float(count) for name, count in rows if float(count)}


def counted(client: Any, device: str) -> float:
    client.post("/telemetry", json=sample(device, 1))
    return client.get("/history", params={"device": device}).json()["values"]["log_message_count"][-1]


def test_json_and_protobuf_are_counted(served: Any) -> None:
    values = [[str(NOW), TEXTS[0], {"detected_level": "error"}], [str(NOW + 1), TEXTS[3]]]
    body = as_json(({"host": "LEAF1.corp.example"}, values), ({"job": "x", "router": "leaf2"}, values[:1]))
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = served.post(PATH, content=gzip.compress(body), headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    body = as_protobuf('{host="leaf1"}', entry(NOW + 2, TEXTS[1]))
    assert served.post(PATH, content=body, headers={"content-type": "application/x-protobuf"}).status_code == 204
    assert statuses(served) == {"counted": 4}
    assert (counted(served, "leaf1"), counted(served, "leaf2")) == (3, 1)


def test_every_entry_has_one_status(served: Any) -> None:
    values = [
        [str(NOW), TEXTS[0]],
        ["x", "y"],
        [str(time.time_ns() + 3_600 * 10**9), "ahead"],
        [str(NOW - 10**12), "late"],
    ]
    values += [[str(NOW), "z" * 9000], [str(NOW + 5), TEXTS[0]], [str(NOW + 5), TEXTS[0]]]
    body = as_json(({"host": "leaf1"}, values), ({"host": "spare"}, values[:1]), ({}, values[:1]))
    assert served.post(PATH, content=body, headers={"content-type": "application/json"}).status_code == 204
    found = statuses(served)
    assert found == {"counted": 2, "unreadable": 3, "ahead": 1, "late": 1, "duplicate": 1, "unknown_device": 1}


def test_many_entries_are_counted_in_slices(served: Any) -> None:
    values = [[str(NOW + number), f"fan {number} slow"] for number in range(1000)]
    assert served.post(PATH, content=as_json(({"host": "leaf1"}, values)), headers=JSON).status_code == 204
    assert statuses(served) == {"counted": 1000}


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("content", "headers", "status", "error"),
    [
        (b"{", JSON, 400, "not a push request of Loki"),
        (b"{}", {}, 400, "not a push request of Loki: not snappy"),
        (b"{}", JSON | {"content-encoding": "zstd"}, 400, "unknown Content-Encoding 'zstd'"),
        (as_json(({"host": "leaf1"}, [["x", "y"]])), JSON, 400, "its time is not a number of nanoseconds"),
        (as_json(({"host": "leaf1"}, [["1", "y"]] * 1001)), JSON, 413, "more than 1000 log entries in one request"),
        (
            gzip.compress(b" " * (2 << 20)),
            JSON | {"content-encoding": "gzip"},
            413,
            "the request decompresses to more",
        ),
        (b" " * (2 << 20), JSON, 413, "the body has more than 1048576 bytes"),
    ],
)
def test_errors_are_one_line(served: Any, content: bytes, headers: dict[str, str], status: int, error: str) -> None:
    answer = served.post(PATH, content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)
    assert "\n" not in answer.json()["error"]


def test_a_model_without_logs_refuses_them(client_of: Any) -> None:
    with client_of() as client:
        answer = client.post(PATH, json={"streams": []})
    assert answer.status_code == 409
    assert answer.json()["error"] == "the champion was trained without logs: train one with --logs"


def test_it_needs_the_token(client_of: Any) -> None:
    with client_of(token="secret") as client:
        assert client.post(PATH, json={"streams": []}).status_code == 401


def test_nuclio_answers_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from netops.serving.mlrun.function import make_serving_function
    from tests.serving.nuclio_peer import NuclioWorker

    monkeypatch.setenv("NETOPS_TOKEN", "secret")
    function = make_serving_function("demo", "demo-serving", make_log_model(tmp_path / "v1", log_columns(TEXTS[0])))
    nuclio = NuclioWorker(function, monkeypatch, state_path=str(tmp_path))
    nuclio.send(json.dumps([sample("leaf1", 0)]).encode())
    body = gzip.compress(as_json(({"host": "leaf1"}, [[str(NOW), TEXTS[0]]])))
    answer = nuclio.send(body, path=PATH, headers={"Content-Encoding": "gzip"})
    assert answer["status_code"] == 204
    assert statuses_in(nuclio.runtime.metrics.export().decode()) == {"counted": 1}
    nuclio.abandon()
