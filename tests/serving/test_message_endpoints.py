"""``POST /logs`` and ``POST /events`` over HTTP."""

import datetime
import gzip
import json

import pytest

from netops.serving.engine.champion import FixedModel
from netops.serving.settings import MessageSettings, ServingSettings
from tests.serving.log_models import TEXTS, log_columns, make_log_model
from tests.serving.samples import START, sample

LINES = "application/x-ndjson"
UTC = datetime.UTC
NOW = datetime.datetime.fromtimestamp(START + 2, UTC)


@pytest.fixture
def client(client_of, tmp_path):
    model = FixedModel("v1", make_log_model(tmp_path / "v1", log_columns(TEXTS[0], TEXTS[3])))
    with client_of(source=model) as client:
        client.post("/telemetry", json=[sample("leaf1", 0), sample("leaf2", 0)])
        yield client


def counted(client, device: str) -> float:
    """Count the messages of the next sample of a device."""
    client.post("/telemetry", json=sample(device, 1))
    return client.get("/history", params={"device": device}).json()["values"]["log_message_count"][-1]


def post(client, content, kind: str, **query) -> dict:
    answer = client.post("/logs", content=content, headers={"content-type": kind}, params=query)
    assert answer.status_code == 200, answer.text
    return {name: value for name, value in answer.json().items() if value}


def test_lines_of_syslog(client) -> None:
    lines = [
        f"<187>1 {NOW.isoformat()} leaf1 ifmgr - - - {TEXTS[0]}",
        f"<187>1 {NOW:%Y-%m-%dT%H:%M:%S}.25Z LEAF2.corp.example ifmgr - - - {TEXTS[0]}",
        f"{NOW:%Y-%m-%d %H:%M:%S} leaf1 {TEXTS[3]}",
        "",
    ]
    assert post(client, "\r\n".join(lines), "text/plain; charset=utf-8") == {"counted": 3}
    assert counted(client, "leaf1") == 2
    assert counted(client, "leaf2") == 1


def test_lines_without_a_year_have_the_current_one(client) -> None:
    answer = post(client, f"<187>Nov 14 22:13:22 leaf1 {TEXTS[0]}", "text/plain")
    assert answer == {"counted": 1}
    # It is much later than the sample, which is of 2023.
    assert counted(client, "leaf1") == 0


def test_lines_of_one_device(client) -> None:
    line = f"<187>1 {NOW.isoformat()} - ifmgr - - - {TEXTS[0]}"
    answer = client.post("/logs", content=line, headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()["error"]) == (400, "names no host")
    assert post(client, line, "text/plain", device="leaf1") == {"counted": 1}


def test_a_line_without_a_time_has_that_of_its_arrival(client) -> None:
    assert post(client, "<187>: %SYS-3-CPUHOG: task ran for 2148 ms", "text/plain", device="leaf1") == {
        "counted": 1
    }
    assert counted(client, "leaf1") == 0


def test_json(client) -> None:
    record = {"@timestamp": NOW.isoformat(), "host": {"name": "leaf1"}, "level": "error", "message": TEXTS[0]}
    loki = {"stream": {"host": "leaf1", "level": "warn"}, "values": [[f"{(START + 3) * 10**9}", TEXTS[3]]]}
    assert post(client, json.dumps([record, {"streams": [loki]}]), "application/json") == {"counted": 2}
    lines = "\n".join([json.dumps({**record, "message": TEXTS[1]}), "no JSON", json.dumps(7)])
    assert post(client, lines, LINES) == {
        "counted": 1,
        "unreadable": 2,
        "errors": ["lines set aside, not in the format json", "JSON values set aside that are not objects"],
    }
    assert counted(client, "leaf1") == 3


def test_events(client) -> None:
    events = [{"device": "leaf1", "timestamp": START + 1, "kind": "config"}, {"device": "leaf1", "kind": "reboot"}]
    answer = client.post("/events", json=events).json()
    assert (answer["counted"], answer["unreadable"]) == (1, 1)
    assert "timestamp" in answer["errors"][0]
    lines = "\n".join(map(json.dumps, [{"device": "leaf1", "timestamp": NOW.isoformat(), "kind": "Reboot"}] * 2))
    answer = client.post("/events", content=lines, headers={"content-type": LINES}).json()
    assert answer["counted"] == 2
    client.post("/telemetry", json=sample("leaf1", 1))
    values = client.get("/history", params={"device": "leaf1"}).json()["values"]
    assert (values["event_config_count"][-1], values["event_reboot_count"][-1]) == (1, 2)


@pytest.mark.parametrize(
    ("path", "content", "kind", "status", "error"),
    [
        ("/logs", "nothing known", "text/plain", 400, "no known format: 'nothing known'"),
        ("/logs", "x" * 9_000, "text/plain", 400, "longer than 8,192 characters"),
        (
            "/logs",
            json.dumps({"message": "y" * 9_000, "host": "a", "time": 1}),
            LINES,
            400,
            "lines set aside, longer than 8,192 characters",
        ),
        ("/logs", "[" * 100_000, "application/json", 400, "lines set aside, not in the format json"),
        ("/logs", gzip.compress(b"x", mtime=0), "application/gzip", 415, "application/gzip: not supported"),
        ("/logs", "\n" * 50_001, "text/plain", 413, "more than 50000 lines in one request"),
        ("/events", "{", "application/json", 400, "not valid JSON"),
        ("/events", "[1]", "application/json", 400, "Expected `object`, got `int`"),
        ("/events", json.dumps([{}] * 10_001), "application/json", 413, "10001 events in one request"),
    ],
)
def test_errors_say_what_is_wrong(client, path: str, content, kind: str, status: int, error: str) -> None:
    answer = client.post(path, content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)


def test_a_model_without_logs_refuses_them(client_of) -> None:
    with client_of() as client:
        for path in ("/logs", "/events"):
            answer = client.post(path, json={})
            assert answer.status_code == 409
            assert "the champion was trained without" in answer.json()["error"]


def test_times_without_a_zone_have_that_of_the_settings(client_of, tmp_path) -> None:
    model = FixedModel("v1", make_log_model(tmp_path / "v1", log_columns(TEXTS[0])))
    settings = ServingSettings(messages=MessageSettings(timezone="Asia/Tokyo"))
    with client_of(settings=settings, source=model) as client:
        client.post("/telemetry", json=sample("leaf1", 0))
        there = NOW.astimezone(datetime.timezone(datetime.timedelta(hours=9)))
        assert post(client, f"{there:%Y-%m-%d %H:%M:%S} leaf1 {TEXTS[3]}", "text/plain") == {"counted": 1}
