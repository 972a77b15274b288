"""Errors of the environment are reported in one line with instructions."""

import errno
import os
from pathlib import Path

import pytest

from netops.cli.main import run

TELEMETRY = "timestamp,device,cpu,is_error\n" + "".join(
    f"2026-01-05T00:{minute:02}:00Z,r1,{minute % 7},{int(minute == 30)}\n" for minute in range(60)
)


@pytest.fixture
def telemetry(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    path.write_text(TELEMETRY)
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(list(arguments)) in (1, 2)
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "unexpected" not in lines[0]
    return lines[0]


def test_a_file_as_home(
    telemetry: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NETOPS_HOME", str(telemetry))
    assert f"NETOPS_HOME={telemetry} is not a folder" in refused(capsys, "run", "--telemetry", str(telemetry))


def test_a_home_that_cannot_be_made(
    telemetry: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NETOPS_HOME", "/proc/netops")
    line = refused(capsys, "run", "--telemetry", str(telemetry))
    assert "NETOPS_HOME=/proc/netops cannot be created" in line


def test_a_file_where_features_should_go(telemetry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert str(telemetry) in refused(capsys, "features", "--telemetry", str(telemetry), "--out", str(telemetry))
    assert telemetry.read_text() == TELEMETRY


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_takes_nothing(
    number: int, telemetry: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number), "/tmp/part-00000.parquet")

    monkeypatch.setattr("netops.telemetry.steps.write_part", full)
    out = telemetry.parent / "out"
    line = refused(capsys, "features", "--telemetry", str(telemetry), "--out", str(out))
    assert f"/tmp/part-00000.parquet: {os.strerror(number).lower()}" in line
    assert "TMPDIR" in line
    assert not out.exists()


def test_a_path_where_no_folder_can_be_created(telemetry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "features", "--telemetry", str(telemetry), "--out", "/proc/out")
    assert line.startswith("netops: /proc/out: no such file or directory; check the path")
