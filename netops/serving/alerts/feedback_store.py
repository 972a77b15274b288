"""What people say of a network, beside its alerts on disk: verdicts with their history, and recorded incidents.

Whoever writes here is told only once it is safe on disk. A server and the command may write at the same time.
"""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator

from netops.config.durations import SECOND
from netops.errors import UsageError
from netops.feedback.records import DISMISSED, REPAIRED, Feedback, Incident, Statement, Verdict
from netops.serving.alerts.store import Alert, AlertStore, alert_of
from netops.serving.decode.times import iso, nanoseconds

NEW, CHANGED, KNOWN = "recorded", "changed", "known"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS statements (
    number INTEGER PRIMARY KEY, alert TEXT NOT NULL, verdict TEXT NOT NULL, by TEXT, note TEXT, repaired_at INTEGER,
    given INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS statements_of ON statements (alert, number);
CREATE TABLE IF NOT EXISTS incidents (
    source TEXT NOT NULL, id TEXT NOT NULL, device TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER,
    scenario TEXT NOT NULL, recorded INTEGER NOT NULL, PRIMARY KEY (source, id)
);
"""
_SAID = "verdict, by, note, repaired_at"
_LATEST = (
    "SELECT a.body, a.verdict, s.verdict, s.by, s.note, s.repaired_at, s.given FROM statements s "
    "JOIN alerts a ON a.id = s.alert "
    "WHERE s.number IN (SELECT max(number) FROM statements GROUP BY alert) ORDER BY a.opened, a.id"
)


class UnknownAlertError(UsageError):
    """There is no such alert."""


class FeedbackStore(AlertStore):
    """The alerts of a network and what was said of it, in the same file.

    Parameters
    ----------
    path : Path
        The SQLite file; made when missing.
    """

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.executescript(_SCHEMA)

    def find(self, name: str) -> Alert:
        """Find an alert by its id, or a beginning of it that no other has.

        Raises
        ------
        UnknownAlertError
            If there is none.
        UsageError
            If more than one begins so.
        """
        if (alert := self.get(name)) is not None:
            return alert
        rows = self._connection.execute(
            "SELECT id FROM alerts WHERE id >= ? AND id < ? ORDER BY id LIMIT 2", (name, name + "\U0010ffff")
        ).fetchall()
        if len(rows) > 1 and name:
            raise UsageError(f"more than one alert begins with '{name[:64]}'; give more of its id")
        found = self.get(rows[0][0]) if len(rows) == 1 and name else None
        if found is None:
            raise UnknownAlertError(f"no alert '{name[:64]}'; 'netops alerts list' names them")
        return found

    def record_verdict(self, name: str, said: Statement, now: int) -> tuple[Alert, bool]:
        """Note what somebody says of an alert. What was said before is kept, and counts no longer.

        Parameters
        ----------
        name : str
            Id of the alert, or the beginning of it.
        said : Statement
        now : int
            When it is said, nanoseconds since the epoch.

        Returns
        -------
        Alert, bool
            The alert, and whether that is anything but what was said last.

        Raises
        ------
        UsageError
            If there is no such alert, or it cannot have been so.
        """
        alert = self.find(name)
        repaired = _repaired(said, alert)
        with self._surely() as connection:
            last = connection.execute(
                f"SELECT {_SAID} FROM statements WHERE alert = ? ORDER BY number DESC LIMIT 1", (alert.id,)
            ).fetchone()
            values = (said.verdict, said.by, said.note, repaired)
            if last != values:
                connection.execute(
                    f"INSERT INTO statements (alert, {_SAID}, given) VALUES (?, ?, ?, ?, ?, ?)",
                    (alert.id, *values, _whole(now)),
                )
                connection.execute("UPDATE alerts SET verdict = ? WHERE id = ?", (said.verdict, alert.id))
        alert.verdict = said.verdict
        return alert, last != values

    def statements(self, alert: str) -> list[Statement]:
        """List what was said of an alert, the latest last."""
        rows = self._connection.execute(
            f"SELECT {_SAID}, given FROM statements WHERE alert = ? ORDER BY number", (alert,)
        )
        return [_statement(*row) for row in rows]

    def verdicts_of_open(self) -> dict[str, str]:
        """Give the verdicts on alerts that are open, by their ids."""
        return dict(
            self._connection.execute("SELECT id, verdict FROM alerts WHERE ended IS NULL AND verdict IS NOT NULL")
        )

    def record(self, incidents: Iterable[Incident], now: int) -> Counter[str]:
        """Record incidents, all or none of them; one that is known by source and id is brought up to date.

        Returns
        -------
        Counter
            How many were ``recorded``, ``changed``, and ``known`` just so.
        """
        counts: Counter[str] = Counter()
        with self._surely() as connection:
            for incident in incidents:
                values = (incident.device, nanoseconds(incident.start), _time(incident.end), incident.scenario)
                key = (incident.source, incident.id)
                known = connection.execute(
                    "SELECT device, start, end, scenario FROM incidents WHERE source = ? AND id = ?", key
                ).fetchone()
                counts[NEW if known is None else KNOWN if known == values else CHANGED] += 1
                if known != values:
                    connection.execute(
                        "INSERT OR REPLACE INTO incidents VALUES (?, ?, ?, ?, ?, ?, ?)",
                        (*key, *values, _whole(now)),
                    )
        return counts

    def forget(self, source: str, name: str | None = None) -> int:
        """Take back a recorded incident, or all of a source; give how many."""
        where, values = ("source = ? AND id = ?", (source, name)) if name else ("source = ?", (source,))
        with self._surely() as connection:
            return connection.execute(f"DELETE FROM incidents WHERE {where}", values).rowcount

    def incidents(self) -> list[Incident]:
        """List the recorded incidents in the order of their times."""
        rows = self._connection.execute(
            "SELECT source, id, device, start, end, scenario, recorded FROM incidents "
            "ORDER BY start, device, source, id"
        )
        return [_incident(*row) for row in rows]

    def feedback(self, network: str) -> Feedback:
        """Put all together; a verdict on a site holds for the alerts it stands for that have none of their own."""
        found: dict[str, Verdict] = {}
        sites: list[tuple[Alert, Statement]] = []
        for body, verdict, *said in self._connection.execute(_LATEST):
            alert, statement = alert_of(body, verdict), _statement(*said)
            if alert.kind == "risk":
                found[alert.id] = _verdict(alert, statement)
            elif alert.kind == "site":
                sites.append((alert, statement))
        for site, statement in sites:
            for alert in self._of_site(site):
                found.setdefault(alert.id, _verdict(alert, statement))
        ordered = sorted(found.values(), key=lambda verdict: (verdict.opened, verdict.alert))
        return Feedback(network=network, incidents=self.incidents(), verdicts=ordered)

    def _of_site(self, site: Alert) -> Iterator[Alert]:
        """Find the alerts of a site's devices that were open while the site's was."""
        opened, ended = nanoseconds(site.opened), _time(site.ended)
        for device in site.devices:
            rows = self._connection.execute(
                "SELECT body, verdict FROM alerts WHERE about = ? AND (ended IS NULL OR ended >= ?) "
                "AND (? IS NULL OR opened <= ?) ORDER BY opened",
                (f"device {device}", opened, ended, ended),
            ).fetchall()
            yield from (alert for row in rows if (alert := alert_of(*row)).kind == "risk")

    @contextlib.contextmanager
    def _surely(self) -> Iterator[sqlite3.Connection]:
        """One transaction that is safe on disk when it ends, even should the power fail."""
        self._connection.execute("PRAGMA synchronous=FULL")
        try:
            with self._transaction() as connection:
                yield connection
        finally:
            self._connection.execute("PRAGMA synchronous=NORMAL")


def _repaired(said: Statement, alert: Alert) -> int | None:
    repaired = _time(said.repaired_at)
    if repaired is not None and said.verdict != REPAIRED:
        raise UsageError(f"a time of repair goes with the verdict 'repaired', not with '{said.verdict}'")
    if repaired is not None and repaired <= nanoseconds(alert.opened):
        raise UsageError(f"alert {alert.id} opened at {alert.opened}: the repair must have come later")
    return repaired


def _whole(now: int) -> int:
    """Leave out fractions of a second, which nobody reads."""
    return now - now % SECOND


def _time(moment: str | None) -> int | None:
    return None if moment is None else nanoseconds(moment)


def _iso(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)


def _statement(verdict: str, by: str | None, note: str | None, repaired: int | None, given: int) -> Statement:
    return Statement(verdict=verdict, by=by, note=note, repaired_at=_iso(repaired), given=iso(given))  # type: ignore[arg-type]


def _incident(
    source: str, name: str, device: str, start: int, end: int | None, scenario: str, recorded: int
) -> Incident:
    return Incident(
        source=source,
        id=name,
        device=device,
        start=iso(start),
        end=_iso(end),
        scenario=scenario,
        recorded=iso(recorded),
    )


def _opening(alert: Alert, said: Statement) -> str:
    """Give the opening that was right: of an alert that was renewed the last before the failure, or the repair."""
    if said.verdict == DISMISSED:
        return alert.opened
    repaired = _time(said.repaired_at)
    before = [one for one in alert.renewed if repaired is None or nanoseconds(one) < repaired]
    return before[-1] if before else alert.opened


def _verdict(alert: Alert, said: Statement) -> Verdict:
    return Verdict(
        alert=alert.id,
        device=str(alert.device),
        opened=_opening(alert, said),
        calm_since=alert.calm_since,
        ended=alert.ended,
        verdict=said.verdict,
        by=said.by,
        note=said.note,
        repaired_at=said.repaired_at,
        given=said.given,
    )
