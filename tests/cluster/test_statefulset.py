"""`netops serve` as a StatefulSet through its life: no champion, a champion, a new one, a restart without MLRun."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.conftest import make_secret
from tests.cluster.reach import reached, sample, version_of
from tests.cluster.testbed import ROOT, Testbed, ours, until

pytestmark = [pytest.mark.timeout(5400), pytest.mark.slow]

#: No earlier session has left a champion of this network.
NETWORK, NAMESPACE, POD = ours("cluster-served"), ours("netops-test"), "netops-0"
TOKEN = "t" * 40


@pytest.fixture(scope="module")
def served(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """Apply the manifests as docs/cluster.md says, in a namespace of the tests' own."""
    folder = tmp_path_factory.mktemp("manifests") / "kubernetes"
    shutil.copytree(ROOT / "deploy" / "kubernetes", folder)
    _adapt(folder, testbed)
    testbed.kubectl("create", "namespace", NAMESPACE)
    try:
        make_secret(testbed, "netops-token", {"token": TOKEN}, NAMESPACE)
        make_secret(testbed, "netops-store", _store(testbed), NAMESPACE)
        _point_at(testbed, testbed.service_inside)
        testbed.kubectl("apply", "-k", str(folder), namespace=NAMESPACE)
        yield testbed
    finally:
        testbed.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _adapt(folder: Path, testbed: Testbed) -> None:
    """Do what the page tells a user to edit: namespace, image, network."""
    path = folder / "kustomization.yaml"
    kustomization = yaml.safe_load(path.read_text())
    name, _, tag = testbed.serve_image.rpartition(":")
    kustomization["namespace"] = NAMESPACE
    for image in kustomization["images"]:
        image |= {"newName": name, "newTag": tag}
    patch = [
        {"op": "replace", "path": "/spec/template/spec/containers/0/env/0/value", "value": NETWORK},
        {"op": "replace", "path": "/spec/template/spec/containers/0/resources/requests/cpu", "value": "100m"},
    ]
    kustomization["patches"] = [
        *kustomization.get("patches", ()),
        {"target": {"kind": "StatefulSet"}, "patch": yaml.safe_dump(patch)},
    ]
    path.write_text(yaml.safe_dump(kustomization))


def _store(testbed: Testbed) -> dict[str, str]:
    keys = {key: os.environ[key] for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if key in os.environ}
    return {**keys, "AWS_ENDPOINT_URL_S3": testbed.store_inside} if testbed.store_inside else keys


def _point_at(testbed: Testbed, address: str) -> None:
    """Say where MLRun is."""
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "netops-mlrun"},
        "data": {"address": address},
    }
    testbed.kubectl("apply", "-f", "-", stdin=json.dumps(config), namespace=NAMESPACE)


def _pod(testbed: Testbed) -> dict:
    pods = testbed.objects("pods", "-l", "app.kubernetes.io/name=netops", namespace=NAMESPACE)
    return pods[0] if pods else {}


def _is_ready(testbed: Testbed) -> bool:
    conditions = _pod(testbed).get("status", {}).get("conditions", ())
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _restarts(testbed: Testbed) -> int:
    return sum(container["restartCount"] for container in _pod(testbed)["status"].get("containerStatuses", ()))


def test_it_waits_for_a_champion_and_takes_it_without_a_restart(served) -> None:
    until(lambda: _pod(served).get("status", {}).get("phase") == "Running", 300, "the pod is not running")
    time.sleep(60)
    assert not _is_ready(served)
    assert _restarts(served) == 0
    run = served.submit(NETWORK)
    assert served.ended(run) == "completed"
    until(lambda: _is_ready(served), 300, "the champion has not been taken")
    assert _restarts(served) == 0


def test_it_answers_with_the_token_alone(served) -> None:
    with reached(served, POD, TOKEN, NAMESPACE) as client:
        answer = client.post("/telemetry", json=[sample(0), sample(5)])
        assert answer.status_code == 200, answer.text
        assert client.post("/telemetry", json=[], headers={"Authorization": "Bearer no"}).status_code == 401


def test_it_takes_a_new_champion(served) -> None:
    with reached(served, POD, TOKEN, NAMESPACE) as client:
        before = version_of(client)
        versions = {row["version"] for row in served.rows("models", "list", "--name", NETWORK)}
        other = sorted(versions - {before})[0]
        served.netops("models", "promote", other, "--name", NETWORK)
        until(lambda: version_of(client) == other, 300, "the new champion has not been taken")
    assert _restarts(served) == 0


def test_a_restart_without_mlrun_serves_the_last_champion(served) -> None:
    with reached(served, POD, TOKEN, NAMESPACE) as client:
        before = version_of(client)
    _point_at(served, "http://127.0.0.1:9")
    served.kubectl("delete", "pod", POD, namespace=NAMESPACE)
    until(lambda: _is_ready(served), 300, "it does not start while MLRun is away")
    with reached(served, POD, TOKEN, NAMESPACE) as client:
        assert version_of(client) == before
        assert client.post("/telemetry", json=[sample(20)]).status_code == 200
