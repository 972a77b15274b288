"""The outbox: one row per event and receiver, acknowledged individually."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from netops.serving.alerts.file import transaction

Event = Literal["opened", "renewed", "ended"]
OPENED, RENEWED, ENDED = "opened", "renewed", "ended"
#: A row is due until the receiver accepts it (done), rejects it (parked), or is removed from the settings (closed).
DUE, DONE, PARKED, CLOSED = "due", "done", "parked", "closed"

# Rows of an alert are sent in order: none while an earlier one waits for a retry.
_DUE = """
SELECT o.number, o.event, o.tries, a.body, a.verdict FROM outbox o JOIN alerts a ON a.id = o.alert
WHERE o.receiver = ? AND o.state = 'due' AND o.due_at <= ? AND NOT EXISTS (
    SELECT 1 FROM outbox e
    WHERE e.alert = o.alert AND e.receiver = o.receiver AND e.state = 'due' AND e.number < o.number
) ORDER BY o.number LIMIT ?
"""
_OPENED = """
INSERT INTO outbox (alert, event, at, receiver, due_at) SELECT ?, 'opened', ?, ?, ?
WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE alert = ? AND receiver = ? AND event = 'opened')
"""
_WITHDRAW = """
DELETE FROM outbox WHERE alert = ? AND NOT EXISTS (
    SELECT 1 FROM outbox o WHERE o.alert = ? AND o.event = 'opened' AND (o.state != 'due' OR o.due_at <= ?)
)
"""
# Only receivers of the opening receive later events; an end is sent once, unless a renewal followed it.
_TO_THOSE = """
INSERT OR IGNORE INTO outbox (alert, event, at, receiver)
SELECT o.alert, ?, ?, o.receiver FROM outbox o WHERE o.alert = ? AND o.event = 'opened' AND o.state != 'closed'
"""
# An opening that is sent after a renewal includes it.
_BEFORE = "AND o.at < ?"
_NOT_ENDED = """
AND (SELECT l.event FROM outbox l WHERE l.alert = o.alert AND l.receiver = o.receiver
     ORDER BY l.number DESC LIMIT 1) != 'ended'
"""


class Row(msgspec.Struct):
    """An event for a receiver, with the current alert."""

    number: int
    event: Event
    tries: int
    body: bytes
    verdict: str | None


class Entry(msgspec.Struct):
    """A row as listed by ``netops alerts deliveries``."""

    number: int
    receiver: str
    event: Event
    alert: str
    state: str
    tries: int
    answer: str | None


class Outbox:
    """The outbox of an alert store.

    Parameters
    ----------
    connection : callable
        Returns the current connection to the file.
    """

    def __init__(self, connection: Callable[[], sqlite3.Connection]) -> None:
        self._connection = connection

    def opened(self, alert: str, at: int, receivers: Sequence[str], due_at: float = 0.0) -> None:
        """Queue an opening for receivers, within the caller's transaction; it is sent at ``due_at`` (s)."""
        self._connection().executemany(
            _OPENED, [(alert, at, receiver, due_at, alert, receiver) for receiver in receivers]
        )

    def withdraw(self, alert: str, now: float) -> None:
        """Remove the events of an alert, within the caller's transaction, if none has been due until now."""
        self._connection().execute(_WITHDRAW, (alert, alert, now))

    def release(self, alerts: Iterable[str]) -> None:
        """Make openings due that wait for the first attempt, within the caller's transaction."""
        self._connection().executemany(
            "UPDATE outbox SET due_at = 0 WHERE alert = ? AND event = 'opened' AND state = 'due' AND tries = 0",
            [(alert,) for alert in alerts],
        )

    def held(self, now: float) -> dict[str, float]:
        """Return when the openings are due (s) that wait for the first attempt, by alert."""
        rows = self._connection().execute(
            "SELECT alert, min(due_at) FROM outbox WHERE event = 'opened' GROUP BY alert "
            "HAVING min(due_at) > ? AND max(tries) = 0 AND max(state != 'due') = 0",
            (now,),
        )
        return dict(rows.fetchall())

    def renewed(self, alert: str, at: int) -> None:
        """Queue a renewal for the receivers of the opening, within the caller's transaction."""
        self._connection().execute(_TO_THOSE + _BEFORE, (RENEWED, at, alert, at))

    def ended(self, alert: str, at: int) -> None:
        """Queue the end for the receivers of the opening, within the caller's transaction."""
        self._connection().execute(_TO_THOSE + _NOT_ENDED, (ENDED, at, alert))

    def due(self, receiver: str, now: float, limit: int = 100) -> list[Row]:
        """Return the rows of a receiver that are due at a time (seconds since the epoch), oldest first."""
        return [Row(*row) for row in self._connection().execute(_DUE, (receiver, now, limit))]

    def done(self, rows: Sequence[Row]) -> None:
        """Mark rows as delivered."""
        with self._write() as connection:
            connection.executemany(
                "UPDATE outbox SET state = 'done', answer = NULL WHERE number = ?", [(row.number,) for row in rows]
            )

    def later(self, row: Row, due_at: float, answer: str) -> None:
        """Schedule the retry of a failed row."""
        with self._write() as connection:
            connection.execute(
                "UPDATE outbox SET tries = tries + 1, due_at = ?, answer = ? WHERE number = ?",
                (due_at, answer, row.number),
            )

    def park(self, row: Row, answer: str) -> None:
        """Park a rejected row, which is not retried automatically."""
        with self._write() as connection:
            connection.execute(
                "UPDATE outbox SET state = 'parked', tries = tries + 1, answer = ? WHERE number = ?",
                (answer, row.number),
            )

    def retry(self, numbers: Sequence[int] | None = None) -> int:
        """Queue parked rows again, all or the given ones; return how many."""
        where = "state = 'parked'"
        if numbers is not None:
            where += f" AND number IN ({', '.join('?' * len(numbers))})"
        with self._write() as connection:
            return connection.execute(
                f"UPDATE outbox SET state = 'due', due_at = 0 WHERE {where}", tuple(numbers or ())
            ).rowcount

    def close_others(self, receivers: Sequence[str]) -> int:
        """Close the rows of receivers that are no longer configured; return how many."""
        marks = ", ".join("?" * len(receivers))
        with self._write() as connection:
            return connection.execute(
                "UPDATE outbox SET state = 'closed' "
                f"WHERE state IN ('due', 'parked') AND receiver NOT IN ({marks})",
                tuple(receivers),
            ).rowcount

    def count(self, state: str) -> int:
        """Return the number of rows in a state."""
        row = self._connection().execute(f"SELECT count(*) FROM outbox WHERE state = '{state}'").fetchone()
        return int(row[0])

    def entries(self, states: Sequence[str], limit: int = 1000) -> list[Entry]:
        """Return the rows in some states, oldest first."""
        marks = ", ".join("?" * len(states))
        rows = self._connection().execute(
            "SELECT number, receiver, event, alert, state, tries, answer FROM outbox "
            f"WHERE state IN ({marks}) ORDER BY number LIMIT ?",
            (*states, limit),
        )
        return [Entry(*row) for row in rows]

    def _write(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        return transaction(self._connection())
