"""What a run has come to, as the commands print it; apart from what reads it, which imports MLRun."""

from typing import TypedDict

from netops.json_types import Json, JsonDict


class StageSummary(TypedDict):
    """How long a stage took, and how many rows it made."""

    seconds: float
    rows: int | None


class RunSummary(TypedDict):
    """What ``netops run --json`` prints; what is not there is None."""

    run_id: str
    state: str
    name: str | None
    report: str
    seconds: float | None
    peak_rss_mb: float | None
    telemetry: JsonDict
    stages: dict[str, StageSummary]
    models: dict[str, JsonDict]
    baselines: dict[str, JsonDict]
    best: str | None
    champion: Json
    promoted: bool | None
    reason: str | None
    warnings: list[str]


class RunDescription(TypedDict):
    """A run or a step in one line of a list."""

    run_id: str
    name: str
    workflow: str
    state: str
    started: str
    seconds: float
    error: str
