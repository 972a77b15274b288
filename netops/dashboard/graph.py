"""The graph of a run's steps: who waited for whom, told by the artifacts that went from one to the other."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from netops.tracking.results import results_of

Document = dict[str, Any]

#: Sizes of a drawn step and of the space between, in pixels.
WIDTH, HEIGHT, ACROSS, DOWN, MARGIN = 172, 60, 40, 20, 4
WAITING = "waiting"


@dataclass
class Step:
    """One step of a run.

    Attributes
    ----------
    name, uid, state, error : str
        The uid is empty for a step that has not begun.
    seconds : float or None
        How long it took, or has taken so far.
    params, inputs, results, outputs : dict
        What it was given, and what came of it: values, and addresses of artifacts.
    after : list of str
        Names of the steps whose artifacts it takes.
    x, y : float
        Upper left corner where it is drawn.
    offset, share : float
        When it began and how long it took, in percent of the time from the first beginning to the last end.
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
    """Steps in the order of their beginning, and the size of the drawing."""

    steps: tuple[Step, ...]
    width: float
    height: float

    def find(self, name: str) -> Step | None:
        """Find a step by its name."""
        return next((step for step in self.steps if step.name == name), None)

    def edges(self) -> list[tuple[Step, Step]]:
        """List pairs of steps, the earlier first."""
        named = {step.name: step for step in self.steps}
        return [(named[name], step) for step in self.steps for name in step.after]


def graph_of(steps: list[Document], expected: list[Document], describe: Callable[[Document], Document]) -> Graph:
    """Make the graph of a run.

    Parameters
    ----------
    steps : list of dict
        MLRun's records of the steps that have begun, oldest first; of several attempts the last counts.
    expected : list of dict
        Steps of an earlier run of the same pipeline: those that have not begun here are drawn as waiting.
    describe : callable
        Tells of a record: state, start, seconds, error.
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
    _set_in_time(drawn.values())
    return _placed(list(drawn.values()))


def _step(record: Document, describe: Callable[[Document], Document]) -> Step:
    told, spec, status = describe(record), record["spec"], record["status"]
    return Step(
        name=record["metadata"]["name"],
        uid=record["metadata"]["uid"],
        state=told["state"],
        error=told["error"],
        started=told["started"],
        seconds=told["seconds"],
        params={key: _readable(value) for key, value in (spec.get("parameters") or {}).items()},
        inputs=dict(spec.get("inputs") or {}),
        results={key: _readable(value) for key, value in results_of(record).items()},
        outputs=dict(status.get("artifact_uris") or {}),
    )


def _readable(value: Any) -> Any:
    """Lay out what is JSON as text over several lines."""
    if isinstance(value, str) and value[:1] in "{[":
        try:
            value = json.loads(value)
        except ValueError:
            return value
    return json.dumps(value, indent=1, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _made_by(records: list[Document]) -> dict[str, str]:
    """Tell which step made which artifact."""
    return {
        _identity(uri): record["metadata"]["name"]
        for record in records
        for uri in (record["status"].get("artifact_uris") or {}).values()
    }


def _passed_by(records: list[Document]) -> dict[str, str]:
    """Tell which step chose which artifact: its results name an artifact that another one made."""
    return {
        _identity(value): record["metadata"]["name"]
        for record in records
        for value in (record["status"].get("results") or {}).values()
        if str(value).startswith("store://")
    }


def _set_in_time(steps: Iterable[Step]) -> None:
    """Set steps in the time of the whole."""
    begun = [
        (step, datetime.fromisoformat(step.started).timestamp(), step.seconds)
        for step in steps
        if step.seconds is not None
    ]
    if not begun:
        return
    first = min(start for _, start, _ in begun)
    whole = max(max(start + seconds for _, start, seconds in begun) - first, 1e-9)
    for step, start, seconds in begun:
        step.offset, step.share = 100 * (start - first) / whole, 100 * min(1.0, seconds / whole)


def _reduce(steps: dict[str, Step]) -> None:
    """Leave out who is waited for anyway, because another one that is waited for waits for it."""
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


def _identity(uri: Any) -> str:
    """Name an artifact by its uid where its address has one: tags and iterations differ between who writes it."""
    text = str(uri)
    return text.rpartition("^")[2] if "^" in text else text.partition("#")[0].partition(":latest")[0]


def _placed(steps: list[Step]) -> Graph:
    """Place steps in columns: each to the right of all that it waits for; columns are centred."""
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
