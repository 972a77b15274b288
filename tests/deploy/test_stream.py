"""The manifests of several replicas that share a topic, as `kubectl apply -k` sends them."""

import re
from typing import Any

import pytest

from netops.config.durations import SECOND
from netops.serving.settings import ServingSettings
from netops.telemetry.kafka.address import parse_stream
from tests.deploy.manifests import FOLDER, VERSIONS, built, read

Document = dict[str, Any]


@pytest.fixture(scope="module")
def manifests(require_program) -> dict[str, Document]:
    """Kind/name → manifest."""
    found = built(require_program("kustomize", "kubectl"), "stream")
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in found}


@pytest.fixture
def pod(manifests) -> Document:
    return manifests["StatefulSet/netops"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", VERSIONS)
def test_they_fit_the_schemas(manifests, version) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    for manifest in manifests.values():
        validate.validate(manifest, version, strict=True)


def test_it_has_all_of_one_replica_and_more(manifests, require_program) -> None:
    single = {f"{one['kind']}/{one['metadata']['name']}" for one in built(require_program("kustomize", "kubectl"))}
    assert set(manifests) - single == {
        "Service/netops-peers",
        "PersistentVolumeClaim/netops-state",
        "NetworkPolicy/netops-stream",
        "HorizontalPodAutoscaler/netops",
    }
    assert single < set(manifests)


def test_the_image_is_that_of_one_replica(pod) -> None:
    [image] = read("kustomization.yaml")["images"]
    assert pod["containers"][0]["image"] == f"{image['name']}:{image['newTag']}"


def test_all_replicas_share_one_volume(manifests, pod) -> None:
    assert "volumeClaimTemplates" not in manifests["StatefulSet/netops"]["spec"]
    assert manifests["PersistentVolumeClaim/netops-state"]["spec"]["accessModes"] == ["ReadWriteMany"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["state"]["persistentVolumeClaim"] == {"claimName": "netops-state"}
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert set(mounts) == set(volumes)
    home = {variable["name"]: variable.get("value") for variable in pod["containers"][0]["env"]}["NETOPS_HOME"]
    assert mounts["state"] == home


def test_the_autoscaler_decides_the_number_of_replicas(manifests) -> None:
    spec = manifests["HorizontalPodAutoscaler/netops"]["spec"]
    assert "replicas" not in manifests["StatefulSet/netops"]["spec"]  # a second apply would reset it
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "netops"}
    assert 1 < spec["minReplicas"] < spec["maxReplicas"]
    [metric] = spec["metrics"]
    name = metric["pods"]["metric"]["name"]
    assert f'"{name}"' in (FOLDER.parents[1] / "netops" / "serving" / "stream" / "metrics.py").read_text()
    assert f"`{name}`" in (FOLDER.parents[1] / "docs" / "scale.md").read_text()


def test_a_change_of_the_number_is_slower_than_the_pause_that_it_causes(manifests) -> None:
    behavior = manifests["HorizontalPodAutoscaler/netops"]["spec"]["behavior"]
    session = ServingSettings().stream.session / SECOND
    up, down = (behavior[name]["stabilizationWindowSeconds"] for name in ("scaleUp", "scaleDown"))
    assert 2 * session < up < down
    assert behavior["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]


def test_one_replica_may_be_away_at_a_time(manifests) -> None:
    spec = manifests["PodDisruptionBudget/netops"]["spec"]
    assert (spec["maxUnavailable"], "minAvailable" in spec) == (1, False)
    assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_the_names_of_the_replicas_include_those_that_start(manifests) -> None:
    spec = manifests["Service/netops-peers"]["spec"]
    assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", True)
    assert manifests["StatefulSet/netops"]["spec"]["serviceName"] == "netops-peers"
    assert manifests["Service/netops"]["spec"].get("publishNotReadyAddresses") is None


def test_the_replicas_know_each_other(manifests, pod) -> None:
    arguments, [port] = pod["containers"][0]["args"], pod["containers"][0]["ports"]
    service = manifests["Service/netops-peers"]["metadata"]["name"]
    assert arguments[arguments.index("--peers") + 1] == f"http://{service}:{port['containerPort']}"


def test_probes_are_about_one_replica(pod) -> None:
    [container] = pod["containers"]
    paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    # /readyz is about one replica in any case.
    assert paths == {"startup": "/healthz?scope=own", "liveness": "/healthz?scope=own", "readiness": "/readyz"}


def test_the_selectors_meet_the_pods(manifests) -> None:
    labels = manifests["StatefulSet/netops"]["spec"]["template"]["metadata"]["labels"]
    for name in ("Service/netops", "Service/netops-peers"):
        assert manifests[name]["spec"]["selector"] == labels
    for name in ("NetworkPolicy/netops", "NetworkPolicy/netops-stream", "PodDisruptionBudget/netops"):
        spec = manifests[name]["spec"]
        assert (spec.get("podSelector") or spec["selector"])["matchLabels"] == labels


def test_the_broker_and_the_other_replicas_can_be_reached(manifests, pod) -> None:
    rules = manifests["NetworkPolicy/netops-stream"]["spec"]["egress"]
    open_ports = {port["port"] for rule in rules for port in rule["ports"]}
    [http] = pod["containers"][0]["ports"]
    example = re.search(r"^ +# (kafka://\S+)$", (FOLDER / "stream" / "statefulset.yaml").read_text(), re.M)
    broker_port = int(parse_stream(example[1]).brokers.rpartition(":")[2])
    assert {http["containerPort"], broker_port} <= open_ports
    inside = manifests["NetworkPolicy/netops"]["spec"]["ingress"][0]
    assert {"podSelector": {}} in inside["from"]


def test_it_stops_within_the_grace_period(manifests, pod) -> None:
    session = ServingSettings().stream.session / SECOND
    [_, pause] = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert pod["terminationGracePeriodSeconds"] >= 3 * session + int(pause)
    spec = manifests["StatefulSet/netops"]["spec"]
    assert spec["podManagementPolicy"] == "Parallel"
    assert spec["minReadySeconds"] >= session


def test_the_server_has_no_more_rights_than_one_replica(pod) -> None:
    single = read("base/statefulset.yaml")["spec"]["template"]["spec"]
    assert pod["containers"][0]["securityContext"] == single["containers"][0]["securityContext"]
    assert pod["securityContext"] == single["securityContext"] | {"fsGroupChangePolicy": "OnRootMismatch"}
    assert pod["automountServiceAccountToken"] is False


def test_the_command_is_one_that_netops_takes(pod) -> None:
    from netops.cli.serve import command

    [container] = pod["containers"]
    program, verb, *arguments = container["args"]
    assert (program, verb) == ("netops", "serve")
    known = {option for parameter in command.params for option in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= known
    used = set(re.findall(r"\$\((\w+)\)", " ".join(arguments)))
    assert used <= {variable["name"] for variable in container["env"]}
    assert {"NETOPS_STREAM", "NETOPS_NETWORK"} == used
    assert "--wait" in arguments


def test_the_adapter_gives_the_metric_of_the_autoscaler(manifests) -> None:
    [rule] = read("stream/adapter.yaml")["rules"]["custom"]
    [metric] = manifests["HorizontalPodAutoscaler/netops"]["spec"]["metrics"]
    assert rule["name"]["as"] == metric["pods"]["metric"]["name"]
    series, labels = re.fullmatch(r"(\w+)\{(.*)\}", rule["seriesQuery"]).groups()
    assert series == rule["name"]["as"]
    assert set(rule["resources"]["overrides"]) == set(re.findall(r'(\w+)!=""', labels)) == {"namespace", "pod"}


def test_prometheus_finds_the_pods_with_the_labels_that_the_adapter_asks_for(manifests, pod) -> None:
    [job] = read("stream/scrape.yaml")["scrape_configs"]
    rules = job["relabel_configs"]
    kept = {rule["source_labels"][0]: rule["regex"] for rule in rules if rule.get("action") == "keep"}
    labels = manifests["StatefulSet/netops"]["spec"]["template"]["metadata"]["labels"]
    assert kept == {
        "__meta_kubernetes_pod_label_app_kubernetes_io_name": labels["app.kubernetes.io/name"],
        "__meta_kubernetes_pod_container_port_name": pod["containers"][0]["ports"][0]["name"],
    }
    assert {rule["target_label"] for rule in rules if "target_label" in rule} == {"namespace", "pod"}
    namespaces = job["kubernetes_sd_configs"][0]["namespaces"]["names"]
    assert namespaces == [manifests["StatefulSet/netops"]["metadata"]["namespace"]]


def test_every_file_is_applied_or_described() -> None:
    page = (FOLDER.parents[1] / "docs" / "scale.md").read_text()
    files = {path.name for path in (FOLDER / "stream").iterdir()} - {"kustomization.yaml"}
    assert {name for name in files if f"`{name}`" not in page} == set()
