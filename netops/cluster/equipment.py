"""What the cluster section gives to the project's functions, and to the steps of a Kubeflow pipeline."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from netops.cluster.settings import SERVICE, ClusterSettings, StageSettings, from_secret
from netops.config.durations import HOUR, SECOND, format_duration
from netops.errors import NetopsError
from netops.tracking.mlrun_types import Function, Project
from netops.workflows.stages import dask

if TYPE_CHECKING:
    from kubernetes.client import V1EnvVar

#: Kubeflow's pod of a step outlives the time limit of the stage by this: MLRun ends the stage, and the pod sees it
#: end. If the pod ended first, Kubeflow would start the next attempt while a stage is still running.
GRACE = HOUR // 2
#: How long a stage may wait for an image that cannot be pulled; MLRun's default is an hour.
_NO_IMAGE = "5m"


class Container(Protocol):
    """Kubeflow's own container of a step."""

    image: str
    env: "list[V1EnvVar] | None"

    def set_memory_request(self, memory: str) -> "Container":
        """Set its memory request."""

    def set_memory_limit(self, memory: str) -> "Container":
        """Set its memory limit."""

    def set_cpu_request(self, cpu: str) -> "Container":
        """Set its CPU request."""


class Node(Protocol):
    """A step of a Kubeflow pipeline (``kfp.dsl.ContainerOp``)."""

    container: Container
    outputs: Mapping[str, object]

    def set_display_name(self, name: str) -> object:
        """Set its title."""

    def add_pod_annotation(self, name: str, value: str) -> object:
        """Annotate its pod."""

    def set_timeout(self, seconds: int) -> object:
        """Limit its time."""

    def set_retry(self, num_retries: int, *, policy: str, backoff_duration: str, backoff_factor: float) -> object:
        """Let it be tried again."""

    def add_node_selector_constraint(self, label_name: str, value: str) -> object:
        """Select the nodes that may run it."""

    def set_caching_options(self, enable_caching: bool) -> object:
        """Reuse earlier results, or not."""


def apply(project: Project, settings: ClusterSettings) -> None:
    """Apply the section to the functions and workflows of the project.

    Parameters
    ----------
    project : mlrun.projects.MlrunProject
        As project.yaml declares it.
    settings : ClusterSettings
        Image, source, resources, node selection, secrets, time limits.
    """
    names = [definition["name"] for definition in project.spec.functions]
    functions = {name: project.get_function(name) for name in names if name != dask.NAME}
    settings.refuse_unknown(functions)
    project.set_default_image(settings.image)
    # MLRun would add its mounts to each function of the project after the secrets are set.
    project.spec.disable_auto_mount = True
    for name, function in functions.items():
        equip_function(function, settings.stage(name), settings)
    equip_dask(project, settings)
    for workflow in project.spec.workflows:
        workflow |= {"cleanup_ttl": settings.ttl // SECOND, "image": settings.image}
        project.spec.set_workflow(str(workflow["name"]), workflow)


def apply_locations(project: Project, settings: ClusterSettings) -> None:
    """Return the paths of the project's source and artifacts on a cluster.

    In a Git clone MLRun has set the source to the address of the remote, which the section replaces.
    """
    project.spec.source = settings.source or project.spec.source
    project.spec.artifact_path = settings.artifact_path


def equip_function(function: Function, stage: StageSettings, settings: ClusterSettings) -> None:
    """Set image, resources, limits and variables of a stage's function (idempotent)."""
    function.spec.image, function.spec.build.base_image = settings.image, None
    if settings.requirements:
        function.with_requirements(list(settings.requirements), overwrite=True)
    function.with_requests(mem=stage.memory, cpu=stage.cpu)
    function.with_limits(mem=stage.memory)
    seconds = max(stage.timeout // SECOND, 60)
    function.set_state_thresholds({"executing": f"{seconds}s", "image_pull_backoff": _NO_IMAGE})
    function.with_node_selection(node_selector=dict(stage.node_selector))
    _mount(function, settings)


def equip_dask(project: Project, settings: ClusterSettings) -> Function:
    """Declare the Dask function of the project: image, resources, and the mounts and secrets of the stages."""
    function = dask.declare_dask(project, settings.dask, settings.image)
    _mount(function, settings)
    return function


def forget_machine(function: Function) -> None:
    """Take out of a function where its file was read from: it is about to travel inside a workflow."""
    name = Path(function.spec.filename or f"{function.metadata.name}.py").name
    function.spec.filename = function.spec.build.origin_filename = name
    function.spec.build.code_origin = None


def _mount(function: Function, settings: ClusterSettings) -> None:
    """Let MLRun mount what its service offers when the stage starts, and a secret win over it.

    MLRun's mount replaces variables of the same name. Where there are secrets it is applied here, before them, and
    not again.
    """
    from mlrun.runtimes.utils import get_item_name

    function.spec.disable_auto_mount = not settings.auto_mount
    if not settings.secrets:
        return
    if settings.auto_mount:
        function.try_auto_mount_based_on_config()
    secrets = [from_secret(secret) for secret in settings.secrets]
    names = {variable["name"] for variable in secrets}
    known = [variable for variable in function.spec.env if get_item_name(variable) not in names]
    function.spec.env = [*known, *secrets]


def equip_node(
    node: Node, stage: StageSettings, settings: ClusterSettings, *, title: str, description: str, service: str = ""
) -> Node:
    """Set title, time limit, retries, nodes, resources and service of a step in a Kubeflow pipeline.

    Parameters
    ----------
    node : kfp.dsl.ContainerOp
        The step.
    stage : StageSettings
        Resources that its stage requests.
    title, description : str
        What people read.
    service : str
        MLRun's address inside the cluster as reported by the service, if connected.
    """
    node.set_display_name(title)
    node.add_pod_annotation("workflows.argoproj.io/title", title)
    node.add_pod_annotation("workflows.argoproj.io/description", description)
    node.set_timeout((stage.timeout + GRACE) // SECOND)
    if stage.retries:
        node.set_retry(
            stage.retries,
            policy="Always",
            backoff_duration=format_duration(settings.backoff),
            backoff_factor=2,
        )
    _equip_launcher(node.container, settings, service)
    for label, value in stage.node_selector.items():  # as the stage's own pod, which MLRun schedules
        node.add_node_selector_constraint(label, value)
    node.set_caching_options(False)  # the same parameters mean new telemetry, not the result of last time
    return node


def _equip_launcher(container: Container, settings: ClusterSettings, service: str) -> None:
    from kubernetes.client import V1EnvVar

    launcher = settings.launcher
    container.set_memory_request(launcher.memory).set_memory_limit(launcher.memory)
    container.set_cpu_request(launcher.cpu)
    if launcher.image:
        container.image = launcher.image
    address = V1EnvVar(name="MLRUN_DBPATH", value=settings.service or service or SERVICE)
    container.env = [known for known in container.env or [] if known.name != address.name] + [address]


def refuse_unbuilt(settings: ClusterSettings) -> None:
    """Refuse what a workflow that is compiled without a service cannot keep.

    Raises
    ------
    NetopsError
        If packages would have to be built, or MLRun's mount could replace the secrets.
    """
    if settings.requirements:
        raise NetopsError(
            f"{settings.where}: requirements: only the service builds images: use netops submit, or put the "
            "packages into the image and empty the key"
        )
    if settings.secrets and settings.auto_mount:
        raise NetopsError(
            f"{settings.where}: auto_mount: in a compiled file MLRun's own mounts could replace variables of "
            "`secrets`: set auto_mount: false, or use netops submit"
        )
