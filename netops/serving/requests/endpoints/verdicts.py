"""``POST /alerts/{name}/feedback``: a feedback label for an alert."""

import time
from collections.abc import Callable
from urllib.parse import quote

import msgspec

from netops.errors import UsageError
from netops.feedback.records import Statement, VerdictName
from netops.serving.alerts.store import Alert
from netops.serving.alerts.store_guard import for_a_request
from netops.serving.decode.times import Stamp, iso, nanoseconds
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.requests.endpoint import Endpoint, Request, StateEndpoint
from netops.serving.requests.endpoints.alert import UNKNOWN, AlertQuery, find_alert, owner_of_alert
from netops.serving.requests.processes import Processes
from netops.serving.requests.reply import Reply
from netops.serving.requests.schemas import Name, Text, Time


class VerdictBody(msgspec.Struct, forbid_unknown_fields=True):
    """Feedback on an alert."""

    verdict: VerdictName
    by: Name | None = None
    note: Text | None = None
    repaired_at: Time | None = None


class FeedbackAnswer(msgspec.Struct):
    """The alert, all feedback on it (oldest first), and whether it has changed."""

    alert: Alert
    statements: list[Statement]
    changed: bool


def record_verdict(
    runtime: Runtime, query: AlertQuery, body: VerdictBody, now: Callable[[], int] = time.time_ns
) -> FeedbackAnswer:
    """Record feedback on an alert: confirmed, dismissed, or repaired before the failure.

    Raises
    ------
    BodyError
        404 if the alert does not exist, 400 if the time is invalid.
    """
    repaired = None if body.repaired_at is None else _moment(body.repaired_at, "repaired_at")
    statement = Statement(verdict=body.verdict, by=body.by, note=body.note, repaired_at=repaired)
    with for_a_request():
        store, found = find_alert(runtime, query.name)
        try:
            alert, changed = store.record_verdict(found.id, statement, now())
        except UsageError as error:
            raise BodyError(str(error), 400) from None
        return FeedbackAnswer(alert, store.statements(alert.id), changed)


def _moment(stamp: Stamp, key: str) -> str:
    try:
        return iso(nanoseconds(stamp))
    except ValueError as error:
        raise BodyError(str(error).replace("timestamp", key, 1), 400) from None


async def _by_owner(processes: Processes, endpoint: Endpoint, request: Request) -> Reply:
    """Let the process with the alert record the feedback; 503 if it does not confirm that."""
    found = await owner_of_alert(processes, str(request.query.get("name", "")))
    name = found.value.alert.id
    request.path, request.query = f"/alerts/{quote(name)}/feedback", {"name": name}
    one = await processes.ask(found.own.instance, endpoint, request, {})
    if one is None or one.reply.status == 404:  # it has ended, or its partition has moved to another process
        raise BodyError(f"alert {name}: its process does not answer; send the feedback again later", 503)
    return one.reply


VERDICT = StateEndpoint(
    "POST",
    "/alerts/{name}/feedback",
    record_verdict,
    tag="feedback",
    errors=UNKNOWN,
    is_stored=True,
    combine=_by_owner,
)
