"""The ``cluster`` section: what the stages run on where MLRun is a service (configurations/cluster.yaml)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from netops.configuration import Duration, bind, option, read_yaml
from netops.durations import DAY, HOUR, MINUTE, SECOND, format_duration
from netops.errors import UsageError, closest
from netops.orchestration import dask_function
from netops.orchestration.dask_function import DaskSettings
from netops.orchestration.root import project_root

DEFAULT = "default"


@dataclass(frozen=True)
class StageSettings:
    """What one stage asks of the cluster."""

    cpu: str = option("1", help="CPU request", unit="cores")
    memory: str = option("2Gi", help="memory request, and limit", unit="Kubernetes quantity")
    timeout: Duration = option(HOUR, help="an attempt that takes longer is stopped", unit="duration")
    retries: int = option(2, help="how often a failed step is tried again", minimum=0, maximum=10)
    node_selector: dict[str, str] = option(dict, help="labels of the nodes that may run it")


@dataclass(frozen=True)
class LauncherSettings:
    """What Kubeflow's own pod of a step asks for: it starts the stage through MLRun, and waits."""

    cpu: str = option("100m", help="CPU request", unit="cores")
    memory: str = option("512Mi", help="memory request, and limit", unit="Kubernetes quantity")


@dataclass(frozen=True)
class ServingDeployment:
    """How the real-time function is deployed on Nuclio."""

    min_replicas: int = option(1, help="replicas at the least; each owns its share of the devices", minimum=1)
    max_replicas: int = option(1, help="replicas at the most", minimum=1)
    stream: str = option("", help="kafka://broker/topic or v3io:///…, partitioned by device; HTTP alone if empty")
    state_claim: str = option("", help="volume claim that keeps the state of the replicas; none if empty")
    ready_timeout: Duration = option(5 * MINUTE, help="how long a deployment may take to answer", unit="duration")
    canary: int = option(100, help="share of the traffic that a new champion gets, where the service can", unit="%",
                         minimum=1, maximum=100)  # fmt: skip


@dataclass(frozen=True)
class ClusterSettings:
    """Where and how the project runs on a cluster."""

    image: str = option("netops:0.1.0", help="image of all stages, made by `make image`")
    source: str = option("/opt/netops", help="the project in that image, or its Git address; schedules need it")
    requirements: tuple[str, ...] = option((), help="packages that the image lacks; MLRun builds them in")
    namespace: str = option("mlrun", help="Kubernetes namespace of MLRun")
    artifact_path: str = option("", help="where artifacts are kept; the service's own default if empty")
    secrets: tuple[str, ...] = option((), help="secret:key; the stages see it as environment variable `key`")
    auto_mount: bool = option(True, help="mount the volumes that the MLRun service offers its functions")
    ttl: Duration = option(7 * DAY, help="how long a finished workflow stays in Kubeflow", unit="duration")
    backoff: Duration = option(30 * SECOND, help="time before a step is tried again, doubled each time",
                               unit="duration")  # fmt: skip
    launcher: LauncherSettings = option(LauncherSettings, help="Kubeflow's own pod of each step")
    stages: dict[str, dict[str, Any]] = option(dict, help="stage → what differs from `default`")
    dask: DaskSettings = option(DaskSettings, help="the Dask cluster that features may be built on")
    serving: ServingDeployment = option(ServingDeployment, help="the real-time function")
    where: str = field(default="cluster.yaml", init=False, repr=False)

    def __post_init__(self) -> None:
        for name in self.stages:
            self.stage(name)
        for secret in self.secrets:
            if not all(secret.partition(":")):
                raise UsageError(f"{self.where}: secrets: '{secret}': write it as secret:key")

    def stage(self, name: str) -> StageSettings:
        """Give what a stage asks for: its own keys over those of ``default``."""
        values = {**self.stages.get(DEFAULT, {}), **self.stages.get(name, {})}
        return bind(StageSettings, values, f"{self.where}: stages: {name}")

    def refuse_unknown(self, stages: Mapping[str, Any]) -> None:
        """Refuse a stage that the project does not have; another project of this folder may have none of ours."""
        for name in self.stages:
            if stages and name != DEFAULT and name not in stages:
                raise UsageError(f"{self.where}: stages: no stage '{name}'{closest(name, stages)}")


def read_cluster_settings() -> ClusterSettings:
    """Read configurations/cluster.yaml of the project."""
    path = project_root() / "configurations" / "cluster.yaml"
    return bind(ClusterSettings, read_yaml(path), path.name)


def apply(project: Any, settings: ClusterSettings) -> None:
    """Give the functions and workflows of the project what the section says.

    Parameters
    ----------
    project : mlrun.projects.MlrunProject
        As project.yaml declares it.
    settings : ClusterSettings
        Image, source, resources, node selection, secrets, time limits.
    """
    names = [definition["name"] for definition in project.spec.functions]
    functions = {name: project.get_function(name) for name in names if name != dask_function.NAME}
    settings.refuse_unknown(functions)
    project.set_default_image(settings.image)
    for name, function in functions.items():
        _equip(function, settings.stage(name), settings)
    dask_function.declare_dask(project, settings.dask, settings.image)
    for workflow in project.spec.workflows:
        workflow |= {"cleanup_ttl": settings.ttl // SECOND, "image": settings.image}
        project.spec.set_workflow(workflow["name"], workflow)


def apply_places(project: Any, settings: ClusterSettings) -> None:
    """Say where the project's source and artifacts are on a cluster."""
    project.spec.source = project.spec.source or settings.source
    project.spec.artifact_path = settings.artifact_path


def _equip(function: Any, stage: StageSettings, settings: ClusterSettings) -> None:
    function.spec.image = settings.image
    if settings.requirements:
        function.with_requirements(list(settings.requirements))
    function.with_requests(mem=stage.memory, cpu=stage.cpu)
    function.with_limits(mem=stage.memory)
    # Kubeflow stops its own pod of a step only; this stops the stage.
    function.set_state_thresholds({"executing": f"{max(stage.timeout // SECOND, 60)}s"})
    if stage.node_selector:
        function.with_node_selection(node_selector=stage.node_selector)
    known = {variable["name"] for variable in function.spec.env if isinstance(variable, dict)}
    for secret in settings.secrets:
        if (variable := from_secret(secret))["name"] not in known:
            function.spec.env.append(variable)
    if settings.auto_mount:
        function.try_auto_mount_based_on_config()


def equip_node(node: Any, stage: str, settings: ClusterSettings, *, title: str, description: str) -> Any:
    """Give the node of a step in a Kubeflow pipeline its title, time limit, retries, nodes and resources.

    Parameters
    ----------
    node : kfp.dsl.ContainerOp
        The step.
    stage : str
        The function it runs.
    title, description : str
        What people read.
    """
    asked = settings.stage(stage)
    node.set_display_name(title)
    node.add_pod_annotation("workflows.argoproj.io/title", title)
    node.add_pod_annotation("workflows.argoproj.io/description", description)
    node.set_timeout(asked.timeout // SECOND)
    if asked.retries:
        node.set_retry(
            asked.retries,
            policy="Always",
            backoff_duration=format_duration(settings.backoff),
            backoff_factor=2,
        )
    node.container.set_memory_request(settings.launcher.memory).set_memory_limit(settings.launcher.memory)
    node.container.set_cpu_request(settings.launcher.cpu)
    for label, value in asked.node_selector.items():  # as the stage's own pod, which MLRun places
        node.add_node_selector_constraint(label, value)
    node.set_caching_options(False)  # the same parameters mean new telemetry, not the result of last time
    return node


def from_secret(secret: str) -> dict[str, Any]:
    """Read ``secret:key`` as an environment variable of that name."""
    name, _, key = secret.partition(":")
    return {"name": key, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}
