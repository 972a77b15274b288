"""What each receiver has yet to be told: one row per event and receiver, acknowledged one by one."""

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from netops.serving.alerts.file import transaction

Event = Literal["opened", "renewed", "ended"]
OPENED, RENEWED, ENDED = "opened", "renewed", "ended"
#: A row is due until the receiver has taken it (done), refuses it (parked), or has left the configuration (closed).
DUE, DONE, PARKED, CLOSED = "due", "done", "parked", "closed"

# Rows of one alert go out in their order: none while an earlier one waits for its next try.
_DUE = """
SELECT o.number, o.event, o.tries, a.body, a.verdict FROM outbox o JOIN alerts a ON a.id = o.alert
WHERE o.receiver = ? AND o.state = 'due' AND o.due_at <= ? AND NOT EXISTS (
    SELECT 1 FROM outbox e
    WHERE e.alert = o.alert AND e.receiver = o.receiver AND e.state = 'due' AND e.number < o.number
) ORDER BY o.number LIMIT ?
"""
_OPENED = """
INSERT INTO outbox (alert, event, at, receiver) SELECT ?, 'opened', ?, ?
WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE alert = ? AND receiver = ? AND event = 'opened')
"""
# Only who was sent the opening is sent what follows; an end is sent once, unless a renewal followed it.
_TO_THOSE = """
INSERT OR IGNORE INTO outbox (alert, event, at, receiver)
SELECT o.alert, ?, ?, o.receiver FROM outbox o WHERE o.alert = ? AND o.event = 'opened' AND o.state != 'closed'
"""
# Who is sent the opening after a renewal knows of it.
_BEFORE = "AND o.at < ?"
_NOT_ENDED = """
AND (SELECT l.event FROM outbox l WHERE l.alert = o.alert AND l.receiver = o.receiver
     ORDER BY l.number DESC LIMIT 1) != 'ended'
"""


class Row(msgspec.Struct):
    """One event for one receiver; the alert is as it stands in the file."""

    number: int
    event: Event
    tries: int
    body: bytes
    verdict: str | None


class Entry(msgspec.Struct):
    """One row as ``netops alerts deliveries`` lists it."""

    number: int
    receiver: str
    event: Event
    alert: str
    state: str
    tries: int
    answer: str | None


class Outbox:
    """The rows of one file.

    Parameters
    ----------
    connection : callable
        Gives the connection to the file; a reopened file has another one.
    """

    def __init__(self, connection: Callable[[], sqlite3.Connection]) -> None:
        self._connection = connection

    def opened(self, alert: str, at: int, receivers: Sequence[str]) -> None:
        """Note that receivers are to be sent an opening; part of the caller's transaction, like the next two."""
        self._connection().executemany(_OPENED, [(alert, at, receiver, alert, receiver) for receiver in receivers])

    def renewed(self, alert: str, at: int) -> None:
        """Note that those who were sent the opening are to be sent a renewal."""
        self._connection().execute(_TO_THOSE + _BEFORE, (RENEWED, at, alert, at))

    def ended(self, alert: str, at: int) -> None:
        """Note that those who were sent the opening are to be sent the end."""
        self._connection().execute(_TO_THOSE + _NOT_ENDED, (ENDED, at, alert))

    def due(self, receiver: str, now: float, limit: int = 100) -> list[Row]:
        """List the rows of a receiver whose time has come (seconds since the epoch), the oldest first."""
        return [Row(*row) for row in self._connection().execute(_DUE, (receiver, now, limit))]

    def done(self, rows: Sequence[Row]) -> None:
        """Note that the receiver has taken rows."""
        with self._write() as connection:
            connection.executemany(
                "UPDATE outbox SET state = 'done', answer = NULL WHERE number = ?", [(row.number,) for row in rows]
            )

    def later(self, row: Row, due_at: float, answer: str) -> None:
        """Note that a row failed, and when it is tried again."""
        with self._write() as connection:
            connection.execute(
                "UPDATE outbox SET tries = tries + 1, due_at = ?, answer = ? WHERE number = ?",
                (due_at, answer, row.number),
            )

    def park(self, row: Row, answer: str) -> None:
        """Note that the receiver refuses a row: it is not tried again by itself."""
        with self._write() as connection:
            connection.execute(
                "UPDATE outbox SET state = 'parked', tries = tries + 1, answer = ? WHERE number = ?",
                (answer, row.number),
            )

    def retry(self, numbers: Sequence[int] | None = None) -> int:
        """Make parked rows due again, all of them or those named; give how many."""
        where = "state = 'parked'"
        if numbers is not None:
            where += f" AND number IN ({', '.join('?' * len(numbers))})"
        with self._write() as connection:
            return connection.execute(
                f"UPDATE outbox SET state = 'due', due_at = 0 WHERE {where}", tuple(numbers or ())
            ).rowcount

    def close_others(self, receivers: Sequence[str]) -> int:
        """Close what is open of receivers that are no longer configured; give how many rows."""
        marks = ", ".join("?" * len(receivers))
        with self._write() as connection:
            return connection.execute(
                "UPDATE outbox SET state = 'closed' "
                f"WHERE state IN ('due', 'parked') AND receiver NOT IN ({marks})",
                tuple(receivers),
            ).rowcount

    def count(self, state: str) -> int:
        """Count the rows that are due, or parked."""
        row = self._connection().execute(f"SELECT count(*) FROM outbox WHERE state = '{state}'").fetchone()
        return int(row[0])

    def entries(self, states: Sequence[str], limit: int = 1000) -> list[Entry]:
        """List rows by their states, the oldest first."""
        marks = ", ".join("?" * len(states))
        rows = self._connection().execute(
            "SELECT number, receiver, event, alert, state, tries, answer FROM outbox "
            f"WHERE state IN ({marks}) ORDER BY number LIMIT ?",
            (*states, limit),
        )
        return [Entry(*row) for row in rows]

    def _write(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        return transaction(self._connection())
