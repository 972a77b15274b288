"""Prometheus as source: a real one, with telemetry of the past and with an exporter that it scrapes."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import prometheus_client
import pyarrow as pa
import pytest

from netops.config.durations import SECOND
from netops.errors import NetopsError, UsageError
from netops.telemetry.dataset import Dataset
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import PrometheusSettings, TelemetrySettings
from netops.telemetry.sources import prometheus

START, STEP, POINTS = 1_767_614_400, 15, 400  # 2026-01-05T12:00:00Z
END = START + (POINTS - 1) * STEP
DEVICES = ("a:9100", "b:9100", "c:9100")


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@contextmanager
def running(program: str, folder: Path, config: str) -> Iterator[str]:
    """Run a Prometheus on a folder until the block ends."""
    (folder / "prometheus.yml").write_text(config)
    address = f"127.0.0.1:{free_port()}"
    arguments = [
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={address}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=log)
    try:
        _wait(lambda: httpx.get(f"http://{address}/-/ready").status_code == 200)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _wait(done: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if done():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"not done within {seconds} s")


def history() -> pd.DataFrame:
    """Make what the exporters told: device b has a gap, device c a counter that starts again, and a failure."""
    frames = []
    for index, device in enumerate(DEVICES):
        draw = np.random.default_rng(index)
        packets = draw.integers(10, 100, POINTS).cumsum().astype(float)
        frame = pd.DataFrame(
            {
                "time": START + np.arange(POINTS) * STEP,
                "instance": device,
                "cpu": draw.normal(50, 5, POINTS).round(3),
                "packets": packets,
                "down": 0.0,
            }
        )
        if index == 2:
            frame.loc[200:, "packets"] -= packets[200] - 3
            frame.loc[300:309, "down"] = 1.0
        frames.append(frame.drop(index=range(100, 150)) if index == 1 else frame)
    return pd.concat(frames, ignore_index=True)


def openmetrics(frame: pd.DataFrame) -> str:
    lines = []
    for name, kind in (("cpu", "gauge"), ("packets", "counter"), ("down", "gauge")):
        lines.append(f"# TYPE {name} {kind}")
        sample = f"{name}_total" if kind == "counter" else name
        lines += [f'{sample}{{instance="{r.instance}"}} {r[name]} {r.time}' for _, r in frame.iterrows()]
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def server(require_program: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that holds the history."""
    program, tool = require_program("prometheus"), require_program("promtool")
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "history").write_text(openmetrics(history()))
    arguments = [tool, "tsdb", "create-blocks-from", "openmetrics", str(folder / "history"), str(folder / "data")]
    subprocess.run(arguments, check=True, capture_output=True)
    with running(program, folder, "global: {scrape_interval: 1s}") as address:
        yield f"prometheus+http://{address}?start={START}&end={END}"


def settings(**options: object) -> TelemetrySettings:
    defaults: dict[str, object] = {
        "metrics": {"cpu": "cpu", "packets": "rate(packets_total[30s])"},
        "label": "down",
        "staleness": 10 * SECOND,
    }
    return TelemetrySettings(prometheus=PrometheusSettings(**(defaults | options)), counters=())  # type: ignore[arg-type]


def read(dataset: Dataset) -> pd.DataFrame:
    frame = pa.concat_tables(dataset.tables()).to_pandas().astype({"device": str})
    return frame.assign(time=frame.timestamp.astype("int64") // 10**9)


def test_range_queries_become_samples(server: str, tmp_path: Path) -> None:
    dataset = ingest([server], tmp_path / "out", settings())
    assert (dataset.meta.metrics, dataset.meta.devices) == (("cpu", "packets"), 3)
    assert dataset.meta.interval_seconds == STEP
    recorded = history()
    found = read(dataset).merge(recorded, left_on=["device", "time"], right_on=["instance", "time"])
    assert len(found) == len(recorded)
    np.testing.assert_array_equal(found.cpu_x, found.cpu_y)
    assert found.is_error.sum() == 10
    incident = dataset.incidents().to_pylist()[0]
    assert incident["device"] == "c:9100"
    assert (incident["end"] - incident["start"]).total_seconds() == 10 * STEP


def test_gaps_stay_gaps(server: str, tmp_path: Path) -> None:
    found = read(ingest([server], tmp_path / "out", settings()))
    silent = found[(found.device == "b:9100") & found.time.between(START + 101 * STEP, START + 149 * STEP)]
    assert silent.empty
    without = read(ingest([server], tmp_path / "long", settings(staleness=None)))
    held = without[(without.device == "b:9100") & without.time.between(START + 101 * STEP, START + 149 * STEP)]
    assert len(held) == 19  # Prometheus' own five minutes


def test_counters_that_start_again_have_no_negative_rate(server: str, tmp_path: Path) -> None:
    frame = read(ingest([server], tmp_path / "out", settings()))
    assert frame.packets.min() >= 0
    raw = settings(metrics={"cpu": "cpu", "packets": "packets_total"})
    rates = read(ingest([server], tmp_path / "raw", TelemetrySettings(prometheus=raw.prometheus)))
    assert rates.packets.min() >= 0
    recorded = history()
    expected = recorded.packets.diff().where(recorded.instance == recorded.instance.shift())
    expected = expected.where(expected >= 0, recorded.packets).where(expected.notna()) / recorded.time.diff()
    np.testing.assert_allclose(rates.packets, expected)


@pytest.mark.parametrize("page", [1, 7, 400])
def test_pages_of_any_length_give_the_same_samples(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    short = server.replace(f"start={START}", f"start={END - 59 * STEP}")
    whole = read(ingest([short], tmp_path / "whole", settings()))
    monkeypatch.setattr(prometheus, "_POINTS_A_PAGE", page)
    paged = read(ingest([short], tmp_path / "paged", settings()))
    pd.testing.assert_frame_equal(paged, whole)


def test_a_page_that_is_too_much_is_halved(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(ingest([server], tmp_path / "whole", settings()))
    monkeypatch.setattr(prometheus, "_POINTS_A_PAGE", 50_000)
    long = server.replace(f"start={START}", f"start={END - 12_000 * STEP}")  # Prometheus gives 11,000 points
    pd.testing.assert_frame_equal(read(ingest([long], tmp_path / "long", settings())), whole)


@pytest.mark.parametrize(
    ("options", "parameters", "problem"),
    [
        ({"metrics": {}}, "", "no PromQL is configured under telemetry: prometheus: metrics"),
        ({"metrics": {"x": "cpu("}}, "", r"the query 'cpu\(' was rejected: .*parse error"),
        ({"device": "Instance"}, "", "has no label 'Instance'; did you mean 'instance'"),
        ({"metrics": {"x": '{__name__=~"cpu|down"}'}}, "", "several series of device 'a:9100'"),
        ({}, "&from=3", "unknown parameter 'from'"),
        ({}, "&step=0s", "must be more than zero"),
        ({}, "&end=never", "'never' is not a valid time"),
        ({}, "&step=9d", "shorter than one step"),
        ({"metrics": {"x": "nothing"}}, "", "no query has a value from 2026-01-05T12:00:00 to 2026-01-05T13:39:45"),
    ],
)
def test_what_cannot_work_is_refused_in_a_line(
    server: str, tmp_path: Path, options: dict[str, object], parameters: str, problem: str
) -> None:
    with pytest.raises(NetopsError, match=problem) as caught:
        ingest([server + parameters], tmp_path / "out", settings(**options, label=""))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(NetopsError, match=f"http://{address}: cannot be reached"):
        ingest([f"prometheus+http://me:secret@{address}"], tmp_path / "out", settings())
    with pytest.raises(UsageError):
        ingest([f"prometheus+ftp://{address}"], tmp_path / "out", settings())


def test_a_scraped_exporter(require_program: Callable[..., str], tmp_path: Path) -> None:
    registry = prometheus_client.CollectorRegistry()
    gauge = prometheus_client.Gauge("cpu_utilization", "percent", registry=registry)
    port = free_port()
    exporter, thread = prometheus_client.start_http_server(port, addr="127.0.0.1", registry=registry)
    config = f"""
global: {{scrape_interval: 200ms}}
scrape_configs: [{{job_name: devices, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""
    options = PrometheusSettings(metrics={"cpu": "cpu_utilization"}, step=SECOND, history=30 * SECOND)
    with running(require_program("prometheus"), tmp_path, config) as address:
        gauge.set(1)
        query = f"http://{address}/api/v1/query?query=cpu_utilization"
        _wait(lambda: bool(httpx.get(query).json()["data"]["result"]))
        for value in range(25):
            gauge.set(value * 7 % 11)
            time.sleep(0.1)
        exporter.shutdown()
        exporter.server_close()
        thread.join()
        time.sleep(2.5)  # Prometheus notices within a scrape, and marks the series as ended
        dataset = ingest([f"prometheus+http://{address}"], tmp_path / "out", TelemetrySettings(prometheus=options))
    found = read(dataset)
    assert found.device.unique().tolist() == [f"127.0.0.1:{port}"]
    assert 2 <= len(found) <= 4  # the seconds that it was there, not those after
    assert found.cpu.between(0, 11).all()
