"""Where people say what an alert was, and which incidents there were: on this machine, or at a server elsewhere."""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from netops.client.http import Connection, RefusedError
from netops.errors import NetopsError, UsageError, closest
from netops.feedback.records import Feedback, Incident, Statement
from netops.serving.alerts.feedback_store import FeedbackStore
from netops.serving.alerts.outbox import DUE, PARKED, Entry
from netops.serving.alerts.store import Alert
from netops.serving.decode.times import nanoseconds
from netops.serving.folders import ALERTS, networks, state_folder

Answer = TypeVar("Answer")
#: Incidents that are sent at once.
_AT_ONCE = 1000


class FeedbackClient(Protocol):
    """Takes feedback of a network, and gives it."""

    def alerts(self, open_only: bool, since: int, limit: int) -> list[Alert]:
        """List alerts that opened since a time (ns), the newest first."""

    def say(self, name: str, said: Statement) -> tuple[Alert, list[Statement], bool]:
        """Say what an alert was; give it, all that was said of it, and whether that was new."""

    def record(self, incidents: Sequence[Incident]) -> dict[str, int]:
        """Record incidents; give how many are ``recorded``, ``changed`` and ``known``."""

    def feedback(self) -> Feedback:
        """Give all that was said."""


class LocalDesk:
    """The network's own file on this machine; a server may be at work on it.

    Parameters
    ----------
    network : str
    """

    def __init__(self, network: str) -> None:
        self.network, self.path = network, state_folder(network) / ALERTS

    def alerts(self, open_only: bool, since: int, limit: int) -> list[Alert]:
        """List alerts, the newest first."""
        return self._store().recent(open_only, limit, since) if self.path.is_file() else []

    def say(self, name: str, said: Statement) -> tuple[Alert, list[Statement], bool]:
        """Say what an alert was.

        Raises
        ------
        UsageError
            If there is no such alert.
        """
        store = self._known()
        alert, changed = store.record_verdict(name, said, time.time_ns())
        return alert, store.statements(alert.id), changed

    def show(self, name: str) -> tuple[Alert, list[Statement]]:
        """Give an alert and all that was said of it."""
        store = self._known()
        alert = store.find(name)
        return alert, store.statements(alert.id)

    def record(self, incidents: Sequence[Incident]) -> dict[str, int]:
        """Record incidents; a network without a server gets a file of its own."""
        counts = self._store().record(incidents, time.time_ns())
        return {key: counts[key] for key in ("recorded", "changed", "known")}

    def forget(self, source: str, name: str | None) -> int:
        """Take back recorded incidents."""
        return self._store().forget(source, name) if self.path.is_file() else 0

    def feedback(self) -> Feedback:
        """Give all that was said."""
        return self._store().feedback(self.network) if self.path.is_file() else Feedback(network=self.network)

    def deliveries(self, every: bool = False) -> list[Entry]:
        """List deliveries that receivers refuse; those that are due, too, where all are asked for."""
        return self._known().outbox.entries([PARKED, DUE] if every else [PARKED])

    def retry(self) -> int:
        """Send what receivers refuse once more; give how many deliveries that are."""
        return self._known().outbox.retry()

    def _known(self) -> FeedbackStore:
        """Open the file that is there; to ask for an alert must not make one."""
        if not self.path.is_file():
            known = networks()
            hint = closest(self.network, known) if known else "; no server has run here yet"
            raise UsageError(f"network '{self.network}' has no alerts on this machine{hint}")
        return self._store()

    def _store(self) -> FeedbackStore:
        store = FeedbackStore(self.path)
        try:
            store.latest()
        except sqlite3.Error as error:
            raise NetopsError(f"{self.path}: cannot be read: {error}; a server sets a damaged file aside") from None
        return store


class RemoteDesk:
    """A server elsewhere.

    Parameters
    ----------
    url : str
    token : str or None
        Bearer token.
    """

    def __init__(self, url: str, token: str | None) -> None:
        self._url, self._token = url, token

    def alerts(self, open_only: bool, since: int, limit: int) -> list[Alert]:
        """List alerts, the newest first."""
        every = "" if open_only else "all=true&"
        found = self._ask("GET", f"/alerts?{every}limit=100000", None, list[Alert])
        return [alert for alert in found if nanoseconds(alert.opened) >= since][:limit]

    def say(self, name: str, said: Statement) -> tuple[Alert, list[Statement], bool]:
        """Say what an alert was.

        Raises
        ------
        UsageError
            If there is no such alert.
        """
        values = {"verdict": said.verdict, "by": said.by, "note": said.note, "repaired_at": said.repaired_at}
        answer = self._ask("POST", f"/alerts/{quote(name, safe='')}/feedback", values, _Said)
        return answer.alert, answer.statements, answer.changed

    def record(self, incidents: Sequence[Incident]) -> dict[str, int]:
        """Record incidents."""
        counts = dict.fromkeys(("recorded", "changed", "known"), 0)
        for start in range(0, len(incidents), _AT_ONCE):
            rows = [msgspec.to_builtins(incident) for incident in incidents[start : start + _AT_ONCE]]
            answer = self._ask("POST", "/incidents", rows, dict[str, Any])
            counts = {key: counts[key] + answer[key] for key in counts}
        return counts

    def feedback(self) -> Feedback:
        """Give all that was said."""
        return self._ask("GET", "/feedback", None, Feedback)

    def _ask(self, method: str, path: str, value: Any, kind: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(asyncio.run(self._request(method, path, value)), type=kind)
        except RefusedError as error:
            raise _explained(error) from None
        except OSError as error:
            raise NetopsError(f"{self._url} does not answer: {error}") from None
        except msgspec.DecodeError as error:
            raise NetopsError(f"{self._url} is no server of this version: {error}") from None

    async def _request(self, method: str, path: str, value: Any) -> bytes:
        connection = Connection(self._url, self._token)
        try:
            return await connection.request(method, path, b"" if value is None else msgspec.json.encode(value))
        finally:
            await connection.close()


class _Said(msgspec.Struct):
    alert: Alert
    statements: list[Statement]
    changed: bool


def _explained(error: RefusedError) -> NetopsError:
    """Say what the server says, and whose fault it is."""
    try:
        message = str(msgspec.json.decode(error.answer)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return error
    return UsageError(message) if error.status in (400, 404) else NetopsError(message)


def fetch_feedback(url: str, token: str | None) -> Feedback:
    """Fetch all that was said from a server; the address may end in ``/feedback``."""
    return RemoteDesk(url.rstrip("/").removesuffix("/feedback"), token).feedback()


def read_csv(path: Path, source: str | None) -> list[Incident]:
    """Read incidents from a CSV as ``--incidents`` takes it; a column ``id`` tells one from the other.

    Raises
    ------
    NetopsError
        If it cannot be read, or a value is no time; it names column and line.
    """
    from netops.serving.http.feedback import IncidentBody, incident_of
    from netops.telemetry.incident_logs.read import read_incidents
    from netops.telemetry.settings import TelemetrySettings

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
