"""A server of a network that has no champion yet, and of one whose registry is away."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import httpx
import pytest

from netops.serving.engine.champion import ChampionFile, FixedModel
from netops.serving.engine.last_champion import LastChampion
from netops.serving.http.waiting import STATUS
from tests.serving.live import LiveServer
from tests.serving.samples import sample


def eventually(holds: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.2)


def status(url: str) -> int:
    try:
        return httpx.get(url, timeout=60).status_code
    except httpx.TransportError:
        return 0


@pytest.mark.slow
def test_a_server_waits_for_a_champion_and_outlives_its_registry(model, tmp_path) -> None:
    registry = ChampionFile(tmp_path / "registry" / "champion.json")
    with LiveServer(registry.file, tmp_path / "state") as server:
        health = httpx.get(server.url + "/healthz")
        assert (health.status_code, health.json()["status"]) == (200, STATUS)
        assert health.json()["error"] == "network 'demo' has no champion yet"
        refused = httpx.post(server.url + "/telemetry", json=sample("router-1", 0))
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert [status(server.url + path) for path in ("/readyz", "/metrics", "/alerts")] == [503] * 3

        registry.promote("v1", model)
        eventually(lambda: status(server.url + "/readyz") == 200)
        assert httpx.get(server.url + "/healthz").json()["model"] == "v1"
        assert httpx.post(server.url + "/telemetry", json=sample("router-1", 0)).json()["status"] == "scored"
        assert server.stop() == 0

        registry.file.write_text("{")  # the registry fails from now on
        server.start()
        assert httpx.get(server.url + "/readyz").json()["model"] == "v1"
        assert httpx.post(server.url + "/telemetry", json=sample("router-1", 0)).json()["status"] == "duplicate"
        assert server.stop() == 0


def test_waiting_ends_on_a_signal(tmp_path) -> None:
    with LiveServer(tmp_path / "champion.json", tmp_path / "state") as server:
        assert status(server.url + "/healthz") == 200
        assert server.stop() == 0


@pytest.mark.slow
def test_while_mlrun_is_away_the_command_serves_the_last_champion(model, tmp_path) -> None:
    state = tmp_path / "state"
    LastChampion(FixedModel("v1", model), state / "champion").champion()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        unserved = f"http://127.0.0.1:{closed.getsockname()[1]}"
    environment = os.environ | {"MLRUN_DBPATH": unserved, "NETOPS_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "netops.cli.main", "serve", "--port", "0", "--json", "--state", str(state)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = json.loads(server.stdout.readline())["url"]
        assert httpx.get(url + "/readyz").json()["model"] == "v1"
        assert httpx.post(url + "/telemetry", json=sample("router-1", 0)).json()["status"] == "scored"
        server.terminate()
        _, output = server.communicate(timeout=60)
        assert server.returncode == 0
        assert output.count("v1 stays in service") == 1
    finally:
        server.kill()
        server.communicate()
