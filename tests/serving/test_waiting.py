"""A server of a network that has no champion yet, and of one whose registry is away."""

import time
from collections.abc import Callable

import httpx
import pytest

from netops.serving.champion import ChampionFile
from netops.serving.waiting import STATUS
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
        assert "no champion yet" in health.json()["error"]
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


def test_waiting_ends_when_it_is_told_to(tmp_path) -> None:
    with LiveServer(tmp_path / "champion.json", tmp_path / "state") as server:
        assert status(server.url + "/healthz") == 200
        assert server.stop() == 0
