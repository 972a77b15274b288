"""The cluster that most of these tests run on: those skip where none is named, whatever else a machine has.

=============================  ===========================================================================
NETOPS_TEST_CLUSTER            context of the kubeconfig
NETOPS_TEST_MLRUN              MLRun's address from here, such as http://localhost:8080
NETOPS_TEST_MLRUN_INSIDE       … and from a pod; http://mlrun-api.<namespace>.svc.cluster.local:8080
NETOPS_TEST_NAMESPACE          MLRun's namespace; mlrun
NETOPS_TEST_IMAGE              image of the stages, as the nodes know it; netops:0.2.0
NETOPS_TEST_SERVE_IMAGE        image of the server; netops:0.2.0-serve
NETOPS_TEST_ARTIFACTS          where artifacts go; s3://mlrun/netops
NETOPS_TEST_S3                 endpoint of the object store from here, and below from a pod; its keys are
NETOPS_TEST_S3_INSIDE          AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
NETOPS_TEST_KUBEFLOW           Kubeflow Pipelines' API from here; without it no file is uploaded
NETOPS_TEST_NUCLIO             1 where Nuclio is part of the cluster; without it no function is tried
NETOPS_TEST_KAFKA              a broker from here, and below from a pod (default: the same); without it no stream
NETOPS_TEST_KAFKA_INSIDE       is tried
NETOPS_TEST_SHARED_CLASS       storage class of ReadWriteMany volumes, for a stream whose state is in one
=============================  ===========================================================================
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.testbed import Testbed, copy_project, ours
from tests.workflows.conftest import database, home, stand_in

__all__ = ["database", "home", "stand_in"]

CLUSTER = "NETOPS_TEST_CLUSTER"
STORE = ours("netops-test-store")
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
#: What clients of the function send; it is one of the secrets of the stages, and so of the function.
TOKEN = "t" * 40


@pytest.fixture(scope="session")
def testbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """Give the cluster, with a copy of the project that knows it."""
    context = os.environ.get(CLUSTER)
    if not context:
        pytest.skip(f"{CLUSTER} names no cluster")  # never a failure: no machine has one by itself
    namespace = os.environ.get("NETOPS_TEST_NAMESPACE", "mlrun")
    inside = f"http://mlrun-api.{namespace}.svc.cluster.local:8080"
    image = os.environ.get("NETOPS_TEST_IMAGE", "netops:0.2.0")
    artifacts = os.environ.get("NETOPS_TEST_ARTIFACTS", "s3://mlrun/netops")
    store_inside = os.environ.get("NETOPS_TEST_S3_INSIDE", "")
    keys = {key: os.environ[key] for key in KEYS if key in os.environ}
    keys["NETOPS_TOKEN"] = TOKEN
    if store_inside:
        keys["AWS_ENDPOINT_URL_S3"] = store_inside
    testbed = Testbed(
        context=context,
        namespace=namespace,
        image=image,
        serve_image=os.environ.get("NETOPS_TEST_SERVE_IMAGE", "netops:0.2.0-serve"),
        service=os.environ.get("NETOPS_TEST_MLRUN", "http://localhost:8080").rstrip("/"),
        service_inside=os.environ.get("NETOPS_TEST_MLRUN_INSIDE", inside),
        artifacts=artifacts,
        store=os.environ.get("NETOPS_TEST_S3", ""),
        store_inside=store_inside,
        project=_project(tmp_path_factory.mktemp("cluster"), namespace, image, artifacts, list(keys)),
    )
    make_secret(testbed, STORE, keys)
    yield testbed
    testbed.kubectl("delete", "secret", STORE, "--ignore-not-found")


def _project(folder: Path, namespace: str, image: str, artifacts: str, keys: list[str]) -> Path:
    # The keys come as a secret alone, not from what MLRun mounts by itself: then they are in no function's spec.
    return copy_project(
        folder,
        namespace=namespace,
        image=image,
        artifact_path=artifacts,
        auto_mount="AWS_ACCESS_KEY_ID" not in keys,
        secrets=[f"{STORE}:{key}" for key in keys],
    )


def make_secret(testbed: Testbed, name: str, values: dict[str, str], namespace: str | None = None) -> None:
    """Make a secret, or change it."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}
    testbed.kubectl("apply", "-f", "-", stdin=json.dumps(secret), namespace=namespace)
