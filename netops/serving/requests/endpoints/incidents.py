"""``POST /incidents``: incidents that people or other systems have recorded."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from netops.feedback.records import Incident
from netops.json_types import Json, JsonDict
from netops.serving.alerts.feedback_store import CHANGED, KNOWN, NEW
from netops.serving.alerts.store_guard import for_a_request
from netops.serving.decode.times import iso, nanoseconds
from netops.serving.engine.partitions import owner_of
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.requests.endpoint import STORE_ERROR, Endpoint, Request, StateEndpoint, decode
from netops.serving.requests.processes import Processes, unreachable
from netops.serving.requests.reply import JSON, Reply
from netops.serving.requests.schemas import Kind, Name, Time

#: Source of incidents without one.
WEBHOOK = "webhook"


class IncidentsQuery(msgspec.Struct):
    """Which incidents to record."""

    known: Annotated[
        bool,
        Meta(description="record only incidents of devices that the server has seen, and list all others"),
    ] = False


class IncidentBody(msgspec.Struct):
    """An incident; other keys are ignored."""

    device: Name
    start: Time
    end: Time | None = None
    scenario: Kind | None = None
    cause: Kind | None = None
    source: Name = WEBHOOK
    id: Name | None = None


class AlertmanagerMessage(msgspec.Struct):
    """An Alertmanager webhook message."""

    alerts: list[dict[str, Any]]


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


_ANYTHING: msgspec.json.Decoder[Json] = msgspec.json.Decoder()


def record(runtime: Runtime, query: IncidentsQuery, body: bytes, now: Callable[[], int] = time.time_ns) -> Recorded:
    """Record incidents: one, a list, or an Alertmanager webhook message; known ones are updated.

    Raises
    ------
    BodyError
        400 if none is valid, 413 if there are too many.
    """
    incidents, set_aside = _valid(runtime, body)
    unknown = sorted({i.device for i in incidents if owner_of(runtime.parts, i.device) is None})
    if query.known:
        incidents = [incident for incident in incidents if incident.device not in set(unknown)]
    counts: Counter[str] = Counter()
    with for_a_request():
        for part, own in _by_owner(runtime, incidents) if incidents else []:
            counts += part.store.record(own, now())
    listed = unknown if query.known else unknown[:100]
    return Recorded(counts[NEW], counts[CHANGED], counts[KNOWN], set_aside, listed)


def _valid(runtime: Runtime, body: bytes) -> tuple[list[Incident], list[InvalidIncident]]:
    """Return the valid incidents of a body, and the errors of the others.

    Raises
    ------
    BodyError
        400 if none is valid, 413 if there are too many.
    """
    found = decode(body, _ANYTHING)
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
    return incidents, set_aside


def _by_owner(runtime: Runtime, incidents: list[Incident]) -> list[tuple[Runtime, list[Incident]]]:
    """Group incidents by the runtime that knows their device; those of unknown devices go to the first one.

    Raises
    ------
    BodyError
        503 if this process has no partition of a stream.
    """
    parts = runtime.parts
    if not parts:
        raise BodyError("this process has no partition of the stream yet, try again later", 503)
    found: dict[Path, tuple[Runtime, list[Incident]]] = {}
    for incident in incidents:
        owner = owner_of(parts, incident.device) or parts[0]
        found.setdefault(owner.folder, (owner, []))[1].append(incident)
    return list(found.values())


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


async def _by_owners(processes: Processes, endpoint: Endpoint, request: Request) -> Reply:
    """Let each process record the incidents of its devices; the one with the lowest partition has all others.

    Raises
    ------
    BodyError
        503 if incidents have no process that records them; sent again, the others count as known.
    """
    body = request.body.encode() if isinstance(request.body, str) else request.body
    assert isinstance(body, bytes)
    incidents, set_aside = _valid(processes.runtime, body)
    if not incidents:
        return Reply(200, Recorded(0, 0, 0, set_aside, []))
    request.content_type, request.body = JSON, msgspec.json.encode(incidents)
    answers = await processes.ask_all(endpoint, request, lambda _: {"known": "true"})
    unknown = set.intersection(*(set(one.value.unknown_devices) for one in answers.found))
    found = [one.value for one in answers.found]
    if unknown and answers.missing:
        raise unreachable(answers.missing, f"the incidents of {len(unknown)} devices were not recorded")
    if unknown:
        request.body = msgspec.json.encode([incident for incident in incidents if incident.device in unknown])
        last = await processes.ask(answers.found[0].own.instance, endpoint, request, {"known": "false"})
        if last is None or last.reply.status != 200:
            raise unreachable(answers.missing, f"the incidents of {len(unknown)} unknown devices were not recorded")
        found.append(last.value)
    counts = [sum(getattr(one, name) for one in found) for name in ("recorded", "changed", "known")]
    return Reply(200, Recorded(counts[0], counts[1], counts[2], set_aside, sorted(unknown)[:100]))


INCIDENTS = StateEndpoint(
    "POST",
    "/incidents",
    record,
    tag="feedback",
    bodies={JSON: (IncidentBody, list[IncidentBody], AlertmanagerMessage)},
    errors=STORE_ERROR,
    is_stored=True,
    combine=_by_owners,
)
