"""The real-time function that the deploy stage makes: its token, its state, its receivers, its champion."""

import json
import os
from collections.abc import Iterator

import httpx
import pytest

from tests.cluster.conftest import TOKEN
from tests.cluster.reach import reached, sample, version_of
from tests.cluster.testbed import Testbed, ours, until

pytestmark = [pytest.mark.timeout(5400), pytest.mark.slow]

NETWORK, CLAIM, RECEIVER = map(ours, ("cluster-function", "netops-test-state", "netops-test-receiver"))
SERVICE = f"service/nuclio-netops-{NETWORK}-serving"
PODS = f"nuclio.io/function-name=netops-{NETWORK}-serving"

#: A webhook that prints its requests.
PRINTS = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("", 8080), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def function(testbed: Testbed) -> Iterator[Testbed]:
    """Let the deploy stage make the function, with a volume for its state and a receiver of its alerts."""
    if os.environ.get("NETOPS_TEST_NUCLIO") != "1":
        pytest.skip("NETOPS_TEST_NUCLIO does not say that Nuclio is there")
    objects = [_claim(), _receiver(testbed), _service()]
    testbed.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    try:
        receiver = f"{{kind: webhook, url: http://{RECEIVER}.{testbed.namespace}.svc.cluster.local:8080}}"
        run = testbed.submit(NETWORK, "--set", f"serving.receivers=[{receiver}]",
                           "--set", f"cluster.serving.state_claim={CLAIM}")  # fmt: skip
        assert testbed.ended(run) == "completed"
        yield testbed
    finally:
        httpx.delete(f"{testbed.service}/api/v2/projects/netops/functions/{NETWORK}-serving", timeout=60)
        testbed.kubectl(
            "delete", f"pod/{RECEIVER}", f"service/{RECEIVER}", f"pvc/{CLAIM}", "--ignore-not-found", "--wait=false"
        )


def _claim() -> dict:
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": CLAIM}, "spec": spec}


def _receiver(testbed: Testbed) -> dict:
    container = {"name": "receiver", "image": testbed.image, "imagePullPolicy": "IfNotPresent"}
    container["command"] = ["python", "-c", PRINTS]
    metadata = {"name": RECEIVER, "labels": {"app": RECEIVER}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}


def _service() -> dict:
    spec = {"selector": {"app": RECEIVER}, "ports": [{"port": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": RECEIVER}, "spec": spec}


def test_it_answers_with_the_token_alone(function) -> None:
    with reached(function, SERVICE, TOKEN) as client:
        known = [sample(second) for second in (0, 5, 10)]  # fewer could be a misspelt name
        assert client.post("/telemetry", json=known).status_code == 200
        for stranger in ("", "Bearer no"):
            assert client.post("/telemetry", json=[], headers={"Authorization": stranger}).status_code == 401
        assert client.get("/alerts").json() == []


def test_a_silent_device_is_sent_to_the_receiver(function) -> None:
    with reached(function, SERVICE, TOKEN) as client:
        for second in range(0, 1200, 5):
            client.post("/telemetry", json=[sample(second, "r2")]).raise_for_status()
        expected = until(lambda: function.kubectl("logs", RECEIVER), 120, "the receiver has received nothing")
    assert "r1" in expected


def test_its_state_outlives_its_pod(function) -> None:
    with reached(function, SERVICE, TOKEN) as client:
        known = {row["device"] for row in client.get("/devices").json()}
        assert known == {"r1", "r2"}
    function.kubectl("delete", "pod", "-l", PODS)
    with reached(function, SERVICE, TOKEN) as client:
        assert {row["device"] for row in client.get("/devices").json()} == known


def test_it_takes_a_new_champion(function) -> None:
    with reached(function, SERVICE, TOKEN) as client:
        before = version_of(client)
        versions = {row["version"] for row in function.rows("models", "list", "--name", NETWORK)}
        other = sorted(versions - {before})[0]
        function.netops("models", "promote", other, "--name", NETWORK)
        until(lambda: version_of(client) == other, 300, "the new champion has not been taken")
