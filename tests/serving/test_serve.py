"""The server as a process: started, killed under load, started again."""

import contextlib
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from itertools import pairwise

import httpx
import numpy as np
import psutil
import pytest

from netops.client.playback import Chunk, Playback
from netops.client.simulate import simulate
from netops.config.durations import MINUTE
from netops.errors import NetopsError, UsageError
from netops.serving.alerts.store import AlertStore
from netops.serving.decode.times import nanoseconds
from netops.serving.engine.champion import FixedModel
from netops.serving.engine.runtime import Runtime
from netops.serving.http.serve import serve
from netops.serving.requests.access import TOKEN, token_for
from netops.serving.settings import ServingSettings
from tests.serving.conftest import abandon
from tests.serving.live import LiveServer
from tests.serving.models import METRICS
from tests.serving.samples import sample


def playback(devices: int = 40, ticks: int = 400) -> Playback:
    """Devices that turn hot now and then, so that alerts open and end."""
    random = np.random.default_rng(5)
    tick, device = (grid.ravel() for grid in np.meshgrid(np.arange(ticks), np.arange(devices), indexing="ij"))
    values = random.normal(0, 0.3, (len(tick), len(METRICS)))
    hot = (tick // 20) % 11 == device % 11
    values[hot, 0] = 5.0
    times = (1_700_000_000 + 5 * tick) * 10**9

    def chunks():
        for start in range(0, len(tick), 2000):
            part = slice(start, start + 2000)
            yield Chunk(device[part], times[part], values[part], hot[part])

    names = tuple(f"d{n}" for n in range(devices))
    return Playback(METRICS, names, tuple(("c", f"dc{n % 3}") for n in range(devices)), chunks)


def outcome(state, model):
    """Windows and alerts as they are on disk."""
    runtime = Runtime("demo", FixedModel("v1", model), folder=state)
    table = runtime.state.table
    windows = {table.names[code]: runtime.state.engine.save(code) for code in table.codes()}
    stored = runtime.store.recent(limit=100_000)
    alerts = sorted((a.id, a.opened, a.ended) for a in stored if a.kind != "site")
    sites = sorted((a.site, nanoseconds(a.opened)) for a in stored if a.kind == "site")
    # The same site alert is not sent twice.
    assert all(one[0] != other[0] or other[1] - one[1] > 10 * MINUTE for one, other in pairwise(sites))
    abandon(runtime)
    return windows, alerts


@pytest.mark.slow
def test_killed_under_load_and_started_again_nothing_is_lost_and_nothing_comes_twice(model, tmp_path):
    with LiveServer(model, tmp_path / "whole") as server:
        whole = simulate(server.url, playback(), speed=0)
        assert server.stop() == 0
    expected = outcome(tmp_path / "whole", model)
    with LiveServer(model, tmp_path / "killed", state__snapshot_interval="200ms") as server:
        reports = []
        play = threading.Thread(target=lambda: reports.append(simulate(server.url, playback(), speed=400)))
        play.start()
        for _ in range(2):
            time.sleep(1.5)
            server.kill()
            server.start()
        play.join()
        assert server.stop() == 0
    assert outcome(tmp_path / "killed", model) == expected
    (report,) = reports
    assert report.live.lost >= 2
    assert report.live.answered["late"] == report.live.answered["rejected"] == 0
    assert whole.live.answered == {"scored": 16_000, "duplicate": 0, "late": 0, "rejected": 0}
    assert whole.outcome == report.outcome
    assert whole.outcome.incidents > 0


@pytest.mark.slow
def test_feedback_survives_a_restart(model, tmp_path):
    hot = [sample("a", tick, hot=True) for tick in range(4)]
    with LiveServer(model, tmp_path) as server, httpx.Client(timeout=60) as client:
        client.post(server.url + "/telemetry", json=hot)
        (alert,) = client.get(server.url + "/alerts").json()
        statement = {"verdict": "confirmed", "by": "ada"}
        assert client.post(f"{server.url}/alerts/{alert['id']}/feedback", json=statement).json()["changed"]
        server.kill()
        server.start()
        # After the replay it is the same alert, with its feedback.
        client.post(server.url + "/telemetry", json=hot)
        assert [(a["id"], a["verdict"]) for a in client.get(server.url + "/alerts").json()] == [
            (alert["id"], "confirmed")
        ]
        assert not client.post(f"{server.url}/alerts/{alert['id']}/feedback", json=statement).json()["changed"]
        assert server.stop() == 0


@pytest.mark.slow
def test_slow_clients_are_disconnected_without_affecting_others(model, tmp_path):
    with LiveServer(model, tmp_path, limits__receive_seconds=1) as server:
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
        for number, connection in enumerate(slow):
            connection.sendall(b"POST /telemetry HTTP/1.1\r\nHost: x\r\n" if number % 2 else b"P")
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert httpx.get(server.url + "/healthz").status_code == 200
            time.sleep(0.1)
        for connection in slow:
            connection.settimeout(2)
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(100) == b""
            connection.close()
        with httpx.Client() as connection:
            connection.get(server.url + "/healthz")
            time.sleep(2)
            assert connection.get(server.url + "/healthz").status_code == 200
        server.process.send_signal(signal.SIGINT)
        server.process.wait(20)


@pytest.mark.timing
def test_it_starts_in_the_time_of_mlruns_serving_package_and_without_tensorflow(model, tmp_path):
    # The wall time is measured by benchmarks/serving_start.py. A core that is shared makes either of the two
    # slower: the least of five is what each takes.
    started, imported = [], []
    for attempt in range(5):
        with LiveServer(model, tmp_path / str(attempt)) as server:
            spent = psutil.Process(server.process.pid).cpu_times()
            assert not server.is_heavy
        started.append((spent.user + spent.system, spent.user, spent.system))
        imported.append(_cpu_seconds([sys.executable, "-c", "import mlrun.serving"]))
        if min(started)[0] <= 1.5 * min(imported):
            return
    pytest.fail(f"CPU seconds to start (all, user, system): {started}; mlrun.serving alone: {imported}")


def _cpu_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_a_last_save_that_fails_is_an_exit_code(model, tmp_path, capfd):
    with LiveServer(model, tmp_path / "state") as server:
        assert httpx.post(server.url + "/telemetry", json=[sample("a", tick) for tick in range(4)]).is_success
        (tmp_path / "state").rename(tmp_path / "elsewhere")
        assert server.stop() == 1
    last = capfd.readouterr().err.splitlines()[-1]
    assert f"{tmp_path / 'state'}: the state could not be saved: " in last
    assert last.endswith("; send all samples again after the next start")


def test_a_second_server_on_the_same_state_is_refused(start, model):
    pipeline = start()
    with pytest.raises(NetopsError, match="in use by another server"):
        Runtime("demo", FixedModel("v1", model), folder=pipeline.runtime.folder)


def test_an_address_that_others_reach_needs_a_token(monkeypatch):
    monkeypatch.delenv(TOKEN, raising=False)
    assert token_for("127.0.0.1") is None
    with pytest.raises(UsageError, match=TOKEN):
        serve(settings=ServingSettings(host="0.0.0.0"))
    monkeypatch.setenv(TOKEN, "secret")
    assert token_for("0.0.0.0") == "secret"


def test_a_port_in_use_is_reported(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="cannot be bound"):
        serve(settings=ServingSettings(port=taken.getsockname()[1]))


def test_a_missing_champion_is_reported(monkeypatch, tmp_path):
    monkeypatch.setenv("NETOPS_HOME", str(tmp_path))
    with pytest.raises(NetopsError, match="has no champion"):
        serve("nowhere", ServingSettings(port=0))
    assert AlertStore  # nothing else was started
