"""Handlers of feedback: feedback labels of alerts, and recorded incidents."""

import hashlib
import re
import time
from collections.abc import Callable
from typing import Annotated, TypeAlias, TypeVar

import msgspec

from netops.errors import UsageError
from netops.feedback.records import Feedback, Incident, Statement, VerdictName
from netops.json_types import Json, JsonDict
from netops.serving.alerts.feedback_store import CHANGED, KNOWN, NEW, UnknownAlertError
from netops.serving.alerts.store import Alert
from netops.serving.alerts.store_guard import for_a_request
from netops.serving.decode.times import Stamp, iso, nanoseconds
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError

Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=2000)]
Kind: TypeAlias = Annotated[str, msgspec.Meta(max_length=128)]
T = TypeVar("T")
#: Source of incidents without one.
WEBHOOK = "webhook"


class VerdictBody(msgspec.Struct, forbid_unknown_fields=True):
    """Feedback on an alert."""

    verdict: VerdictName
    by: Name | None = None
    note: Text | None = None
    repaired_at: Stamp | None = None


class IncidentBody(msgspec.Struct):
    """An incident; other keys are ignored."""

    device: Name
    start: Stamp
    end: Stamp | None = None
    scenario: Kind | None = None
    cause: Kind | None = None
    source: Name = WEBHOOK
    id: Name | None = None


class FeedbackAnswer(msgspec.Struct):
    """The alert, all feedback on it (oldest first), and whether it has changed."""

    alert: Alert
    statements: list[Statement]
    changed: bool


class InvalidIncident(msgspec.Struct):
    """A rejected incident: its index in the list, and the error."""

    index: int
    error: str


class Recorded(msgspec.Struct):
    """Counts of new, changed and known incidents, the rejected ones (``set_aside``), and unknown devices.

    Incidents of unknown devices are recorded too, because their telemetry may be stored elsewhere.
    """

    recorded: int
    changed: int
    known: int
    set_aside: list[InvalidIncident]
    unknown_devices: list[str]


_VERDICTS = msgspec.json.Decoder(VerdictBody)
_ANYTHING: msgspec.json.Decoder[Json] = msgspec.json.Decoder()
_VERDICT = re.compile(r"/alerts/([^/]+)/feedback")
_INCIDENTS = "/incidents"


def accepts(path: str) -> bool:
    """Return whether a path accepts feedback."""
    return path == _INCIDENTS or _VERDICT.fullmatch(path) is not None


def handle(runtime: Runtime, path: str, body: bytes | str) -> FeedbackAnswer | Recorded:
    """Handle a feedback request.

    Raises
    ------
    BodyError
        If the request is invalid.
    """
    content = body.encode() if isinstance(body, str) else body
    found = _VERDICT.fullmatch(path)
    return record_verdict(runtime, found[1], content) if found else record(runtime, content)


def record_verdict(
    runtime: Runtime, name: str, body: bytes, now: Callable[[], int] = time.time_ns
) -> FeedbackAnswer:
    """Record feedback on an alert.

    Raises
    ------
    BodyError
        404 if the alert does not exist, 400 if the body is invalid.
    """
    given = _decode(body, _VERDICTS)
    repaired = None if given.repaired_at is None else _moment(given.repaired_at, "repaired_at")
    statement = Statement(verdict=given.verdict, by=given.by, note=given.note, repaired_at=repaired)
    with for_a_request():
        try:
            alert, changed = runtime.store.record_verdict(name, statement, now())
        except UsageError as error:
            raise BodyError(str(error), 404 if isinstance(error, UnknownAlertError) else 400) from None
        return FeedbackAnswer(alert, runtime.store.statements(alert.id), changed)


def record(runtime: Runtime, body: bytes, now: Callable[[], int] = time.time_ns) -> Recorded:
    """Record incidents: one, a list, or an Alertmanager webhook message.

    Raises
    ------
    BodyError
        400 if none is valid, 413 if there are too many.
    """
    found = _decode(body, _ANYTHING)
    items = _items(found)
    if len(items) > runtime.settings.limits.batch:
        raise BodyError(f"{len(items)} incidents in one request; the limit is {runtime.settings.limits.batch}", 413)
    incidents, set_aside = [], []
    for index, item in enumerate(items):
        try:
            incidents.append(incident_of(msgspec.convert(item, IncidentBody)))
        except (msgspec.ValidationError, ValueError) as error:
            set_aside.append(InvalidIncident(index, str(error)[:300]))
    if set_aside and not incidents:
        where = f"incident {set_aside[0].index}: " if isinstance(found, list) else ""
        raise BodyError(where + set_aside[0].error, 400)
    with for_a_request():
        counts = runtime.store.record(incidents, now())
    table = runtime.state.table
    unknown = sorted({i.device for i in incidents if table.code(i.device) is None})
    return Recorded(counts[NEW], counts[CHANGED], counts[KNOWN], set_aside, unknown[:100])


def feedback(runtime: Runtime) -> Feedback:
    """Return all feedback, for a training on another machine."""
    with for_a_request():
        return runtime.store.feedback(runtime.network)


def incident_of(given: IncidentBody) -> Incident:
    """Validate an incident; without an id, one is derived from device and start.

    Raises
    ------
    ValueError
        If a time is invalid, or the end is not after the start.
    """
    start, end = nanoseconds(given.start), None if given.end is None else nanoseconds(given.end)
    if end is not None and end <= start:
        raise ValueError(f"the incident of device '{given.device}' does not end after its start")
    name = given.id or hashlib.blake2b(f"{given.device}\0{start}".encode(), digest_size=8).hexdigest()
    return Incident(
        source=given.source,
        id=name,
        device=given.device,
        start=iso(start),
        end=None if end is None else iso(end),
        scenario=given.scenario or given.cause or "",
    )


def _items(found: Json) -> list[Json]:
    if isinstance(found, list):
        return found
    if isinstance(found, dict) and isinstance(alerts := found.get("alerts"), list):
        return [from_alertmanager(alert) for alert in alerts]
    return [found]


_DEVICES = ("device", "node", "host", "instance")


def from_alertmanager(alert: Json) -> Json:
    """Convert an alert of an Alertmanager webhook message to an incident; other values are returned unchanged.

    NetOps alerts forwarded by Alertmanager are rejected: as incidents, they would confirm the model's own
    predictions.
    """
    if not isinstance(alert, dict) or not isinstance(labels := alert.get("labels"), dict):
        return alert
    if "network" in labels and "alert" in labels:
        return {"error": "an alert of NetOps is not an incident"}
    found: JsonDict = {"start": alert.get("startsAt"), "source": "alertmanager"}
    found["device"] = next((labels[key] for key in _DEVICES if key in labels), None)
    found["scenario"] = labels.get("alertname")
    if alert.get("status") == "resolved":
        found["end"] = alert.get("endsAt")
    if alert.get("fingerprint"):
        found["id"] = f"{alert['fingerprint']} {alert.get('startsAt')}"
    return found


def _decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise BodyError(str(error)[:300], 400) from None


def _moment(stamp: Stamp, key: str) -> str:
    try:
        return iso(nanoseconds(stamp))
    except ValueError as error:
        raise BodyError(str(error).replace("timestamp", key, 1), 400) from None
