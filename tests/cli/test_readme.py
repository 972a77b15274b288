"""The commands in the README work."""

import re
import shlex
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from netops.cli.main import cli

from .conftest import Call
from .test_own_data import telemetry

README = Path(__file__).parents[2] / "README.md"
#: Commands that need a cluster, or that stay: these are tested where they belong, here only read.
ELSEWHERE = ("serve", "simulate", "dashboard", "submit", "schedule")


def commands() -> list[list[str]]:
    """List the netops commands of the README's shell blocks, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.split("  #")[0].rstrip(" &") for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("netops ")]


def test_every_command_parses() -> None:
    assert len(commands()) >= 8
    for arguments in commands():
        context, words = click.Context(cli), list(arguments)
        command: click.Command = cli
        while isinstance(command, click.Group):
            name = words.pop(0)
            found = command.get_command(context, name)
            assert found is not None, arguments
            command, context = found, click.Context(found, parent=context)
        command.make_parser(context).parse_args(words)


def with_busy_periods(frame: pd.DataFrame) -> pd.DataFrame:
    """Add periods that look like failures in the latency alone, so that a model beats thresholds."""
    frame = frame.copy()
    for _, device in frame.groupby("node"):
        failing = np.flatnonzero(device.is_error & ~device.is_error.shift(fill_value=False))
        for start in failing[:-1] + 150:
            rows = device.index[start - 10 : start + 12]
            frame.loc[rows, "latency"] += np.linspace(1, 20, len(rows))
            frame.loc[rows, "cpu"] += 40
    return frame


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the README speaks of."""
    folder = tmp_path_factory.mktemp("readme")
    frame = with_busy_periods(telemetry())
    starts = frame.groupby("node").is_error.transform(lambda e: e & ~e.shift(fill_value=False))
    log = frame[starts][["node", "time"]].rename(columns={"node": "device", "time": "start"})
    log.assign(end=log.start + (frame.time[1] - frame.time[0]) * 12).to_csv(folder / "outages.csv", index=False)
    frame.drop(columns="is_error").to_csv(folder / "core-routers.csv", index=False)
    frame.drop(columns="is_error").to_parquet(folder / "today.parquet")
    (folder / "syslog").mkdir()
    lines = [
        f"<187>1 {time:%Y-%m-%dT%H:%M:%SZ} {node} app - - - fan failed"
        for node, time in zip(log.device, log.start, strict=True)
    ]
    (folder / "syslog" / "routers.log").write_text("\n".join(lines) + "\n")
    for month in ("january", "february"):
        (folder / month).mkdir()
        telemetry(devices=6).to_csv(folder / month / "all.csv", index=False)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [c for c in commands() if c[0] not in ELSEWHERE], ids=" ".join)
def test_commands_of_the_readme_work(
    netops: Call, workplace: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    done = netops(*arguments)
    assert done.code == 0, done.err
    if arguments[0] == "run":
        report = Path(done.out.splitlines()[-1]).read_text(encoding="utf-8")
        assert ('class="log-errors"' in report) == ("--logs" in arguments)
    if "--out" in arguments:
        assert (workplace / arguments[arguments.index("--out") + 1]).stat().st_size
    if arguments[0] == "score":
        assert pq.read_metadata(workplace / "risks.parquet").num_rows == len(telemetry())
