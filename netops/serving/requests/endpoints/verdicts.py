"""``POST /alerts/{name}/feedback``: a feedback label for an alert."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

import msgspec
from msgspec import Meta

from netops.errors import UsageError
from netops.feedback.records import Statement, VerdictName
from netops.serving.alerts.feedback_store import FeedbackStore, UnknownAlertError
from netops.serving.alerts.store import Alert
from netops.serving.alerts.store_guard import for_a_request
from netops.serving.decode.times import Stamp, iso, nanoseconds
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.requests.endpoint import STORE_ERROR, StateEndpoint
from netops.serving.requests.schemas import Name, Text, Time


class VerdictQuery(msgspec.Struct):
    """On which alert."""

    name: Annotated[str, Meta(description="id of the alert")]


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
    runtime: Runtime, query: VerdictQuery, body: VerdictBody, now: Callable[[], int] = time.time_ns
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
        store = _store_of(runtime, query.name)
        try:
            alert, changed = store.record_verdict(query.name, statement, now())
        except UsageError as error:
            raise BodyError(str(error), 404 if isinstance(error, UnknownAlertError) else 400) from None
        return FeedbackAnswer(alert, store.statements(alert.id), changed)


def _store_of(runtime: Runtime, name: str) -> FeedbackStore:
    """Return the store with an alert; without one, a store that answers so."""
    for part in runtime.parts[:-1]:
        with suppress(UsageError):
            part.store.find(name)
            return part.store
    return runtime.parts[-1].store if runtime.parts else runtime.store


def _moment(stamp: Stamp, key: str) -> str:
    try:
        return iso(nanoseconds(stamp))
    except ValueError as error:
        raise BodyError(str(error).replace("timestamp", key, 1), 400) from None


VERDICT = StateEndpoint(
    "POST",
    "/alerts/{name}/feedback",
    record_verdict,
    tag="feedback",
    errors={404: "The alert does not exist", **STORE_ERROR},
)
