"""The ``cluster`` section: what the stages run on where MLRun is a service (configurations/cluster.yaml).

It is part of the settings of a run: the compiler of the workflow and the deployment of the model
read the section as of the submission of the run, not the one that was built into an image.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from netops.config.binding import Duration, bind, keys_in, option, read_yaml
from netops.config.durations import DAY, HOUR, MINUTE, SECOND
from netops.errors import UsageError, closest
from netops.json_types import Json, JsonDict, JsonObject
from netops.telemetry.kafka.address import PASSWORD, SCHEME, StreamAddress, parse_stream
from netops.workflows.project_folder import project_root
from netops.workflows.stages.dask import DaskSettings

#: Name of the section, in the settings of a run and as a file.
CLUSTER = "cluster"
DEFAULT = "default"
#: Where MLRun's Helm chart puts the service, for pods of its own namespace.
SERVICE = "http://mlrun-api:8080"


@dataclass(frozen=True)
class StageSettings:
    """Resources that one stage requests."""

    cpu: str = option("1", help="CPU request", unit="cores")
    memory: str = option("2Gi", help="memory request, and limit", unit="Kubernetes quantity")
    timeout: Duration = option(HOUR, help="an attempt that takes longer is stopped", unit="duration")
    retries: int = option(2, help="how often a failed step is tried again", minimum=0, maximum=10)
    node_selector: dict[str, str] = option(dict, help="labels of the nodes that may run it")


@dataclass(frozen=True)
class LauncherSettings:
    """Resources of Kubeflow's own pod of a step, which starts the stage through MLRun and waits."""

    cpu: str = option("100m", help="CPU request", unit="cores")
    memory: str = option("512Mi", help="memory request, and limit", unit="Kubernetes quantity")
    image: str = option("", help="its image, with the MLRun client in it; MLRun's own if empty")


@dataclass(frozen=True)
class ServingDeployment:
    """How the real-time function is deployed on Nuclio."""

    min_replicas: int = option(
        1, help="minimum number of replicas; each owns its fraction of the devices", minimum=1
    )
    max_replicas: int = option(1, help="replicas at the most", minimum=1)
    stream: str = option("", help="kafka://broker:9092/topic?group=… or v3io:///…, partitioned by device; HTTP "
                         "alone if empty")  # fmt: skip
    state_claim: str = option("", help="volume claim for the state of the replicas, which share it; none if empty, "
                              "required with a Kafka topic")  # fmt: skip
    ready_timeout: Duration = option(5 * MINUTE, help="how long a deployment may take to answer", unit="duration")
    canary: int = option(100, help="fraction of the traffic sent to a new champion, if supported", unit="%",
                         minimum=1, maximum=100)  # fmt: skip

    def __post_init__(self) -> None:
        if self.topic is None:
            if self.stream and not self.stream.startswith("v3io://"):
                raise UsageError(
                    f"cluster.yaml: serving: stream: '{self.stream}': write kafka://broker:9092/topic or v3io:///…"
                )
            return
        if not self.state_claim:
            raise UsageError(
                "cluster.yaml: serving: state_claim: a function that reads a Kafka topic stores its state and its "
                "offsets on a volume; name a claim (ReadWriteMany with several replicas)"
            )
        if self.canary < 100:
            raise UsageError(
                "cluster.yaml: serving: canary: the samples of a Kafka topic cannot be split between two models; "
                "set it to 100"
            )

    @property
    def topic(self) -> StreamAddress | None:
        """The Kafka topic that the replicas read; None without one.

        Raises
        ------
        UsageError
            If its address is invalid.
        """
        return parse_stream(self.stream) if self.stream.startswith(f"{SCHEME}://") else None


@dataclass(frozen=True)
class ClusterSettings:
    """Where and how the project runs on a cluster."""

    service: str = option("", help="MLRun's address inside the cluster; by default as the service reports, "
                          f"else {SERVICE}")  # fmt: skip
    image: str = option("netops:0.2.0", help="image of all stages, made by `make image`")
    source: str = option("/opt/netops", help="the project in that image, or its Git address; schedules load it "
                         "from there")  # fmt: skip
    requirements: tuple[str, ...] = option((), help="packages that the image lacks; MLRun builds them in")
    namespace: str = option("mlrun", help="Kubernetes namespace of MLRun")
    artifact_path: str = option("", help="where artifacts are stored, a folder for each run; the service's own "
                                "default if empty")  # fmt: skip
    secrets: tuple[str, ...] = option((), help="secret:key; the stages see it as environment variable `key`")
    auto_mount: bool = option(True, help="give the stages the volumes and variables that the MLRun service offers "
                              "its functions")  # fmt: skip
    ttl: Duration = option(7 * DAY, help="how long a finished workflow is retained in Kubeflow", unit="duration")
    backoff: Duration = option(30 * SECOND, help="time before a step is tried again, doubled each time",
                               unit="duration")  # fmt: skip
    launcher: LauncherSettings = option(LauncherSettings, help="Kubeflow's own pod of each step")
    stages: dict[str, dict[str, object]] = option(dict, help="stage → what differs from `default`")
    dask: DaskSettings = option(DaskSettings, help="the Dask cluster that stages may compute on")
    serving: ServingDeployment = option(ServingDeployment, help="the real-time function")
    where: str = field(default="cluster.yaml", init=False, repr=False)

    def __post_init__(self) -> None:
        for name in self.stages:
            self.stage(name)
        for secret in self.secrets:
            if not all(secret.partition(":")):
                raise UsageError(f"{self.where}: secrets: '{secret}': write it as secret:key")
        if (topic := self.serving.topic) is not None and "sasl.username" in topic.properties:
            self._require(PASSWORD)
        if self.service and "://" not in self.service:
            raise UsageError(f"{self.where}: service: '{self.service}': write it as http://host:port")

    def _require(self, variable: str) -> None:
        if variable not in {secret.partition(":")[2] for secret in self.secrets}:
            raise UsageError(
                f"{self.where}: secrets: the stream has a user name, so the function needs {variable}; "
                f"add '<secret>:{variable}'"
            )

    def stage(self, name: str) -> StageSettings:
        """Return the settings of a stage: its own keys override those of ``default``."""
        values = {**self.stages.get(DEFAULT, {}), **self.stages.get(name, {})}
        return bind(StageSettings, values, f"{self.where}: stages: {name}")

    def refuse_unknown(self, stages: Iterable[str]) -> None:
        """Reject a stage that the project does not have; another project of this folder may have other stages."""
        known = set(stages)
        for name in self.stages:
            if known and name != DEFAULT and name not in known:
                raise UsageError(f"{self.where}: stages: no stage '{name}'{closest(name, known)}")


def read_cluster_settings(settings: JsonObject | str = "{}") -> ClusterSettings:
    """Read the section in the settings of a run, else configurations/cluster.yaml of the project.

    Parameters
    ----------
    settings : mapping or str
        The settings of a run, or their JSON.
    """
    document: JsonObject = json.loads(settings) if isinstance(settings, str) else settings
    values = document[CLUSTER] if CLUSTER in document else cluster_values()
    return bind(ClusterSettings, values, "cluster.yaml")


def cluster_values() -> JsonDict:
    """Read configurations/cluster.yaml of the project without changes."""
    values = read_yaml(project_root() / "configurations" / "cluster.yaml")
    return {**keys_in(values, "cluster.yaml")}


def with_cluster(arguments: Mapping[str, str], **changes: Json) -> dict[str, str]:
    """Put the section into the settings among the arguments of a workflow, so that it travels with the run.

    Parameters
    ----------
    arguments : mapping
        Arguments of a workflow; a section that its settings hold already stays.
    **changes
        Keys of the section to be changed.
    """
    document = json.loads(arguments.get("settings") or "{}")
    document[CLUSTER] = {**document.get(CLUSTER, cluster_values()), **changes}
    return {**arguments, "settings": json.dumps(document, sort_keys=True)}


def from_secret(secret: str) -> dict[str, object]:
    """Read ``secret:key`` as an environment variable of that name."""
    name, _, key = secret.partition(":")
    return {"name": key, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}
