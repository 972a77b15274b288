"""The parts of MLRun's objects that are used here; MLRun itself has no types."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from netops.json_types import JsonDict
from netops.tracking.records import ArtifactRecord, RunRecord


class DataItem(Protocol):
    """An input of a run, or anything else that has an address."""

    kind: str
    url: str
    artifact_url: str

    def local(self) -> str:
        """Return the path on this machine; downloads what is elsewhere."""

    def get(self) -> bytes:
        """Read the content."""

    def put(self, data: str | bytes) -> None:
        """Write the content."""

    def upload(self, src_path: str) -> None:
        """Write the content of a file."""

    def download(self, target_path: str) -> None:
        """Copy the content to a file."""

    def listdir(self) -> Sequence[str]:
        """List the files of a folder."""


class ModelArtifact(Protocol):
    """A logged model."""

    def get_store_url(self, with_tag: bool = True) -> str:
        """Return its ``store://`` address."""


class StageContext(Protocol):
    """The run of a stage, while it works (``mlrun.MLClientCtx``)."""

    uid: str
    name: str
    project: str
    iteration: int
    tag: str
    artifact_path: str
    labels: Mapping[str, str]
    inputs: Mapping[str, DataItem]

    def get_input(self, key: str) -> DataItem:
        """Return an input by its name."""

    def set_label(self, key: str, value: str) -> None:
        """Label the run."""

    def log_result(self, key: str, value: object) -> None:
        """Log a result."""

    def log_results(self, results: Mapping[str, object]) -> None:
        """Log results by their names."""

    def log_iteration_results(
        self, best: int, summary: Sequence[Sequence[object]], task: object, commit: bool = False
    ) -> None:
        """Log the table of the iterations, and which is the best."""

    def log_artifact(self, item: object, **how: object) -> object:
        """Log an artifact, or a body by its name."""

    def log_model(self, key: str, **how: object) -> "ModelArtifact":
        """Log a model."""

    def to_dict(self) -> JsonDict:
        """Return the record of the run."""


class Metadata(Protocol):
    """Which object it is."""

    name: str
    uid: str


class WorkflowSpec(Protocol):
    """A workflow as project.yaml declares it."""

    name: str | None
    image: str
    args: dict[str, str]
    cleanup_ttl: int

    def copy(self) -> "WorkflowSpec":
        """Return a copy."""


class FunctionBuild(Protocol):
    """How the image of a function is built, and where its code is from."""

    base_image: str | None
    origin_filename: str
    code_origin: str | None


class FunctionSpec(Protocol):
    """What a function runs on."""

    image: str
    filename: str
    build: FunctionBuild
    disable_auto_mount: bool
    env: list[Mapping[str, object]]
    entry_points: Mapping[str, Mapping[str, str]]
    default_handler: str


class StageRun(Protocol):
    """A run that was started, or has ended (``mlrun.RunObject``)."""

    metadata: Metadata

    @property
    def status(self) -> "StageRunStatus":
        """What has become of it."""

    @property
    def outputs(self) -> Mapping[str, str]:
        """Addresses of artifacts, and results, by name."""

    def to_dict(self) -> RunRecord:
        """Return its record."""


class StageRunStatus(Protocol):
    """What has become of a run."""

    results: JsonDict


class Function(Protocol):
    """A function of the project: what a stage is run by."""

    kind: str
    metadata: Metadata
    spec: FunctionSpec

    def copy(self) -> "Function":
        """Return a copy."""

    def run(self, **how: object) -> StageRun:
        """Run it."""

    def save(self, *, versioned: bool) -> object:
        """Store it in the run database."""

    def to_dict(self) -> Mapping[str, Mapping[str, object]]:
        """Return it as the database stores it."""

    def as_step(self, runspec: object, **how: object) -> object:
        """Return it as a node of a Kubeflow pipeline."""

    def with_requirements(self, requirements: Sequence[str], overwrite: bool = False) -> None:
        """Name packages that are built into its image."""

    def with_requests(self, mem: str, cpu: str) -> None:
        """Set what it requests."""

    def with_limits(self, mem: str) -> None:
        """Limit what it takes."""

    def set_state_thresholds(self, state_thresholds: Mapping[str, str]) -> None:
        """Limit how long it may be in a state."""

    def with_node_selection(self, node_selector: Mapping[str, str]) -> None:
        """Select the nodes that may run it."""

    def try_auto_mount_based_on_config(self) -> None:
        """Mount what the service offers."""


class ProjectSpec(Protocol):
    """What project.yaml declares."""

    artifact_path: str | None
    source: str
    disable_auto_mount: bool
    functions: Sequence[Mapping[str, str]]
    workflows: Sequence[dict[str, object]]
    _workflows: Mapping[str, WorkflowSpec]
    _function_objects: Mapping[str, Function]

    def set_workflow(self, name: str, workflow: object) -> None:
        """Declare a workflow."""


class Project(Protocol):
    """The MLRun project (``mlrun.projects.MlrunProject``)."""

    name: str
    metadata: Metadata
    spec: ProjectSpec
    sync_functions: Callable[..., Mapping[str, Function]]

    def save_to_db(self) -> None:
        """Store it in the run database."""

    def get_function(self, key: str) -> Function:
        """Return one of its functions."""

    def set_function(self, func: object, name: str) -> None:
        """Add a function."""

    def set_default_image(self, default_image: str) -> None:
        """Set the image of functions that have none."""

    def build_function(self, function: Function) -> StageRun:
        """Let the service build the image of a function."""

    def run_function(self, function: str, **how: object) -> StageRun:
        """Run one of its functions."""

    def run(self, name: str, **how: object) -> "WorkflowStatus":
        """Run one of its workflows."""

    def save_workflow(self, name: str, target: str, artifact_path: str) -> None:
        """Compile a workflow into a file."""

    def log_artifact(self, item: object, **how: object) -> object:
        """Log an artifact of the project."""


class WorkflowStatus(Protocol):
    """A workflow that was started, or has ended."""

    run_id: str
    exc: Exception | None


class RunDatabase(Protocol):
    """The run database in use: the embedded one, or the client of a service."""

    def list_runs(
        self,
        name: str | None = None,
        uid: str | None = None,
        project: str | None = None,
        labels: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
    ) -> Sequence[RunRecord]:
        """List runs, the latest start first."""

    def abort_run(self, uid: str, project: str, *, status_text: str) -> None:
        """Stop a run."""

    def list_artifacts(
        self,
        name: str | None = None,
        project: str | None = None,
        tag: str | None = None,
        labels: Sequence[str] | None = None,
        kind: str | None = None,
    ) -> Sequence[ArtifactRecord]:
        """List versions of artifacts."""

    def store_artifact(self, key: str, artifact: object, *, project: str, tree: str) -> object:
        """Store a version of an artifact."""

    def tag_artifacts(self, artifacts: object, project: str, tag_name: str, *, replace: bool) -> None:
        """Put a tag on artifacts."""

    def delete_artifacts_tags(self, artifacts: object, project: str, tag_name: str) -> None:
        """Take a tag off artifacts."""
