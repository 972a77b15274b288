"""The last messages of a device, which people look at."""

import pytest

from netops.serving.engine.champion import FixedModel
from netops.serving.logs.recent_lines import RecentLines
from netops.serving.settings import LimitSettings, MessageSettings, ServingSettings
from tests.serving.log_models import TEXTS, log_columns, make_log_model
from tests.serving.samples import START, sample


def test_the_last_messages_are_kept() -> None:
    lines = RecentLines(2)
    for time in (1, 3, 2):
        lines.add(7, time, 3, "", f"message {time}")
    assert [line.text for line in lines.of(7)] == ["message 3", "message 2"]
    lines.forget(7)
    assert lines.of(7) == []


def test_secrets_at_the_cut_are_masked() -> None:
    lines = RecentLines(1)
    lines.add(7, 1, 3, "", "x" * 480 + " http://bob:hunter2pw@host/x")
    assert lines.of(7)[0].text == "x" * 480 + " http://bob:***@host"


@pytest.fixture
def client_with(client_of, tmp_path):
    def begin(**settings):
        model = FixedModel("v1", make_log_model(tmp_path / "v1", log_columns(TEXTS[0], TEXTS[3])))
        client = client_of(settings=ServingSettings(**settings), source=model)
        client.post("/telemetry", json=[sample("leaf1", 0)])
        return client

    return begin


def _post(client, *lines: tuple[int, str, str]) -> None:
    records = [
        {"time": START + at, "host": "leaf1", "level": level, "message": message} for at, level, message in lines
    ]
    assert client.post("/logs", json=records).json()["counted"] == len(lines)


def test_they_are_answered_newest_first(client_with) -> None:
    client = client_with(messages=MessageSettings(keep=3))
    _post(
        client,
        (1, "info", "too old"),
        (2, "error", "login failed, password: hunter2"),
        (3, "warning", TEXTS[3]),
        (4, "debug", TEXTS[0]),
    )
    found = client.get("/devices/leaf1/logs").json()
    assert (found["device"], found["kept"]) == ("leaf1", 3)
    assert found["lines"][1:] == [
        {
            "time": (START + 3) * 1000,
            "severity": "warning",
            "template": "fan tray <*> speed changed to <*>",
            "text": TEXTS[3],
        },
        {"time": (START + 2) * 1000, "severity": "error", "template": None, "text": "login failed, password: ***"},
    ]

    def texts(**query) -> list[str]:
        return [line["text"] for line in client.get("/devices/leaf1/logs", params=query).json()["lines"]]

    assert texts(limit=1) == [TEXTS[0]]
    assert texts(severity=4) == [TEXTS[3], "login failed, password: ***"]
    assert texts(text="LOGIN") == ["login failed, password: ***"]


def test_unknown_severities_are_only_in_all(client_with) -> None:
    client = client_with(messages=MessageSettings(keep=9))
    _post(client, (1, "blue", "unknown"), (2, "error", "failed"), (3, "debug", "detail"))

    def texts(**query) -> list[str]:
        return [line["text"] for line in client.get("/devices/leaf1/logs", params=query).json()["lines"]]

    assert texts() == texts(severity=7) == ["detail", "failed", "unknown"]
    assert texts(severity=6) == texts(severity=3) == ["failed"]
    assert texts(severity=2) == []


def test_none_are_kept_by_default(client_with) -> None:
    client = client_with()
    _post(client, (1, "info", "x"))
    assert client.get("/devices/leaf1/logs").json() == {"device": "leaf1", "kept": 0, "lines": []}
    assert client.get("/devices/other/logs").status_code == 404


def test_those_of_evicted_devices_are_removed(client_with) -> None:
    client = client_with(messages=MessageSettings(keep=3), limits=LimitSettings(devices=1))
    _post(client, (1, "info", "x"))
    client.post("/telemetry", json=[sample("leaf2", 1)])
    assert client.get("/devices/leaf2/logs").json()["lines"] == []
