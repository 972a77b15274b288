"""A server with syslog: the status of each line, the state at the end, and what is refused."""

import json
import re
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netops.cli.main import run
from netops.errors import NetopsError, UsageError
from netops.serving.engine.champion import FixedModel
from netops.serving.engine.pipeline import Pipeline
from netops.serving.http.serve import serve
from netops.serving.settings import ServingSettings
from netops.serving.syslog.messages import LogLines
from tests.serving.live import LiveServer
from tests.serving.log_models import TEXTS, log_columns, make_log_model
from tests.serving.samples import START, sample
from tests.serving.syslog.test_senders import counts, post
from tests.serving.test_receivers import free_port

pytest.importorskip("mlrun")

NOW = datetime.fromtimestamp(START + 2, UTC)


@pytest.fixture
def pipeline(start: Any, tmp_path: Path) -> Pipeline:
    found: Pipeline = start(source=FixedModel("v1", make_log_model(tmp_path / "v1", log_columns(TEXTS[0]))))
    found.run([sample("leaf1", 0), sample("10.0.0.7", 0)])
    return found


def statuses(pipeline: Pipeline) -> dict[str, int]:
    text = pipeline.runtime.metrics.export().decode()
    found = re.findall(r'netops_messages_total\{.*"logs".*status="(\w+)"\} (\S+)', text)
    return {status: int(float(number)) for status, number in found if float(number)}


def test_lines_without_a_host_are_of_their_sender(pipeline: Pipeline) -> None:
    line = f"{NOW:%b %d %Y %H:%M:%S}: {TEXTS[0]}"
    LogLines(pipeline.runtime)(
        [line, line, f"<187>1 {NOW.isoformat()} leaf1 x - - - y"], ["10.0.0.7", "10.0.0.8", "10.0.0.8"]
    )
    assert statuses(pipeline) == {"counted": 2, "unknown_device": 1}


PARTS = st.sampled_from(
    [
        "<187>",
        "<999>",
        "1 ",
        f"{NOW:%b %d %H:%M:%S} ",
        NOW.isoformat(),
        " ",
        "leaf1 ",
        "- ",
        "%LINK-3-UPDOWN: ",
        "\0",
        "\n",
    ]
)
LINES = st.lists(st.one_of(st.text(), st.lists(st.one_of(PARTS, st.text(max_size=5)), max_size=8).map("".join)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(LINES)
def test_every_line_has_one_status(pipeline: Pipeline, lines: Sequence[str]) -> None:
    before = sum(statuses(pipeline).values())
    LogLines(pipeline.runtime)(lines, ["10.0.0.7"] * len(lines))
    assert sum(statuses(pipeline).values()) == before + len(lines)


def test_lines_sent_before_the_end_are_in_the_state(tmp_path: Path) -> None:
    port, model = free_port(), make_log_model(tmp_path / "v1", log_columns(TEXTS[0]))
    options = {"syslog": json.dumps(f"127.0.0.1:{port}")}
    now = time.time()
    at = datetime.fromtimestamp(now - 10, UTC)
    with LiveServer(model, tmp_path / "state", **options) as server:
        post(server.url, ["leaf1", "leaf2", "spine-1"], now - 30)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(
                b"".join(f"<187>{at:%b %d %H:%M:%S} leaf1 a: fan {n}\n".encode() for n in range(3000))
            )
            assert server.stop() == 0
        server.start()
        post(server.url, ["leaf1", "leaf2", "spine-1"], now)
        assert counts(server.url) == {"leaf1": 3000, "leaf2": 0, "spine-1": 0}


def test_a_model_without_logs_cannot_be_served_with_syslog(model: Path, tmp_path: Path) -> None:
    chosen = ServingSettings(port=0, syslog=f"127.0.0.1:{free_port()}")
    for _ in range(2):  # everything is closed
        with pytest.raises(
            NetopsError, match="--syslog: the champion was trained without logs: train one with --logs"
        ):
            serve("demo", chosen, source=FixedModel("v1", model), state=tmp_path / "state")


def test_a_port_that_is_taken_is_reported_first(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        chosen = ServingSettings(port=0, syslog=f"127.0.0.1:{other.getsockname()[1]}")
        with pytest.raises(UsageError, match=r"--syslog 127\.0\.0\.1:\d+ cannot be bound: Address already in use"):
            serve("demo", chosen, source=FixedModel("v1", tmp_path), state=tmp_path / "state")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--syslog", "0.0.0.0:5514"], "--syslog 0.0.0.0:5514 is not a local address, and syslog has no token"),
        (["--syslog", "5514"], "serving.syslog: invalid address '5514'"),
        (["--set", "serving.syslog_from=[10.0.0.1/8]"], "serving.syslog_from: 10.0.0.1/8 has host bits set"),
    ],
)
def test_mistakes_on_the_command_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", "--port", "0", *arguments]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
