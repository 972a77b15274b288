"""The graph of a run's steps, derived from the artifacts that steps pass to each other."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from netops.tracking.records import RunRecord
from netops.tracking.results import results_of
from netops.workflows.records.run_summary import RunDescription

#: A record of MLRun: ``metadata``, ``spec`` and ``status``.
Document: TypeAlias = dict[str, Any]

#: Sizes of a drawn step and of the gaps, in pixels.
WIDTH, HEIGHT, ACROSS, DOWN, MARGIN = 172, 60, 40, 20, 4
WAITING = "waiting"


@dataclass
class Step:
    """One step of a run.

    Attributes
    ----------
    name, uid, state, error : str
        The uid is empty for a step that has not started.
    seconds : float or None
        Duration so far.
    params, inputs, results, outputs : dict
        Inputs and outputs of the step: values, and addresses of artifacts.
    after : list of str
        Names of the steps whose artifacts it uses.
    x, y : float
        Upper left corner in the drawing.
    offset, share : float
        Start and duration, in percent of the total time of the run.
    """

    name: str
    uid: str = ""
    state: str = WAITING
    error: str = ""
    started: str = ""
    seconds: float | None = None
    params: Document = field(default_factory=dict)
    inputs: Document = field(default_factory=dict)
    results: Document = field(default_factory=dict)
    outputs: Document = field(default_factory=dict)
    after: list[str] = field(default_factory=list)
    attempts: int = 1
    x: float = 0.0
    y: float = 0.0
    offset: float = 0.0
    share: float = 0.0


@dataclass(frozen=True)
class Graph:
    """Steps in order of their start, and the size of the drawing."""

    steps: tuple[Step, ...]
    width: float
    height: float

    def find(self, name: str) -> Step | None:
        """Return a step by its name, or None."""
        return next((step for step in self.steps if step.name == name), None)

    def edges(self) -> list[tuple[Step, Step]]:
        """Return pairs of dependent steps, the earlier first."""
        named = {step.name: step for step in self.steps}
        return [(named[name], step) for step in self.steps for name in step.after]


def graph_of(
    steps: list[RunRecord], expected: list[RunRecord], describe: Callable[[RunRecord], RunDescription]
) -> Graph:
    """Build the graph of a run.

    Parameters
    ----------
    steps : list of dict
        MLRun's records of started steps, oldest first; of several attempts the last is used.
    expected : list of dict
        Steps of an earlier run of the same pipeline; those not started in this run are drawn as waiting.
    describe : callable
        Returns state, start, seconds and error of a record.
    """
    drawn: dict[str, Step] = {}
    for records, begun in ((steps, True), (expected, False)):
        made, passed = _made_by(records), _passed_by(records)
        for record in records:
            name = record["metadata"]["name"]
            if not begun and name in drawn and drawn[name].uid:
                continue
            step = _step(record, describe) if begun else Step(name)
            step.attempts = drawn[name].attempts + 1 if begun and name in drawn else 1
            inputs = {_identity(uri) for uri in (record["spec"].get("inputs") or {}).values()}
            step.after = sorted({giver[uri] for uri in inputs for giver in (made, passed) if uri in giver} - {name})
            drawn[name] = step
    _reduce(drawn)
    _set_times(drawn.values())
    return _arranged(list(drawn.values()))


def _step(record: RunRecord, describe: Callable[[RunRecord], RunDescription]) -> Step:
    description, spec, status = describe(record), record["spec"], record["status"]
    return Step(
        name=record["metadata"]["name"],
        uid=record["metadata"]["uid"],
        state=description["state"],
        error=description["error"],
        started=description["started"],
        seconds=description["seconds"],
        params={key: _readable(value) for key, value in (spec.get("parameters") or {}).items()},
        inputs=dict(spec.get("inputs") or {}),
        results={key: _readable(value) for key, value in results_of(record).items()},
        outputs=dict(status.get("artifact_uris") or {}),
    )


def _readable(value: object) -> object:
    """Format JSON with line breaks; other values are returned unchanged."""
    if isinstance(value, str) and value[:1] in "{[":
        try:
            value = json.loads(value)
        except ValueError:
            return value
    return json.dumps(value, indent=1, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _made_by(records: list[RunRecord]) -> dict[str, str]:
    """Return artifact → the step that created it."""
    return {
        _identity(uri): record["metadata"]["name"]
        for record in records
        for uri in (record["status"].get("artifact_uris") or {}).values()
    }


def _passed_by(records: list[RunRecord]) -> dict[str, str]:
    """Return artifact → the step that selected it: its results name an artifact of another step."""
    return {
        _identity(value): record["metadata"]["name"]
        for record in records
        for value in (record["status"].get("results") or {}).values()
        if str(value).startswith("store://")
    }


def _set_times(steps: Iterable[Step]) -> None:
    """Set offset and share of steps, relative to the total time."""
    begun = [
        (step, datetime.fromisoformat(step.started).timestamp(), step.seconds)
        for step in steps
        if step.seconds is not None
    ]
    if not begun:
        return
    first = min(start for _, start, _ in begun)
    total = max(max(start + seconds for _, start, seconds in begun) - first, 1e-9)
    for step, start, seconds in begun:
        step.offset, step.share = 100 * (start - first) / total, 100 * min(1.0, seconds / total)


def _reduce(steps: dict[str, Step]) -> None:
    """Remove redundant dependencies (transitive reduction)."""
    direct = {name: [other for other in step.after if other in steps] for name, step in steps.items()}

    def all_before(name: str, seen: set[str]) -> set[str]:
        for other in direct[name]:
            if other not in seen:
                seen.add(other)
                all_before(other, seen)
        return seen

    for name, step in steps.items():
        further = {far for near in direct[name] for far in all_before(near, set())}
        step.after = [other for other in direct[name] if other not in further]


def _identity(uri: object) -> str:
    """Return the uid in an artifact's address, or the address without tag and iteration."""
    text = str(uri)
    return text.rpartition("^")[2] if "^" in text else text.partition("#")[0].partition(":latest")[0]


def _arranged(steps: list[Step]) -> Graph:
    """Arrange steps in centred columns, each to the right of its dependencies."""
    named = {step.name: step for step in steps}
    columns: dict[str, int] = {}

    def column(name: str, above: tuple[str, ...] = ()) -> int:
        if name not in columns:
            before = [column(other, (*above, name)) for other in named[name].after if other not in above]
            columns[name] = max(before, default=-1) + 1
        return columns[name]

    members: dict[int, list[Step]] = {}
    for step in steps:
        members.setdefault(column(step.name), []).append(step)
    rows = max((len(group) for group in members.values()), default=0)
    height = rows * (HEIGHT + DOWN) - DOWN + 2 * MARGIN
    for index, group in members.items():
        group.sort(key=lambda step: step.name)
        top = (height - len(group) * (HEIGHT + DOWN) + DOWN) / 2
        for row, step in enumerate(group):
            step.x, step.y = MARGIN + index * (WIDTH + ACROSS), top + row * (HEIGHT + DOWN)
    width = len(members) * (WIDTH + ACROSS) - ACROSS + 2 * MARGIN
    return Graph(tuple(steps), float(max(width, 0)), float(max(height, 0)))
