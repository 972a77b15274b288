"""Alerts on disk, and what of them each receiver still has to be told: one SQLite file a network.

An alert's identity is made of what it is about and when it opened, by event time. So an alert that comes up again
when samples are sent again after a crash is the same alert, and no receiver is told of it a second time.
"""

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from netops.serving.samples import Reason

Kind = Literal["risk", "silent", "site"]
OPENED, ENDED = "opened", "ended"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts (
    id TEXT PRIMARY KEY, about TEXT, opened INTEGER NOT NULL, ended INTEGER, body BLOB NOT NULL, verdict TEXT
);
CREATE INDEX IF NOT EXISTS alerts_by_time ON alerts (opened);
CREATE INDEX IF NOT EXISTS alerts_about ON alerts (about, opened);
CREATE INDEX IF NOT EXISTS alerts_open ON alerts (ended) WHERE ended IS NULL;
CREATE TABLE IF NOT EXISTS deliveries (
    alert TEXT NOT NULL, event TEXT NOT NULL, receiver TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (alert, event, receiver)
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (receiver) WHERE done = 0;
"""


class Alert(msgspec.Struct, kw_only=True):
    """One alert; times are ISO 8601, UTC.

    A silenced alert, and one that is rolled up (named there: the site alert that stands for it), is kept but told
    to no receiver. A site alert names its devices; its ``device`` is null, its ``data_center`` too when it stands
    for a company, and ``site`` is its level, company and name. ``calm_since`` is when the risk had come down for
    good; the alert ended a cool-down later.
    """

    id: str
    kind: Kind
    network: str
    device: str | None = None
    site: str | None = None
    company: str | None = None
    data_center: str | None = None
    opened: str
    ended: str | None = None
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
    """Name an alert by what it is about and when it opened (ns)."""
    text = "\0".join((network, kind, about, str(opened)))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class AlertStore:
    """The alerts of a network, open and ended, and the deliveries that are due.

    Parameters
    ----------
    path : Path
        The SQLite file; made when missing.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One connection a thread: a delivery must never wait for a transaction of the server, or the other way.
        self._connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    def save(self, alerts: Iterable[Alert], receivers: Iterable[str] = ()) -> None:
        """Write alerts, new or changed, and note what the receivers have to be told.

        Raises
        ------
        sqlite3.Error
            If the disk does not take them.
        """
        names = list(receivers)
        with self._transaction() as connection:
            for alert in alerts:
                connection.execute(
                    "INSERT INTO alerts (id, about, opened, ended, body) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, body = excluded.body",
                    (
                        alert.id,
                        _about(alert),
                        _order(alert.opened),
                        _order(alert.ended),
                        msgspec.json.encode(alert),
                    ),
                )
                untold = alert.silenced or alert.rolled_up
                due = [] if untold else [OPENED, ENDED] if alert.ended else [OPENED]
                connection.executemany(
                    "INSERT OR IGNORE INTO deliveries (alert, event, receiver) VALUES (?, ?, ?)",
                    [(alert.id, event, name) for event in due for name in names],
                )

    def recent(self, open_only: bool = False, limit: int = 1000, since: int = 0) -> list[Alert]:
        """List alerts that opened since a time (ns), the newest first."""
        where = "opened >= ? AND ended IS NULL" if open_only else "opened >= ?"
        rows = self._connection.execute(
            f"SELECT body, verdict FROM alerts WHERE {where} ORDER BY opened DESC, id LIMIT ?", (since, limit)
        )
        return [alert_of(*row) for row in rows]

    def get(self, name: str) -> Alert | None:
        """Find an alert by its id."""
        row = self._connection.execute("SELECT body, verdict FROM alerts WHERE id = ?", (name,)).fetchone()
        return alert_of(*row) if row else None

    def like(self, site: str, opened: int, within: int) -> Alert | None:
        """Find the alert of a site that opened at about a time (ns)."""
        row = self._connection.execute(
            "SELECT body, verdict FROM alerts WHERE about = ? AND opened BETWEEN ? AND ? ORDER BY opened LIMIT 1",
            (f"site {site}", opened - within, opened + within),
        ).fetchone()
        return alert_of(*row) if row else None

    def due(self, receiver: str, limit: int = 100) -> list[tuple[str, Alert]]:
        """List what a receiver has to be told, the oldest first: event and alert."""
        rows = self._connection.execute(
            "SELECT d.event, a.body, a.verdict FROM deliveries d JOIN alerts a ON a.id = d.alert "
            "WHERE d.receiver = ? AND d.done = 0 ORDER BY a.opened, a.id, d.event = 'ended' LIMIT ?",
            (receiver, limit),
        ).fetchall()
        return [(event, alert_of(body, verdict)) for event, body, verdict in rows]

    def told(self, receiver: str, told: Iterable[tuple[str, Alert]]) -> None:
        """Note what a receiver has been told."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE deliveries SET done = 1 WHERE receiver = ? AND event = ? AND alert = ?",
                [(receiver, event, alert.id) for event, alert in told],
            )

    def undelivered(self) -> int:
        """Count the deliveries that are due."""
        return int(self._connection.execute("SELECT count(*) FROM deliveries WHERE done = 0").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def alert_of(body: bytes, verdict: str | None) -> Alert:
    """Read an alert from its columns."""
    alert = msgspec.json.decode(body, type=Alert)
    alert.verdict = verdict
    return alert


def _about(alert: Alert) -> str:
    return f"site {alert.site}" if alert.kind == "site" else f"device {alert.device}"


def _order(moment: str | None) -> int | None:
    from netops.serving.times import nanoseconds

    return nanoseconds(moment) if moment else None
