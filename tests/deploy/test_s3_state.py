"""The manifests of several replicas with their state in an object store, as `kubectl apply -k` sends them."""

from typing import Any

import pytest

from netops.cli.serve import command
from tests.deploy.manifests import FOLDER, VERSIONS, built

Document = dict[str, Any]


def _by_name(found: list[Document]) -> dict[str, Document]:
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in found}


@pytest.fixture(scope="module")
def program(require_program) -> str:
    return require_program("kustomize", "kubectl")


@pytest.fixture(scope="module")
def manifests(program: str) -> dict[str, Document]:
    return _by_name(built(program, "stream-s3"))


@pytest.fixture(scope="module")
def shared(program: str) -> dict[str, Document]:
    """Those with a shared volume."""
    return _by_name(built(program, "stream"))


@pytest.mark.parametrize("version", VERSIONS)
def test_they_fit_the_schemas(manifests, version) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    for manifest in manifests.values():
        validate.validate(manifest, version, strict=True)


def test_only_the_volume_is_another_one(manifests, shared) -> None:
    assert set(shared) - set(manifests) == {"PersistentVolumeClaim/netops-state"}
    assert set(manifests) - set(shared) == {"NetworkPolicy/netops-state"}
    changed = {name for name in set(shared) & set(manifests) if manifests[name] != shared[name]}
    assert changed == {"StatefulSet/netops"}


def test_the_replicas_work_in_the_object_store(manifests, shared) -> None:
    pods = [found["StatefulSet/netops"]["spec"]["template"]["spec"] for found in (manifests, shared)]
    volumes, before = ({one["name"]: one for one in pod["volumes"]} for pod in pods)
    assert volumes == before | {"state": {"name": "state", "emptyDir": {"sizeLimit": "20Gi"}}}
    [container], [other] = (pod["containers"] for pod in pods)
    assert container["args"] == [*other["args"], "--state", "$(NETOPS_STATE)"]
    assert "--state" in {option for parameter in command.params for option in parameter.opts}
    [added] = [one for one in container["env"] if one not in other["env"]]
    reference = {"configMapKeyRef": {"name": "netops-state", "key": "address"}}
    assert added == {"name": "NETOPS_STATE", "valueFrom": reference}
    different = {key for key in container if container[key] != other.get(key)}
    assert different == {"args", "env"}


def test_the_store_can_be_reached_and_nothing_in_the_cluster_beside_it(manifests) -> None:
    policy = manifests["NetworkPolicy/netops-state"]["spec"]
    labels = manifests["StatefulSet/netops"]["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"] == labels
    assert policy["policyTypes"] == ["Egress"]
    [rule] = policy["egress"]
    [block] = [one["ipBlock"] for one in rule["to"]]
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(block["except"])
    assert [port["port"] for port in rule["ports"]] == [443]


def test_every_file_is_described() -> None:
    page = (FOLDER.parents[1] / "docs" / "scale.md").read_text()
    assert "deploy/kubernetes/stream-s3" in page
    assert "deploy/kubernetes/s3-state" in page
