"""A port of a pod or service, reached from here."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.cluster.testbed import Testbed, until


@contextmanager
def reached(testbed: Testbed, target: str, token: str, namespace: str | None = None) -> Iterator[httpx.Client]:
    """Reach a server as its clients do, with their token.

    Parameters
    ----------
    place : Place
        The cluster.
    target : str
        Pod, or ``service/NAME``; the server is on port 8080 there.
    token : str
        Bearer token.
    namespace : str, optional
        MLRun's by default.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["kubectl", "--context", testbed.context, "--namespace", namespace or testbed.namespace]
    forward = _Forward([*command, "port-forward", target, f"{port}:8080"])
    try:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
            until(lambda: forward.runs() and _answers(client), 90, f"{target} cannot be reached")
            yield client
    finally:
        forward.end()


class _Forward:
    """A port-forward, started again where it has ended: it does while the pod does not listen yet."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def runs(self) -> bool:
        if self._process.poll() is not None:
            self._start()
        return True

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code in (200, 503)
    except httpx.HTTPError:
        return False


def version_of(client: httpx.Client) -> str:
    """Say which champion answers."""
    return str(client.get("/healthz").json()["model"])


def sample(second: int, device: str = "r1") -> dict[str, object]:
    """Make a sample of a device, by the metrics of the generated network."""
    metrics = {"cpu_utilization": 40.0, "latency": 5.0, "packet_loss": 0.1, "throughput": 200.0}
    minute, second = divmod(second, 60)
    return {"device": device, "time": f"2026-02-01T00:{minute:02d}:{second:02d}Z", **metrics}
