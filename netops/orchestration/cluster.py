"""The ``cluster`` section: what the stages run on where MLRun is a service (configurations/cluster.yaml)."""

from dataclasses import dataclass
from typing import Any

from netops.configuration import Duration, bind, option, read_yaml
from netops.durations import DAY, HOUR, MINUTE, SECOND
from netops.orchestration.root import project_root


@dataclass(frozen=True)
class StageSettings:
    """What one stage asks of the cluster."""

    cpu: str = option("1", help="CPU request", unit="cores")
    memory: str = option("2Gi", help="memory request, and limit", unit="Kubernetes quantity")
    timeout: Duration = option(HOUR, help="a step that takes longer is stopped", unit="duration")
    retries: int = option(2, help="how often a failed step is tried again", minimum=0, maximum=10)
    node_selector: dict[str, str] = option(dict, help="labels of the nodes that may run it")


@dataclass(frozen=True)
class ServingDeployment:
    """How the real-time function is deployed on Nuclio."""

    min_replicas: int = option(1, help="replicas at the least; each owns its share of the devices", minimum=1)
    max_replicas: int = option(1, help="replicas at the most", minimum=1)
    stream: str = option("", help="Kafka or V3IO stream of telemetry, partitioned by device; HTTP alone if empty")
    ready_timeout: Duration = option(5 * MINUTE, help="how long a deployment may take to answer", unit="duration")
    canary: int = option(100, help="share of the traffic that a new champion gets, where the service can", unit="%",
                         minimum=1, maximum=100)  # fmt: skip


@dataclass(frozen=True)
class ClusterSettings:
    """Where and how the project runs on a cluster."""

    image: str = option("netops:0.1.0", help="image of all stages, made by `make image`")
    namespace: str = option("mlrun", help="Kubernetes namespace of MLRun")
    artifact_path: str = option("", help="where artifacts are kept; the service's own default if empty")
    secrets: tuple[str, ...] = option((), help="Kubernetes secrets whose keys the stages see as environment")
    auto_mount: bool = option(True, help="mount the volumes that the MLRun service offers its functions")
    ttl: Duration = option(7 * DAY, help="how long a finished workflow stays in Kubeflow", unit="duration")
    backoff: Duration = option(30 * SECOND, help="time before a step is tried again, doubled each time",
                               unit="duration")  # fmt: skip
    stages: dict[str, StageSettings] = option(dict, help="stage → what it asks for; `default` holds for the others")
    serving: ServingDeployment = option(ServingDeployment, help="the real-time function")

    def stage(self, name: str) -> StageSettings:
        """Give what a stage asks for."""
        return self.stages.get(name) or self.stages.get("default") or StageSettings()


def read_cluster_settings() -> ClusterSettings:
    """Read configurations/cluster.yaml of the project."""
    path = project_root() / "configurations" / "cluster.yaml"
    return bind(ClusterSettings, read_yaml(path), path.name)


def apply(project: Any, settings: ClusterSettings) -> None:
    """Give the functions of the project their image, resources, node selection and secrets."""
    project.set_default_image(settings.image)
    if settings.artifact_path:
        project.spec.artifact_path = settings.artifact_path
    for name in [function["name"] for function in project.spec.functions]:
        function, stage = project.get_function(name), settings.stage(name)
        function.spec.image = settings.image
        function.with_requests(mem=stage.memory, cpu=stage.cpu)
        function.with_limits(mem=stage.memory)
        if stage.node_selector:
            function.with_node_selection(node_selector=stage.node_selector)
        for secret in settings.secrets:
            function.spec.env.append(_from_secret(secret))
        if settings.auto_mount:
            function.try_auto_mount_based_on_config()


def _from_secret(secret: str) -> dict[str, Any]:
    """Read ``secret:key`` as an environment variable of that name."""
    name, _, key = secret.partition(":")
    return {"name": key, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}
