"""The alert store: alerts and the outbox of pending deliveries, in one SQLite file per network.

The id of an alert is derived from its kind, device and opening (event time). An alert that opens again when samples
are replayed after a crash is therefore the same alert, and is not sent a second time.
"""

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from netops.serving.alerts.file import open_file, transaction
from netops.serving.alerts.outbox import DUE, Outbox
from netops.serving.decode.times import iso, nanoseconds
from netops.serving.engine.samples import Reason

Kind = Literal["risk", "silent", "site"]

_SAVE = """
INSERT INTO alerts (id, about, opened, ended, body, lapsed) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, body = excluded.body, lapsed = excluded.lapsed
"""
_UNSETTLED = "(ended IS NULL OR lapsed = 1)"
# Age is measured in event time; alerts with feedback are not deleted.
_OLD = """
SELECT id FROM alerts a WHERE ended < ? AND lapsed = 0 AND verdict IS NULL
AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.alert = a.id AND o.state = 'due') LIMIT ?
"""


class Alert(msgspec.Struct, kw_only=True):
    """An alert; times are ISO 8601, UTC.

    A silenced alert and a rolled-up alert (``rolled_up`` is the id of its site alert) are stored but not sent. A
    site alert lists its devices; its ``device`` is null, and so is its ``data_center`` if it is for a company;
    ``site`` is level, company and name. ``calm_since`` is the start of the cool-down that ended the alert.
    ``renewed`` are the times at which it expired and opened again, oldest first; ``end_reason`` is the reason for
    the end.
    """

    id: str
    kind: Kind
    network: str
    device: str | None = None
    site: str | None = None
    company: str | None = None
    data_center: str | None = None
    opened: str
    renewed: list[str] = []
    ended: str | None = None
    end_reason: str | None = None
    calm_since: str | None = None
    peak: float | None = None
    peak_at: str | None = None
    reasons: list[Reason] = []
    devices: list[str] = []
    model: str | None = None
    silenced: bool = False
    rolled_up: str | None = None
    verdict: str | None = None


def identity(network: str, kind: Kind, about: str, opened: int) -> str:
    """Return the id of an alert, derived from what it is about and when it opened (ns)."""
    text = "\0".join((network, kind, about, str(opened)))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Hold:
    """Openings of risk alerts wait until a time, unless they are released before.

    Attributes
    ----------
    now, until : float
        Seconds since the epoch.
    released : collection of str
        Ids of alerts that do not wait any longer.
    """

    now: float
    until: float
    released: Collection[str] = ()


def may_roll_up(alert: Alert) -> bool:
    """Return whether an alert may become part of a site alert: a risk alert of a device with a location."""
    return alert.kind == "risk" and bool(alert.company or alert.data_center)


class AlertStore:
    """The alerts of a network, open and ended, and the pending deliveries.

    The file is opened on first use, so that a server can start while the file is unavailable.

    Parameters
    ----------
    path : Path
        The SQLite file; created if missing.
    timeout : float
        Seconds to wait for a lock.
    fence : callable, optional
        Called within each transaction; raises an exception if this process must not write any more.
    """

    def __init__(self, path: Path, timeout: float = 10.0, fence: Callable[[], None] | None = None) -> None:
        self.path, self._timeout, self._fence = path, timeout, fence
        self._opened: sqlite3.Connection | None = None
        self.outbox = Outbox(lambda: self._connection)

    def save(
        self,
        alerts: Iterable[Alert],
        receivers: Sequence[str] = (),
        lapsed: Collection[str] = frozenset(),
        hold: Hold | None = None,
    ) -> None:
        """Store new and changed alerts, and queue their events for the receivers.

        Parameters
        ----------
        alerts : iterable of Alert
        receivers : sequence of str
            Names of the receivers.
        lapsed : collection of str
            Ids of ended alerts that may continue; their end is not reported yet.
        hold : Hold, optional
            Of alerts that wait for the roll-up of the network.

        Raises
        ------
        sqlite3.Error
            If they cannot be written.
        """
        with self._transaction() as connection:
            if hold is not None:
                self.outbox.release(hold.released)
            for alert in alerts:
                opened, ended, pending = nanoseconds(alert.opened), _order(alert.ended), alert.id in lapsed
                body = msgspec.json.encode(alert)
                connection.execute(_SAVE, (alert.id, _about(alert), opened, ended, body, pending))
                latest = nanoseconds(alert.renewed[-1]) if alert.renewed else opened
                due_at = hold.until if hold is not None and may_roll_up(alert) else 0.0
                if not (alert.silenced or alert.rolled_up):
                    self.outbox.opened(alert.id, latest, receivers, due_at)
                elif hold is not None and alert.rolled_up:
                    self.outbox.withdraw(alert.id, hold.now)
                if alert.renewed:
                    self.outbox.renewed(alert.id, latest)
                if ended is not None and not pending:
                    self.outbox.ended(alert.id, ended)

    def recent(self, open_only: bool = False, limit: int = 1000, since: int = 0) -> list[Alert]:
        """Return alerts that opened since a time (ns), newest first."""
        where = "opened >= ? AND ended IS NULL" if open_only else "opened >= ?"
        rows = self._connection.execute(
            f"SELECT body, verdict FROM alerts WHERE {where} ORDER BY opened DESC, id DESC LIMIT ?", (since, limit)
        )
        return [alert_of(*row) for row in rows]

    def unsettled(self, after: str = "", limit: int = -1) -> list[tuple[Alert, bool]]:
        """Return the open and lapsed alerts after an id, sorted by id.

        Returns
        -------
        list of (Alert, bool)
            The alert, and whether it has lapsed.
        """
        rows = self._connection.execute(
            f"SELECT body, verdict, lapsed FROM alerts WHERE {_UNSETTLED} AND id > ? ORDER BY id LIMIT ?",
            (after, limit),
        )
        return [(alert_of(body, verdict), bool(lapsed)) for body, verdict, lapsed in rows]

    def to_repeat(self, receiver: str, after: str = "", limit: int = 500) -> list[Alert]:
        """Return the alerts to repeat to a receiver after an id, sorted by id.

        These are open alerts that it received or that opened before it was configured. Silenced and rolled-up
        alerts, and those with a pending delivery, are excluded.
        """
        rows = self._connection.execute(
            f"SELECT body, verdict FROM alerts a WHERE {_UNSETTLED} AND id > ? AND NOT EXISTS ("
            "SELECT 1 FROM outbox o WHERE o.alert = a.id AND o.receiver = ? AND o.event = 'opened' "
            "AND o.state IN ('due', 'parked')) AND NOT coalesce(json_extract(CAST(body AS TEXT), '$.silenced'), 0) "
            "AND json_extract(CAST(body AS TEXT), '$.rolled_up') IS NULL ORDER BY id LIMIT ?",
            (after, receiver, limit),
        )
        return [alert_of(*row) for row in rows]

    def get(self, name: str) -> Alert | None:
        """Return an alert by its id, or None."""
        row = self._connection.execute("SELECT body, verdict FROM alerts WHERE id = ?", (name,)).fetchone()
        return alert_of(*row) if row else None

    def renewed_at(self, kind: Kind, device: str, moment: int) -> list[Alert]:
        """Return the alert of a device that was renewed at a time (ns), if any."""
        rows = self._connection.execute(
            "SELECT body, verdict FROM alerts WHERE about = ? AND opened < ? AND (ended IS NULL OR ended >= ?) "
            "ORDER BY opened DESC",
            (f"device {device}", moment, moment),
        )
        renewed = iso(moment)
        found = (alert_of(*row) for row in rows)
        return [alert for alert in found if alert.kind == kind and renewed in alert.renewed][:1]

    def latest(self) -> int:
        """Return the latest time (ns) at which an alert opened or ended; -1 if there is none."""
        row = self._connection.execute(
            "SELECT max(coalesce(max(opened), -1), coalesce(max(ended), -1)) FROM alerts"
        )
        return int(row.fetchone()[0])

    def undelivered(self) -> int:
        """Return the number of pending deliveries."""
        return self.outbox.count(DUE)

    def prune(self, before: int, limit: int = 500) -> int:
        """Delete alerts without feedback that ended before a time (ns); return how many."""
        old = self._connection.execute(_OLD, (before, limit)).fetchall()
        if old:
            with self._transaction() as connection:
                connection.executemany("DELETE FROM outbox WHERE alert = ?", old)
                connection.executemany("DELETE FROM alerts WHERE id = ?", old)
        return len(old)

    def close(self) -> None:
        """Close the file; the next use reopens it."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            connection = open_file(self.path, self._timeout)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._opened = connection
        return self._opened

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Create further tables; for subclasses."""

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with transaction(self._connection) as connection:
            if self._fence is not None:
                self._fence()
            yield connection


def alert_of(body: bytes, verdict: str | None) -> Alert:
    """Return an alert from its columns."""
    alert = msgspec.json.decode(body, type=Alert)
    alert.verdict = verdict
    return alert


def _about(alert: Alert) -> str:
    return f"site {alert.site}" if alert.kind == "site" else f"device {alert.device}"


def _order(moment: str | None) -> int | None:
    return nanoseconds(moment) if moment else None
