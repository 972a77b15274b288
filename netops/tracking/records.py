"""The records that MLRun has of runs, as far as they are read here.

They come as JSON, from its service or from the embedded database; a key may be missing where it is not required.
"""

from typing import Required, TypedDict

from netops.json_types import Json

#: The label by which the service, too, identifies runs of workflows.
RUNNER = {"job-type": "workflow-runner"}


class RunMetadata(TypedDict, total=False):
    """Which run it is."""

    name: Required[str]
    uid: Required[str]
    project: str
    iteration: int
    labels: dict[str, str] | None
    annotations: dict[str, str] | None


class RunSpec(TypedDict, total=False):
    """What it was asked to do; parameters of workflows and stages are text, as Kubeflow holds them."""

    parameters: dict[str, str]
    inputs: dict[str, str]
    handler: str
    image: str


class RunStatus(TypedDict, total=False):
    """What has become of it; times in ISO 8601."""

    state: Required[str]
    status_text: str
    error: str
    reason: str
    start_time: Required[str]
    last_update: str
    end_time: str | None
    results: dict[str, Json] | None
    artifact_uris: dict[str, str] | None
    iterations: list[list[Json]] | None


class RunRecord(TypedDict):
    """One run: of a stage, or of a whole workflow."""

    metadata: RunMetadata
    spec: RunSpec
    status: RunStatus


class PipelineHead(TypedDict, total=False):
    """A pipeline as Kubeflow lists it."""

    id: Required[str]
    name: Required[str]
    status: str | None
    error: str | None
    message: str | None
    created_at: Required[str]
    finished_at: str | None


class PipelineNode(TypedDict, total=False):
    """A node of Argo's: a step, or an attempt at one; the service writes its times in either way."""

    id: str
    name: str
    type: str
    phase: str
    started_at: str | None
    startedAt: str | None
    finished_at: str | None
    finishedAt: str | None


class Pipeline(TypedDict):
    """A pipeline with its steps."""

    run: PipelineHead
    graph: dict[str, PipelineNode] | None


class ArtifactMetadata(TypedDict, total=False):
    """Which artifact it is, and which run made it."""

    key: str
    uid: Required[str]
    tree: Required[str]
    created: str
    labels: Required[dict[str, str]]


class ArtifactSpec(TypedDict, total=False):
    """What the artifact is."""

    db_key: str
    target_path: str
    inline: str
    metrics: dict[str, float] | None


class ArtifactRecord(TypedDict):
    """One version of an artifact."""

    kind: str
    metadata: ArtifactMetadata
    spec: ArtifactSpec


class ScheduledWork(TypedDict, total=False):
    """What a schedule of this machine runs; backoff in nanoseconds."""

    workflow: Required[str]
    arguments: Required[dict[str, str]]
    retries: Required[int]
    backoff: int
