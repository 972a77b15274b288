"""Clients that record feedback on alerts and incidents: on this machine, or on a remote server."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import quote

import msgspec

from netops.client.http import Connection, RefusedError, UnavailableError
from netops.errors import NetopsError, UsageError, closest
from netops.feedback.records import Feedback, Incident, Statement
from netops.serving.alerts.feedback_store import FeedbackStore, UnknownAlertError, feedback_of
from netops.serving.alerts.outbox import DUE, PARKED, Entry
from netops.serving.alerts.store import Alert
from netops.serving.decode.times import nanoseconds
from netops.serving.folders import ALERTS, alert_files, networks, state_folder
from netops.serving.requests.endpoints.incidents import IncidentBody, incident_of
from netops.telemetry.incident_logs.read import read_incidents
from netops.telemetry.settings import TelemetrySettings

_LOG = logging.getLogger(__name__)
Answer = TypeVar("Answer")
#: Maximum incidents per request, and alerts in an answer.
_BATCH, _LIMIT = 1000, 100_000


class FeedbackClient(Protocol):
    """Records and returns the feedback of a network."""

    def alerts(self, open_only: bool, since: int, limit: int) -> list[Alert]:
        """Return alerts that opened since a time (ns), newest first."""

    def record_verdict(self, name: str, statement: Statement) -> tuple[Alert, list[Statement], bool]:
        """Record feedback on an alert; return the alert, all its feedback, and whether it changed."""

    def record(self, incidents: Sequence[Incident]) -> dict[str, int]:
        """Record incidents; return how many are ``recorded``, ``changed`` and ``known``."""

    def feedback(self) -> Feedback:
        """Return all feedback."""


class LocalFeedbackClient:
    """The file of a network on this machine; a running server may use it at the same time.

    Parameters
    ----------
    network : str
    """

    def __init__(self, network: str) -> None:
        self.network, self.path = network, state_folder(network) / ALERTS

    def alerts(self, open_only: bool, since: int, limit: int) -> list[Alert]:
        """Return alerts, newest first."""
        found = [alert for store in self._stores() for alert in store.recent(open_only, limit, since)]
        return sorted(found, key=lambda alert: alert.opened, reverse=True)[:limit]

    def record_verdict(self, name: str, statement: Statement) -> tuple[Alert, list[Statement], bool]:
        """Record feedback on an alert.

        Raises
        ------
        UsageError
            If there is no such alert.
        """
        store = self._with(name)
        alert, changed = store.record_verdict(name, statement, time.time_ns())
        return alert, store.statements(alert.id), changed

    def show(self, name: str) -> tuple[Alert, list[Statement]]:
        """Return an alert and all feedback on it."""
        store = self._with(name)
        alert = store.find(name)
        return alert, store.statements(alert.id)

    def record(self, incidents: Sequence[Incident]) -> dict[str, int]:
        """Record incidents; create the file if no server has run yet."""
        counts = _opened(self.path).record(incidents, time.time_ns())
        return {key: counts[key] for key in ("recorded", "changed", "known")}

    def remove(self, source: str, name: str | None) -> int:
        """Remove recorded incidents; return how many."""
        return sum(store.remove(source, name) for store in self._stores())

    def feedback(self) -> Feedback:
        """Return all feedback."""
        return feedback_of(self.network, self._stores())

    def deliveries(self, every: bool = False) -> list[Entry]:
        """Return the deliveries that receivers rejected; with ``every`` also the pending ones."""
        states = [PARKED, DUE] if every else [PARKED]
        return [entry for store in self._existing() for entry in store.outbox.entries(states)]

    def retry(self) -> int:
        """Queue the rejected deliveries again; return how many."""
        return sum(store.outbox.retry() for store in self._existing())

    def _with(self, name: str) -> FeedbackStore:
        """Return the store with an alert; without one, a store that answers so."""
        stores = self._existing()
        for store in stores[:-1]:
            with suppress(UnknownAlertError):
                store.find(name)
                return store
        return stores[-1]

    def _existing(self) -> list[FeedbackStore]:
        """Open the existing files; a query must not create one."""
        if not (stores := self._stores()):
            known = networks()
            hint = closest(self.network, known) if known else "; no server has run here yet"
            raise UsageError(f"network '{self.network}' has no alerts on this machine{hint}")
        return stores

    def _stores(self) -> list[FeedbackStore]:
        return [_opened(path) for path in alert_files(self.network)]


def _opened(path: Path) -> FeedbackStore:
    store = FeedbackStore(path)
    try:
        store.latest()
    except sqlite3.Error as error:
        raise NetopsError(
            f"{path}: cannot be read: {error}; the server moves a damaged file aside when it starts"
        ) from None
    return store


class RemoteFeedbackClient:
    """A remote server.

    Parameters
    ----------
    url : str
    token : str or None
        Bearer token.
    """

    def __init__(self, url: str, token: str | None) -> None:
        self._url, self._token = url, token

    def alerts(self, open_only: bool, since: int, limit: int) -> list[Alert]:
        """Return alerts, newest first; the newest ones of the server include the newest ones since a time."""
        every = "" if open_only else "all=true&"
        found, missing = self._call("GET", f"/alerts?{every}limit={min(limit, _LIMIT)}", None, list[Alert])
        if missing:
            _LOG.warning("alerts are missing: the answer is without partitions %s", missing)
        return [alert for alert in found if nanoseconds(alert.opened) >= since][:limit]

    def record_verdict(self, name: str, statement: Statement) -> tuple[Alert, list[Statement], bool]:
        """Record feedback on an alert.

        Raises
        ------
        UsageError
            If there is no such alert.
        """
        values = {key: getattr(statement, key) for key in ("verdict", "by", "note", "repaired_at")}
        answer = self._call("POST", f"/alerts/{quote(name, safe='')}/feedback", values, _FeedbackAnswer)[0]
        return answer.alert, answer.statements, answer.changed

    def record(self, incidents: Sequence[Incident]) -> dict[str, int]:
        """Record incidents."""
        counts = dict.fromkeys(("recorded", "changed", "known"), 0)
        for start in range(0, len(incidents), _BATCH):
            rows = [msgspec.to_builtins(incident) for incident in incidents[start : start + _BATCH]]
            answer, _ = self._call("POST", "/incidents", rows, _Counts)
            counts = {key: counts[key] + getattr(answer, key) for key in counts}
        return counts

    def feedback(self) -> Feedback:
        """Return all feedback.

        Raises
        ------
        NetopsError
            If some is missing: a training would not have its labels.
        """
        found, missing = self._call("GET", "/feedback", None, Feedback)
        if missing:
            raise NetopsError(
                f"{self._url}: the feedback is not complete, it is without partitions {missing}: "
                "ask a server with --peers, or again later"
            )
        return found

    def _call(self, method: str, path: str, value: object, kind: type[Answer]) -> tuple[Answer, str]:
        """Return an answer, and the partitions that are missing in it."""
        try:
            answer, missing = asyncio.run(self._request(method, path, value))
            return msgspec.json.decode(answer, type=kind), missing
        except RefusedError as error:
            raise _explained(error) from None
        except UnavailableError as error:
            raise NetopsError(str(error)) from None
        except OSError as error:
            raise NetopsError(f"{self._url} does not respond: {error}") from None
        except msgspec.DecodeError as error:
            raise NetopsError(f"{self._url} is not a netops server of this version: {error}") from None

    async def _request(self, method: str, path: str, value: object) -> tuple[bytes, str]:
        connection = Connection(self._url, self._token)
        try:
            body = await connection.request(method, path, b"" if value is None else msgspec.json.encode(value))
            return body, connection.missing
        finally:
            await connection.close()


class _FeedbackAnswer(msgspec.Struct):
    alert: Alert
    statements: list[Statement]
    changed: bool


class _Counts(msgspec.Struct):
    recorded: int
    changed: int
    known: int


def _explained(error: RefusedError) -> NetopsError:
    """Return the error of the server as a usage error or a server error."""
    try:
        message = str(msgspec.json.decode(error.answer)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return error
    return UsageError(message) if error.status in (400, 404) else NetopsError(message)


def fetch_feedback(url: str, token: str | None) -> Feedback:
    """Fetch all feedback from a server; the address may end in ``/feedback``."""
    return RemoteFeedbackClient(url.rstrip("/").removesuffix("/feedback"), token).feedback()


def read_csv(path: Path, source: str | None) -> list[Incident]:
    """Read incidents from a CSV in the format of ``--incidents``, with an optional column ``id``.

    Raises
    ------
    NetopsError
        If it cannot be read or a time is invalid; the message names column and line.
    """
    log = read_incidents(path, TelemetrySettings())
    ids = log.ids or [None] * len(log.devices)
    rows = zip(log.devices, log.starts.tolist(), log.closed_ends(), log.kinds, ids, strict=True)
    found = []
    for row, (device, start, end, kind, name) in enumerate(rows):
        try:
            body = IncidentBody(device, start, end, kind or None, None, source or path.name, name)
            found.append(incident_of(msgspec.convert(msgspec.to_builtins(body), IncidentBody)))
        except (ValueError, msgspec.ValidationError) as error:
            raise NetopsError(f"{log.at[row]}: {error}") from None
    return found
