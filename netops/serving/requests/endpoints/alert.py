"""``GET /alerts/{name}``: one alert and the feedback on it."""

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from netops.errors import UsageError
from netops.feedback.records import Statement
from netops.serving.alerts.feedback_store import FeedbackStore, UnknownAlertError
from netops.serving.alerts.store import Alert
from netops.serving.alerts.store_guard import for_a_request
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.requests.endpoint import STORE_ERROR, Endpoint, Errors, Request, StateEndpoint
from netops.serving.requests.processes import Found, Processes, unreachable
from netops.serving.requests.reply import Reply

T = TypeVar("T")
UNKNOWN: Errors = {400: "Several alerts begin with the id", 404: "The alert does not exist", **STORE_ERROR}


class AlertQuery(msgspec.Struct):
    """Which alert."""

    name: Annotated[str, Meta(description="id of the alert, or a unique beginning of it")]


class AlertRecord(msgspec.Struct):
    """An alert, and all feedback on it (oldest first)."""

    alert: Alert
    statements: list[Statement]


def alert(runtime: Runtime, query: AlertQuery) -> AlertRecord:
    """Return an alert, open or ended, and the feedback on it.

    Raises
    ------
    BodyError
        404 if it does not exist, 400 if the beginning of an id is not unique, 503 if the store cannot be read.
    """
    with for_a_request():
        store, found = find_alert(runtime, query.name)
        return AlertRecord(found, store.statements(found.id))


def find_alert(runtime: Runtime, name: str) -> tuple[FeedbackStore, Alert]:
    """Return an alert of any partition by its id or a unique beginning of it, and its store.

    Raises
    ------
    BodyError
        404 if there is none, 400 if there are several.
    """
    found: dict[str, tuple[FeedbackStore, Alert]] = {}
    for part in runtime.parts:
        try:
            one = part.store.find(name)
        except UnknownAlertError:
            continue
        except UsageError as error:
            raise BodyError(str(error), 400) from None
        found.setdefault(one.id, (part.store, one))
    return _only(list(found.values()), name)


async def owner_of_alert(processes: Processes, name: str) -> Found:
    """Return the answer of the process that has an alert.

    Raises
    ------
    BodyError
        404 if there is none, 400 if there are several, 503 if a partition without an owner may have it.
    """
    request = Request("GET", f"/alerts/{name}", query={"name": name})
    answers = await processes.ask_all(ALERT, request, accepted=(200, 400, 404))
    for one in answers.found:
        if one.reply.status == 400:
            raise _several(name)
    found: dict[str, Found] = {}
    for one in answers.found:
        if one.reply.status == 200:
            found.setdefault(one.value.alert.id, one)
    if answers.missing and name not in found:
        raise unreachable(answers.missing, f"alert '{name[:64]}'")
    return _only(list(found.values()), name)


def _only(found: list[T], name: str) -> T:
    if len(found) > 1:
        raise _several(name)
    if not found:
        raise BodyError(f"no alert '{name[:64]}'; see 'netops alerts list'", 404)
    return found[0]


def _several(name: str) -> BodyError:
    return BodyError(f"more than one alert id starts with '{name[:64]}'; use a longer prefix", 400)


async def _of_owner(processes: Processes, _: Endpoint, request: Request) -> Reply:
    return (await owner_of_alert(processes, str(request.query.get("name", "")))).reply


ALERT = StateEndpoint("GET", "/alerts/{name}", alert, errors=UNKNOWN, combine=_of_owner)
