"""``netops inspect --logs``: what logs contain, as text, JSON and HTML."""

import json
from pathlib import Path

import pytest

from netops.cli.main import run
from tests.inspection.test_inspection import telemetry

LINES = [
    *(f"<187>Jan  5 0{hour}:00:00 r{hour % 3} Ebra: %LINK-3-UPDOWN: Interface Et{hour}, changed state to down"
      for hour in range(6)),
    *(f"<190>Jan  5 07:00:0{second} R1.dc.example sshd[{second}]: session opened for <b>" for second in range(5)),
    "<190>Jan  5 07:00:09 spare sshd[1]: session opened for x",
    "<190>Feb  5 07:00:09 r0 sshd[1]: session opened for <b>",
    "rubbish",
]  # fmt: skip


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    path = tmp_path / "messages"
    path.write_text("\n".join(LINES))
    return path


def test_it_reports_what_logs_contain(tmp_path: Path, logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert run(["inspect", str(telemetry(tmp_path)), "--logs", str(logs), "--html", str(page)]) == 0
    text = capsys.readouterr().out
    for line in (
        "logs: 1 file, 13 messages: rfc3164 (1 file)",
        "logs: times without a zone are UTC; year 2026 for the first line, closest to the telemetry",
        "logs: hosts matched without case, spaces, domain and port: R1.dc.example → r1",
        "warn: logs: messages set aside, of hosts that are no device of the telemetry: 1 of spare",
        f"warn: logs: lines set aside, not in the format rfc3164: 1 (first: {logs}: line 14: 'rubbish')",
        "warn: logs: messages outside of the time of the telemetry: 1 of 12 (messages from 2026-01-05T00:00:00Z to "
        "2026-02-05T07:00:09Z; check logs.timezone and logs.year)",
        "warn: logs: devices without a message: 1 (r3)",
        "severities: error 6, info 6",
        "templates (2): messages, devices, severity",
        "  6, 3, error: %LINK-3-UPDOWN: Interface <*>, changed state to down",
        "  6, 2, info: sshd: session opened for <b>",
    ):
        assert line in text.splitlines()
    html = page.read_text()
    assert "Interface &lt;*&gt;, changed state to down" in html
    assert "<b>" not in html


def test_as_json(tmp_path: Path, logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["inspect", str(telemetry(tmp_path)), "--logs", str(logs), "--log-format", "rfc3164", "--json"]
    assert run(words) == 0
    found = json.loads(capsys.readouterr().out)["logs"]
    assert (found["messages"], found["outside"], found["devices"], found["untemplated"]) == (12, 1, 3, 0)
    assert found["severities"]["error"] == 6
    assert [template["messages"] for template in found["templates"]] == [6, 6]
    assert found["reading"]["unknown_hosts"] == {"spare": 1}
    assert found["without_logs"] == ["r3"]


def test_without_logs_nothing_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(telemetry(tmp_path)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["logs"] is None


def test_a_wrong_format_is_an_error(tmp_path: Path, logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["inspect", str(telemetry(tmp_path)), "--logs", str(logs)]
    assert run([*words, "--log-format", "cisco"]) == 1
    assert "no log messages: lines set aside, not in the format cisco" in capsys.readouterr().err
    assert run([*words, "--log-format", "xml"]) == 2
    assert run([*words, "--logs", str(tmp_path / "missing")]) == 2


def test_logs_of_other_devices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "messages").write_text("<190>Jan  5 07:00:09 spare sshd[1]: session opened\n" * 5)
    assert run(["inspect", str(telemetry(tmp_path)), "--logs", str(tmp_path / "messages")]) == 0
    text = capsys.readouterr().out
    assert "messages: none of a device of the telemetry" in text.splitlines()
    assert "1970" not in text
