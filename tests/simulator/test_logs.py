"""Log messages of a generated network: reproducible syslog with messages before incidents."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from netops.cli.main import run
from netops.config.durations import HOUR, MINUTE, SECOND
from netops.logs.devices import DeviceNames
from netops.logs.reading import LogReader
from netops.logs.settings import LogSettings
from netops.simulator.generate import generate
from netops.simulator.log_settings import GeneratedLogSettings
from netops.simulator.logs import write_logs
from netops.simulator.network import Network, make_network
from netops.simulator.settings import GeneratorSettings
from netops.telemetry.dataset import Dataset, finish
from netops.workflows.project_folder import project_root

START = 1_767_571_200 * SECOND
SETTINGS = GeneratorSettings.from_yaml(project_root() / "configurations" / "metrics.yaml")
HOURS = 8


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, Dataset]:
    about = {"devices": 20, "duration": HOURS * HOUR, "interval": MINUTE, "start": START + 20 * HOUR, "seed": 3}
    folder = tmp_path_factory.mktemp("network") / "telemetry"
    return make_network(SETTINGS, **about), generate(SETTINGS, folder, **about)


def write(made: tuple[Network, Dataset], path: Path, **changes: object) -> list[str]:
    settings = replace(GeneratedLogSettings(), **changes)  # type: ignore[arg-type]
    assert write_logs(*made, settings, path) == len(path.read_text().splitlines())
    return path.read_text().splitlines()


def test_the_same_network_has_the_same_lines(made: tuple[Network, Dataset], tmp_path: Path) -> None:
    lines = write(made, tmp_path / "a")
    assert lines == write(made, tmp_path / "b")
    assert 0.7 < len(lines) / (20 * HOURS * 40) < 1.5
    assert len(lines) > len(write(made, tmp_path / "c", per_hour=10.0))
    times = [line.split()[1] for line in lines]
    assert times == sorted(times)


@pytest.mark.parametrize("form", ["rfc5424", "rfc3164"])
def test_they_are_read_as_syslog(made: tuple[Network, Dataset], tmp_path: Path, form: str) -> None:
    lines = write(made, tmp_path / "log", format=form)
    devices = DeviceNames(made[0].fleet.names)
    reader = LogReader([tmp_path / "log"], LogSettings(year=2026), devices)
    batches = list(reader.batches())
    assert sum(map(len, batches)) == len(lines)
    assert reader.report.formats() == {form: 1}
    assert not reader.report.dropped()
    times = np.concatenate([batch.times for batch in batches])
    first, last = made[0].start, made[0].time_of(made[0].first + made[0].ticks)
    assert first - SECOND < times.min() <= times.max() < last


def test_some_devices_write_in_the_style_of_junos(made: tuple[Network, Dataset], tmp_path: Path) -> None:
    before = write(made, tmp_path / "before")
    lines = write(made, tmp_path / "log", junos_share=0.4)
    assert len(lines) == len(before)
    styles: dict[str, set[bool]] = {}
    for line in lines:
        styles.setdefault(line.split()[2], set()).add("%" in line)
    assert all(len(found) == 1 for found in styles.values()), "a device has one style"
    assert 2 <= sum(found == {False} for found in styles.values()) <= 14
    # The severity, which the mnemonic has in the other style, is in <PRI>.
    batches = LogReader([tmp_path / "log"], LogSettings(), DeviceNames(made[0].fleet.names)).batches()
    severities = np.sort(np.concatenate([batch.severities for batch in batches]))
    others = LogReader([tmp_path / "before"], LogSettings(), DeviceNames(made[0].fleet.names)).batches()
    np.testing.assert_array_equal(severities, np.sort(np.concatenate([batch.severities for batch in others])))


def test_incidents_have_messages_before_them(made: tuple[Network, Dataset], tmp_path: Path) -> None:
    quiet = {"per_hour": 0.0, "bursts": 0.0, "lookalike_share": 0.0, "false_precursors": 0.0, "strays": 0.0}
    incidents = made[1].meta.incidents
    assert incidents >= 2
    only = write(made, tmp_path / "a", **quiet, precursor_share=0.0)
    assert sum("%SYS-1-FAILED" in line for line in only) == incidents
    before = write(made, tmp_path / "b", **quiet, precursor_share=1.0, precursor_messages=20.0)
    assert len(before) > len(only) + 10 * incidents


def test_benign_events_resemble_incidents(made: tuple[Network, Dataset], tmp_path: Path) -> None:
    quiet = {"per_hour": 0.0, "bursts": 0.0, "precursor_share": 0.0, "strays": 0.0}
    without = write(made, tmp_path / "a", **quiet, lookalike_share=0.0, false_precursors=0.0)
    assert len(write(made, tmp_path / "b", **quiet, lookalike_share=1.0, false_precursors=0.0)) > len(without)
    assert len(write(made, tmp_path / "c", **quiet, lookalike_share=0.0, false_precursors=5.0)) > len(without)
    strays = write(made, tmp_path / "d", **(quiet | {"strays": 5.0}), lookalike_share=0.0, false_precursors=0.0)
    assert 0.5 < (len(strays) - len(without)) / (20 * HOURS / 24 * 5) < 1.5


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", "--out", str(tmp_path / "t"), "--devices", "3", "--duration", "1h", "--interval", "1m"]
    assert run([*words, "--logs", str(tmp_path / "log"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["log_messages"] == len((tmp_path / "log").read_text().splitlines()) > 50
    # The metrics of a network with logs do not announce all incidents: it is another network.
    assert run([*words, "--json"]) == 2
    assert "generated with other settings" in capsys.readouterr().err
    words[2] = str(tmp_path / "other")
    assert run([*words, "--json"]) == 0
    assert "log_messages" not in json.loads(capsys.readouterr().out)


def test_recorded_incidents_have_no_messages(made: tuple[Network, Dataset], tmp_path: Path) -> None:
    network, dataset = made
    table = dataset.incidents()
    row = table.slice(0, 1).to_pylist()[0] | {"precursor_start": None}
    recorded = [row | {"scenario": "cable cut"}, row | {"scenario": None}, row]
    generated, both = tmp_path / "generated", tmp_path / "both"
    write_logs(network, dataset, GeneratedLogSettings(), generated)
    (tmp_path / "merged").mkdir()
    merged = finish(
        tmp_path / "merged", dataset.meta, pa.concat_tables([table, pa.Table.from_pylist(recorded, table.schema)])
    )
    write_logs(network, merged, GeneratedLogSettings(), both)
    assert generated.read_bytes() == both.read_bytes()
