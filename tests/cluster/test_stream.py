"""Several replicas of `netops serve` that share a topic have the result of one process, whatever happens to them.

Needs a broker (``NETOPS_TEST_KAFKA``, from a pod ``NETOPS_TEST_KAFKA_INSIDE``), and a storage class of volumes that
several pods can mount (``NETOPS_TEST_SHARED_CLASS``) or an object store (``NETOPS_TEST_S3`` and
``NETOPS_TEST_S3_INSIDE``, with its keys). The champion is put into the volume of the pods, without MLRun's service.
"""

import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.cluster.conftest import KEYS, make_secret
from tests.cluster.reach import reached
from tests.cluster.testbed import ROOT, Testbed, ours, until
from tests.serving.models import make_model
from tests.serving.samples import fleet
from tests.serving.stream.states import reference
from tests.serving.stream.topics import Sender

pytestmark = [pytest.mark.timeout(1800), pytest.mark.slow]

NETWORK = "demo"
TOKEN, LABEL = "t" * 40, "app.kubernetes.io/name=netops"
PARTITIONS, DEVICES, TICKS = 6, 40, 600
#: Puts the model of the folder /tmp/model into the registry of a pod, as its champion.
REGISTER = """
from pathlib import Path
from uuid import uuid4
import mlrun
from netops import registry
from netops.models.card import read_card
from netops.tracking.install import install

assert install()
mlrun.get_or_create_project("netops", "/tmp/project")
run = {"metadata": {"name": "train", "project": "netops", "uid": uuid4().hex}, "spec": {"output_path": "/tmp"}}
folder, network = Path("/tmp/model"), "demo"
card = read_card(folder)
registry.log_model(mlrun.MLClientCtx.from_dict(run, rundb=mlrun.get_run_db()), network, folder, card, {})
registry.prove(network, card.version)
registry.promote(network, card.version, "test")
"""
#: Pods that share no volume do so before they start, in a container of their own, with the model from a config map.
COPY = """
import shutil

shutil.copytree("/model", "/tmp/model", ignore=shutil.ignore_patterns("..*"))
"""
INIT = {
    "name": "champion",
    "command": ["python", "/model/register.py"],
    "env": [{"name": "NETOPS_HOME", "value": "/state"}],
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
    "volumeMounts": [
        {"name": "state", "mountPath": "/state"},
        {"name": "scratch", "mountPath": "/tmp"},
        {"name": "home", "mountPath": "/home/netops"},
        {"name": "model", "mountPath": "/model"},
    ],
}


@dataclass
class Replicas:
    """The StatefulSet, and the samples that have been sent to its topic."""

    testbed: Testbed
    overlay: str
    model: Path
    sender: Sender
    samples: list[dict[str, Any]]
    sent: int = 0

    @property
    def namespace(self) -> str:
        return _name(self.overlay)

    def kubectl(self, *words: str, **more: Any) -> str:
        return self.testbed.kubectl(*words, namespace=self.namespace, **more)

    def pods(self) -> dict[str, dict[str, Any]]:
        found = self.testbed.objects("pods", "-l", LABEL, namespace=self.namespace)
        return {pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]}

    def ready(self) -> list[str]:
        return [name for name, pod in self.pods().items() if _is_ready(pod)]

    def scale(self, number: int) -> None:
        """Set the number of replicas, as docs/scale.md says."""
        limits = json.dumps({"spec": {"minReplicas": number, "maxReplicas": number}})
        self.kubectl("patch", "hpa", "netops", "--type", "merge", "--patch", limits)

    def settled(self, number: int) -> list[int]:
        """Wait until this number of replicas is ready and owns all partitions; return how many each has."""
        until(lambda: len(self.ready()) == len(self.pods()) == number, 300, f"no {number} replicas are ready")
        until(lambda: sum(self.owned()) == PARTITIONS, 120, "a partition has no owner")
        return sorted(self.owned())

    def owned(self) -> list[int]:
        healths = [self.health(name) for name in self.ready()]
        return [sum(one["status"] == "owned" for one in health["partitions"]) for health in healths]

    def health(self, pod: str) -> dict[str, Any]:
        """Ask a pod about its own partitions, from within."""
        ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/healthz?scope=own').read().decode())"
        answer = self.kubectl("exec", pod, "--", "python", "-c", ask, check=False)
        return json.loads(answer) if answer else {"partitions": []}

    def send(self, ticks: int) -> None:
        end = min(self.sent + ticks * DEVICES, len(self.samples))
        self.sender.send(self.samples[self.sent : end])
        self.sender.flush()
        self.sent = end


def _name(overlay: str) -> str:
    """Return the namespace of an overlay, and its topic."""
    return ours(f"netops-{overlay}")


@pytest.fixture(scope="module", params=["stream", "stream-s3"])
def replicas(
    request: pytest.FixtureRequest, testbed: Testbed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replicas]:
    """Apply an overlay as docs/scale.md says, in a namespace of the tests' own."""
    overlay, namespace = request.param, _name(request.param)
    brokers, inside, storage = (
        os.environ.get(name, "")
        for name in ("NETOPS_TEST_KAFKA", "NETOPS_TEST_KAFKA_INSIDE", "NETOPS_TEST_SHARED_CLASS")
    )
    if not brokers:
        pytest.skip("NETOPS_TEST_KAFKA is not set")
    if not (storage if overlay == "stream" else testbed.store and testbed.store_inside):
        pytest.skip("NETOPS_TEST_SHARED_CLASS, or NETOPS_TEST_S3 and NETOPS_TEST_S3_INSIDE, are not set")
    _create_topic(brokers, namespace)
    folder = tmp_path_factory.mktemp("manifests")
    shutil.copytree(ROOT / "deploy" / "kubernetes", folder / "kubernetes")
    _adapt(folder / "kubernetes" / overlay, testbed, namespace, storage)
    testbed.kubectl("create", "namespace", namespace)
    try:
        model = make_model(folder / "model", "v1")
        make_secret(testbed, "netops-token", {"token": TOKEN}, namespace)
        _configure(
            testbed, namespace, "netops-stream", f"kafka://{inside or brokers}/{namespace}?group={namespace}"
        )
        if overlay == "stream-s3":
            _use_store(testbed, namespace)
            _provide_model(testbed, namespace, model, folder / "kubernetes" / overlay)
        testbed.kubectl("apply", "-k", str(folder / "kubernetes" / overlay), namespace=namespace)
        yield Replicas(testbed, overlay, model, Sender(brokers, namespace), fleet(DEVICES, TICKS, seed=5))
    finally:
        testbed.kubectl("delete", "namespace", namespace, "--wait=false")


def _configure(testbed: Testbed, namespace: str, name: str, address: str) -> None:
    testbed.kubectl("create", "configmap", name, f"--from-literal=address={address}", namespace=namespace)


def _use_store(testbed: Testbed, namespace: str) -> None:
    """Make a bucket, and give the replicas its address and keys."""
    import boto3

    boto3.client("s3", endpoint_url=testbed.store).create_bucket(Bucket=namespace)
    _configure(testbed, namespace, "netops-state", f"s3://{namespace}/edge")
    keys = {name: os.environ[name] for name in KEYS}
    make_secret(testbed, "netops-store", keys | {"AWS_ENDPOINT_URL_S3": testbed.store_inside}, namespace)


def _provide_model(testbed: Testbed, namespace: str, model: Path, folder: Path) -> None:
    """Let each pod register the model before it starts: no volume is shared."""
    script = folder / "register.py"
    script.write_text(COPY + REGISTER)
    files = [f"--from-file={model}", f"--from-file={script}"]
    testbed.kubectl("create", "configmap", "netops-model", *files, namespace=namespace)
    path = folder / "kustomization.yaml"
    kustomization = yaml.safe_load(path.read_text())
    spec = "/spec/template/spec"
    container = INIT | {"image": testbed.serve_image}
    volume = {"name": "model", "configMap": {"name": "netops-model"}}
    patch = [
        {"op": "add", "path": f"{spec}/initContainers", "value": [container]},
        {"op": "add", "path": f"{spec}/volumes/-", "value": volume},
    ]
    kustomization["patches"].append({"target": {"kind": "StatefulSet"}, "patch": yaml.safe_dump(patch)})
    path.write_text(yaml.safe_dump(kustomization))


def _create_topic(brokers: str, topic: str) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic

    client = AdminClient({"bootstrap.servers": brokers})
    for future in client.create_topics([NewTopic(topic, PARTITIONS, 1)]).values():
        future.result(30)


def _adapt(folder: Path, testbed: Testbed, namespace: str, storage: str) -> None:
    """Edit what the page asks a user to edit: namespace, image, storage class; and one replica at first."""
    path = folder / "kustomization.yaml"
    kustomization = yaml.safe_load(path.read_text())
    name, _, tag = testbed.serve_image.rpartition(":")
    kustomization["namespace"] = namespace
    kustomization["images"] = [{"name": "netops", "newName": name, "newTag": tag}]
    cpu = "/spec/template/spec/containers/0/resources/requests/cpu"
    patches = {
        "PersistentVolumeClaim": [{"op": "add", "path": "/spec/storageClassName", "value": storage}],
        "StatefulSet": [{"op": "replace", "path": cpu, "value": "100m"}],
        "HorizontalPodAutoscaler": [
            {"op": "replace", "path": f"/spec/{limit}Replicas", "value": 1} for limit in ("min", "max")
        ],
    }
    kustomization.setdefault("patches", []).extend(
        {"target": {"kind": kind}, "patch": yaml.safe_dump(patch)} for kind, patch in patches.items()
    )
    path.write_text(yaml.safe_dump(kustomization))


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _is_running(pod: dict[str, Any]) -> bool:
    return any("running" in one["state"] for one in pod["status"].get("containerStatuses", ()))


def test_a_replica_waits_for_a_champion_in_the_volume(replicas: Replicas) -> None:
    if replicas.overlay == "stream-s3":
        assert replicas.settled(1) == [PARTITIONS]  # it has one before it starts
        return
    until(lambda: any(map(_is_running, replicas.pods().values())), 300, "no pod is running")
    [pod] = replicas.pods()
    assert replicas.ready() == []
    _copy(replicas, pod)
    replicas.kubectl("exec", "-i", pod, "--", "python", "-", stdin=REGISTER)
    assert replicas.settled(1) == [PARTITIONS]


def _copy(replicas: Replicas, pod: str) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(replicas.model, "model")
    command = ["kubectl", "--context", replicas.testbed.context, "--namespace", replicas.namespace]
    unpack = ["exec", "-i", pod, "--", "tar", "--extract", "--no-same-owner", "--directory", "/tmp"]
    subprocess.run([*command, *unpack], input=archive.getvalue(), check=True, timeout=60)


def test_replicas_come_and_go(replicas: Replicas) -> None:
    replicas.send(100)
    replicas.scale(3)
    assert replicas.settled(3) == [2, 2, 2]
    replicas.send(100)
    replicas.kubectl("delete", "pod", "netops-1", "--wait=false")
    replicas.send(100)
    time.sleep(2)
    assert replicas.settled(3) == [2, 2, 2]
    replicas.kubectl("delete", "pod", "netops-2", "--grace-period=0", "--force")
    replicas.send(100)
    time.sleep(2)
    assert replicas.settled(3) == [2, 2, 2]


def test_a_drain_waits_for_the_replica_that_was_evicted(replicas: Replicas) -> None:
    assert _evict(replicas, "netops-1") == ""
    refusal = _evict(replicas, "netops-2")
    assert "Cannot evict pod as it would violate the pod's disruption budget" in refusal
    until(lambda: len(replicas.ready()) == 2, 60, "no replica is away")
    assert replicas.settled(3) == [2, 2, 2]


def _evict(replicas: Replicas, pod: str) -> str:
    """Evict a pod; return why it is refused."""
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": replicas.namespace},
    }
    path = f"/api/v1/namespaces/{replicas.namespace}/pods/{pod}/eviction"
    command = ["kubectl", "--context", replicas.testbed.context, "create", "--raw", path, "-f", "-"]
    done = subprocess.run(command, input=json.dumps(body), capture_output=True, text=True, timeout=60)
    return done.stderr if done.returncode else ""


def test_each_replica_answers_for_all(replicas: Replicas) -> None:
    names = {sample["device"] for sample in replicas.samples}
    for pod in ("netops-0", "netops-1", "netops-2"):
        with reached(replicas.testbed, pod, TOKEN, replicas.namespace) as client:
            answer = client.get("/devices?limit=1000").raise_for_status()
            assert {one["device"] for one in answer.json()} == names
            assert "x-netops-missing" not in answer.headers
            own = _get(client, "/devices?limit=1000&scope=own")
            assert 0 < len(own) < len(names)


def test_in_the_end_nothing_is_lost_or_counted_twice(replicas: Replicas, tmp_path: Path) -> None:
    replicas.send(TICKS)
    replicas.scale(1)
    assert replicas.settled(1) == [PARTITIONS]
    until(lambda: _offsets(replicas) == len(replicas.samples), 120, "messages are still waiting")
    expected = reference(replicas.model, tmp_path / "reference", replicas.samples, DEVICES)
    with reached(replicas.testbed, "netops-0", TOKEN, replicas.namespace) as client:
        devices = _get(client, "/devices?limit=1000")
        alerts = _get(client, "/alerts?all=true&limit=10000")
    assert {one["device"]: one["risk"] for one in devices} == {
        name: state["risk"] for name, state in expected.items()
    }
    found = sorted((one["id"], one["device"], one["opened"], one["ended"]) for one in alerts)
    wanted = [(alert[0], name, alert[2], alert[4]) for name, state in expected.items() for alert in state["alerts"]]
    assert found == sorted(wanted, key=lambda one: one[0])


def _offsets(replicas: Replicas) -> int:
    return sum(one["offset"] or 0 for one in replicas.health("netops-0")["partitions"])


def _get(client: httpx.Client, path: str) -> Any:
    return client.get(path).raise_for_status().json()
