"""Lines from rsyslog and syslog-ng to a server: each is counted for its device."""

import json
import time
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.serving.live import LiveServer
from tests.serving.log_models import TEXTS, log_columns, make_log_model
from tests.serving.models import METRICS
from tests.serving.syslog import senders
from tests.serving.test_receivers import free_port, until

pytest.importorskip("mlrun")

#: Device → its lines.
DEVICES = {"leaf1": 70, "leaf2": 50, "spine-1": 30}


def lines_of(now: datetime) -> list[str]:
    """Lines of all devices in turn; their times are in the minute before, without a year and a fraction."""
    return [
        f"<187>{now:%b %d %H:%M:%S} {device} ifmgr: {TEXTS[number % len(TEXTS)]} {number}"
        for number in range(max(DEVICES.values()))
        for device, count in DEVICES.items()
        if number < count
    ]


def post(url: str, devices: list[str], at: float) -> None:
    samples = [{"device": name, "timestamp": at, **dict.fromkeys(METRICS, 0.1)} for name in devices]
    request = urllib.request.Request(
        url + "/telemetry", json.dumps(samples).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert {found["status"] for found in json.load(answer)} == {"scored"}


def metric(url: str, name: str) -> float:
    with urllib.request.urlopen(url + "/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def messages(url: str, status: str) -> float:
    with urllib.request.urlopen(url + "/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.startswith("netops_messages_total") and f'status="{status}"' in line and '"logs"' in line
    )


def counts(url: str) -> dict[str, float]:
    found = {}
    for device in DEVICES:
        with urllib.request.urlopen(f"{url}/history?device={device}", timeout=5) as answer:
            found[device] = json.load(answer)["values"]["log_message_count"][-1]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", senders.RSYSLOG)
@pytest.mark.parametrize(
    ("sender", "program"),
    [(senders.rsyslog, "rsyslogd"), (senders.syslog_ng, "syslog-ng")],
    ids=["rsyslog", "syslog-ng"],
)
def test_every_line_is_counted_for_its_device(
    kind: str,
    sender: Callable[..., AbstractContextManager[None]],
    program: str,
    require_program: Callable[..., str],
    tmp_path: Path,
) -> None:
    path, port = require_program(program), free_port()
    model = make_log_model(tmp_path / "v1", log_columns(TEXTS[0]))
    with LiveServer(model, tmp_path / "state", syslog=json.dumps(f"127.0.0.1:{port}")) as server:
        now = time.time()
        post(server.url, list(DEVICES), now - 30)
        lines = lines_of(datetime.fromtimestamp(now - 10, UTC))
        with sender(path, tmp_path, lines, kind, port):
            until(lambda: messages(server.url, "counted") == len(lines), 20)
        post(server.url, list(DEVICES), now)
        assert counts(server.url) == DEVICES
        assert metric(server.url, "netops_syslog_lines_total") == len(lines)
        assert metric(server.url, "netops_syslog_lines_cut_total") == 0
        assert server.stop() == 0
