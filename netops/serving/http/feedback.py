"""What people tell a server: verdicts on its alerts, and incidents; bodies in, answers out."""

import hashlib
import re
import time
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

import msgspec

from netops.errors import UsageError
from netops.feedback.records import Feedback, Incident, Statement, VerdictName
from netops.serving.alerts.feedback_store import CHANGED, KNOWN, NEW, UnknownAlertError
from netops.serving.alerts.store import Alert
from netops.serving.alerts.store_guard import for_a_request
from netops.serving.decode.times import Stamp, iso, nanoseconds
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError

Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=2000)]
Kind: TypeAlias = Annotated[str, msgspec.Meta(max_length=128)]
#: Source of incidents that do not name one.
WEBHOOK = "webhook"


class VerdictBody(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody says of an alert."""

    verdict: VerdictName
    by: Name | None = None
    note: Text | None = None
    repaired_at: Stamp | None = None


class IncidentBody(msgspec.Struct):
    """One incident; keys that are not listed are passed over."""

    device: Name
    start: Stamp
    end: Stamp | None = None
    scenario: Kind | None = None
    cause: Kind | None = None
    source: Name = WEBHOOK
    id: Name | None = None


class Said(msgspec.Struct):
    """The alert as it stands, all that was said of it (the latest last), and whether this was anything new."""

    alert: Alert
    statements: list[Statement]
    changed: bool


class SetAside(msgspec.Struct):
    """An incident that was not taken: its place in the list, and why."""

    index: int
    error: str


class Recorded(msgspec.Struct):
    """How many incidents are new, changed or known just so; those set aside; devices the server has not heard of.

    Incidents of such devices are recorded too: their telemetry may come another way.
    """

    recorded: int
    changed: int
    known: int
    set_aside: list[SetAside]
    unknown_devices: list[str]


_VERDICT = re.compile(r"/alerts/([^/]+)/feedback")
_INCIDENTS = "/incidents"


def takes(path: str) -> bool:
    """Say whether something is told at a path."""
    return path == _INCIDENTS or _VERDICT.fullmatch(path) is not None


def take(runtime: Runtime, path: str, body: bytes | str) -> Said | Recorded:
    """Take what is told at a path.

    Raises
    ------
    BodyError
        If it cannot be taken.
    """
    content = body.encode() if isinstance(body, str) else body
    found = _VERDICT.fullmatch(path)
    return say(runtime, found[1], content) if found else record(runtime, content)


def say(runtime: Runtime, name: str, body: bytes, now: Callable[[], int] = time.time_ns) -> Said:
    """Take what somebody says of an alert.

    Raises
    ------
    BodyError
        404 where there is no such alert, 400 where the body does not say it.
    """
    asked = _decode(body, VerdictBody)
    repaired = None if asked.repaired_at is None else _moment(asked.repaired_at, "repaired_at")
    said = Statement(verdict=asked.verdict, by=asked.by, note=asked.note, repaired_at=repaired)
    with for_a_request():
        try:
            alert, changed = runtime.store.record_verdict(name, said, now())
        except UsageError as error:
            raise BodyError(str(error), 404 if isinstance(error, UnknownAlertError) else 400) from None
        return Said(alert, runtime.store.statements(alert.id), changed)


def record(runtime: Runtime, body: bytes, now: Callable[[], int] = time.time_ns) -> Recorded:
    """Take incidents: one, a list, or what Alertmanager posts to a webhook.

    Raises
    ------
    BodyError
        400 where none of them can be read, 413 where they are too many.
    """
    found = _decode(body, Any)
    items = _items(found)
    if len(items) > runtime.settings.limits.batch:
        raise BodyError(f"{len(items)} incidents at once; at most {runtime.settings.limits.batch}", 413)
    incidents, set_aside = [], []
    for index, item in enumerate(items):
        try:
            incidents.append(incident_of(msgspec.convert(item, IncidentBody)))
        except (msgspec.ValidationError, ValueError) as error:
            set_aside.append(SetAside(index, str(error)[:300]))
    if set_aside and not incidents:
        where = f"incident {set_aside[0].index}: " if isinstance(found, list) else ""
        raise BodyError(where + set_aside[0].error, 400)
    with for_a_request():
        counts = runtime.store.record(incidents, now())
    table = runtime.state.table
    unknown = sorted({i.device for i in incidents if table.code(i.device) is None})
    return Recorded(counts[NEW], counts[CHANGED], counts[KNOWN], set_aside, unknown[:100])


def feedback(runtime: Runtime) -> Feedback:
    """Give all that was said, for a training elsewhere."""
    with for_a_request():
        return runtime.store.feedback(runtime.network)


def incident_of(asked: IncidentBody) -> Incident:
    """Check an incident; without an id it is made of device and start.

    Raises
    ------
    ValueError
        If a time is none, or the end is not after the start.
    """
    start, end = nanoseconds(asked.start), None if asked.end is None else nanoseconds(asked.end)
    if end is not None and end <= start:
        raise ValueError(f"the incident of device '{asked.device}' does not end after its start")
    name = asked.id or hashlib.blake2b(f"{asked.device}\0{start}".encode(), digest_size=8).hexdigest()
    return Incident(
        source=asked.source,
        id=name,
        device=asked.device,
        start=iso(start),
        end=None if end is None else iso(end),
        scenario=asked.scenario or asked.cause or "",
    )


def _items(found: Any) -> list[Any]:
    if isinstance(found, list):
        return found
    if isinstance(found, dict) and isinstance(found.get("alerts"), list):
        return [from_alertmanager(alert) for alert in found["alerts"]]
    return [found]


_DEVICES = ("device", "node", "host", "instance")


def from_alertmanager(alert: Any) -> Any:
    """Read one alert of Alertmanager's webhook as an incident; what is no alert is left as it is.

    Our own warnings, sent on by an Alertmanager, are no incidents: learned from, they would prove themselves.
    """
    labels = alert.get("labels") if isinstance(alert, dict) else None
    if not isinstance(labels, dict):
        return alert
    if "network" in labels and "alert" in labels:
        return {"error": "a warning of NetOps is no incident"}
    found: dict[str, Any] = {"start": alert.get("startsAt"), "source": "alertmanager"}
    found["device"] = next((labels[key] for key in _DEVICES if key in labels), None)
    found["scenario"] = labels.get("alertname")
    if alert.get("status") == "resolved":
        found["end"] = alert.get("endsAt")
    if alert.get("fingerprint"):
        found["id"] = f"{alert['fingerprint']} {alert.get('startsAt')}"
    return found


def _decode(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise BodyError(str(error)[:300], 400) from None


def _moment(stamp: Stamp, key: str) -> str:
    try:
        return iso(nanoseconds(stamp))
    except ValueError as error:
        raise BodyError(str(error).replace("timestamp", key, 1), 400) from None
