"""The manifests of one replica against Kubernetes' own schemas, and what they promise."""

import re

import pytest
import yaml

from tests.deploy.manifests import FOLDER, VERSIONS, built, read

MANIFESTS = sorted(path for path in (FOLDER / "base").glob("*.yaml") if path.name != "kustomization.yaml")


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("version", VERSIONS)
def test_it_fits_the_schema(path, version) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    validate.validate(yaml.safe_load(path.read_text()), version, strict=True)


def test_every_manifest_belongs_to_the_kustomization() -> None:
    assert sorted(read("base/kustomization.yaml")["resources"]) == [path.name for path in MANIFESTS]
    assert read("kustomization.yaml")["resources"] == ["base"]


def test_it_builds(require_program) -> None:
    kinds = [document["kind"] for document in built(require_program("kustomize", "kubectl"))]
    assert sorted(kinds) == sorted(yaml.safe_load(path.read_text())["kind"] for path in MANIFESTS)


@pytest.fixture
def pod() -> dict:
    return read("base/statefulset.yaml")["spec"]["template"]["spec"]


def test_the_server_has_no_more_rights_than_it_needs(pod) -> None:
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert read("base/service-account.yaml")["automountServiceAccountToken"] is False
    assert not any(path.stem.startswith("role") for path in MANIFESTS)


def test_it_keeps_its_state_and_is_probed(pod) -> None:
    [container] = pod["containers"]
    claims = {claim["metadata"]["name"] for claim in read("base/statefulset.yaml")["spec"]["volumeClaimTemplates"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    home = {variable["name"]: variable.get("value") for variable in container["env"]}["NETOPS_HOME"]
    assert {mounts[claim] for claim in claims} == {home}
    probes = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    for probe, path in probes.items():
        assert container[probe]["httpGet"]["path"] == path
    assert container["resources"]["requests"]
    assert container["resources"]["limits"]["memory"]


def test_without_a_champion_it_waits_instead_of_crashing(pod) -> None:
    assert "--wait" in pod["containers"][0]["args"]


def test_all_that_is_written_is_mounted_for_the_root_is_read_only(pod) -> None:
    dockerfile = (FOLDER.parents[1] / "Dockerfile").read_text()
    mounts = {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    [home] = re.findall(r"^WORKDIR (/home/.+)$", dockerfile, re.M)
    assert mounts == {"/tmp", "/state", home}
    assert re.findall(r"^VOLUME (.+)$", dockerfile, re.M) == ["/state"]


def test_it_reaches_the_store_of_the_models(pod) -> None:
    assert {"secretRef": {"name": "netops-store", "optional": True}} in pod["containers"][0]["envFrom"]
    rules = read("base/network-policy.yaml")["spec"]["egress"]
    ports = {
        tuple(rule["to"][0]["namespaceSelector"].get("matchLabels", {}).items()): {
            port["port"] for port in rule["ports"]
        }
        for rule in rules
    }
    assert {8080, 9000} <= ports[(("kubernetes.io/metadata.name", "mlrun"),)]
    assert ports[(("netops/store", "true"),)] == {9000, 443}


def test_its_image_is_the_one_without_training() -> None:
    [image] = read("kustomization.yaml")["images"]
    makefile = (FOLDER.parents[1] / "Makefile").read_text()
    assert "--target serve --tag $(SERVE_IMAGE)" in makefile
    assert re.search(r"^SERVE_IMAGE \?= \$\(IMAGE\)-serve$", makefile, re.M)
    assert f"{image['name']}:{image['newTag']}".removesuffix("-serve") in makefile


def test_the_token_is_a_secret(pod) -> None:
    token = next(variable for variable in pod["containers"][0]["env"] if variable["name"] == "NETOPS_TOKEN")
    assert "secretKeyRef" in token["valueFrom"]


def test_the_command_is_one_that_netops_takes(pod) -> None:
    from netops.cli.main import COMMANDS
    from netops.cli.serve import command

    program, verb, *arguments = pod["containers"][0]["args"]
    assert (program, verb in COMMANDS) == ("netops", True)
    known = {option for parameter in command.params for option in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= known


def test_the_selectors_meet_the_pod() -> None:
    labels = read("base/statefulset.yaml")["spec"]["template"]["metadata"]["labels"]
    assert read("base/service.yaml")["spec"]["selector"] == labels
    for name in ("base/network-policy.yaml", "base/disruption-budget.yaml"):
        spec = read(name)["spec"]
        assert (spec.get("podSelector") or spec["selector"])["matchLabels"] == labels
