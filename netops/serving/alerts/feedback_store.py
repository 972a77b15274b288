"""The feedback on a network, stored with its alerts: feedback labels with their history, and recorded incidents.

A write returns only after it is durable on disk. A server and the CLI may write at the same time.
"""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from netops.config.durations import SECOND
from netops.errors import UsageError
from netops.feedback.records import DISMISSED, REPAIRED, Feedback, Incident, Statement, Verdict, merge_feedback
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
_COLUMNS = "verdict, by, note, repaired_at"
_LATEST = (
    "SELECT a.body, a.verdict, s.verdict, s.by, s.note, s.repaired_at, s.given FROM statements s "
    "JOIN alerts a ON a.id = s.alert "
    "WHERE s.number IN (SELECT max(number) FROM statements GROUP BY alert) ORDER BY a.opened, a.id"
)


class UnknownAlertError(UsageError):
    """The alert does not exist."""


class SiteVerdict(msgspec.Struct):
    """A site alert, and the valid statement on it."""

    alert: Alert
    statement: Statement


class FeedbackStore(AlertStore):
    """The alerts of a network and the feedback on it, in the same file.

    Parameters
    ----------
    path : Path
        The SQLite file; created if missing.
    """

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.executescript(_SCHEMA)

    def find(self, name: str) -> Alert:
        """Return an alert by its id or a unique prefix of it.

        Raises
        ------
        UnknownAlertError
            If there is none.
        UsageError
            If the prefix is ambiguous.
        """
        if (alert := self.get(name)) is not None:
            return alert
        rows = self._connection.execute(
            "SELECT id FROM alerts WHERE id >= ? AND id < ? ORDER BY id LIMIT 2", (name, name + "\U0010ffff")
        ).fetchall()
        if len(rows) > 1 and name:
            raise UsageError(f"more than one alert id starts with '{name[:64]}'; use a longer prefix")
        found = self.get(rows[0][0]) if len(rows) == 1 and name else None
        if found is None:
            raise UnknownAlertError(f"no alert '{name[:64]}'; see 'netops alerts list'")
        return found

    def record_verdict(self, name: str, statement: Statement, now: int) -> tuple[Alert, bool]:
        """Record feedback on an alert. Earlier feedback stays in the history but no longer applies.

        Parameters
        ----------
        name : str
            Id of the alert, or a unique prefix of it.
        statement : Statement
        now : int
            Current time, nanoseconds since the epoch.

        Returns
        -------
        Alert, bool
            The alert, and whether the feedback differs from the latest one.

        Raises
        ------
        UsageError
            If the alert does not exist, or the feedback is invalid for it.
        """
        alert = self.find(name)
        repaired = _repaired(statement, alert)
        with self._durable_transaction() as connection:
            last = connection.execute(
                f"SELECT {_COLUMNS} FROM statements WHERE alert = ? ORDER BY number DESC LIMIT 1", (alert.id,)
            ).fetchone()
            values = (statement.verdict, statement.by, statement.note, repaired)
            if last != values:
                connection.execute(
                    f"INSERT INTO statements (alert, {_COLUMNS}, given) VALUES (?, ?, ?, ?, ?, ?)",
                    (alert.id, *values, _whole_seconds(now)),
                )
                connection.execute("UPDATE alerts SET verdict = ? WHERE id = ?", (statement.verdict, alert.id))
        alert.verdict = statement.verdict
        return alert, last != values

    def statements(self, alert: str) -> list[Statement]:
        """Return the feedback on an alert, oldest first."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS}, given FROM statements WHERE alert = ? ORDER BY number", (alert,)
        )
        return [_statement(*row) for row in rows]

    def verdicts_of_open(self) -> dict[str, str]:
        """Return the feedback labels of open alerts, by alert id."""
        return dict(
            self._connection.execute("SELECT id, verdict FROM alerts WHERE ended IS NULL AND verdict IS NOT NULL")
        )

    def record(self, incidents: Iterable[Incident], now: int) -> Counter[str]:
        """Record incidents in one transaction; an incident with a known source and id is updated.

        Returns
        -------
        Counter
            How many were ``recorded``, ``changed``, and ``known`` (unchanged).
        """
        counts: Counter[str] = Counter()
        with self._durable_transaction() as connection:
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
                        (*key, *values, _whole_seconds(now)),
                    )
        return counts

    def remove(self, source: str, name: str | None = None) -> int:
        """Remove a recorded incident, or all of a source; return how many."""
        where, values = ("source = ? AND id = ?", (source, name)) if name else ("source = ?", (source,))
        with self._durable_transaction() as connection:
            return connection.execute(f"DELETE FROM incidents WHERE {where}", values).rowcount

    def incidents(self) -> list[Incident]:
        """Return the recorded incidents in order of time."""
        rows = self._connection.execute(
            "SELECT source, id, device, start, end, scenario, recorded FROM incidents "
            "ORDER BY start, device, source, id"
        )
        return [_incident(*row) for row in rows]

    def feedback(self, network: str, sites: Iterable[SiteVerdict] | None = None) -> Feedback:
        """Return all feedback; feedback on a site alert applies to its device alerts without feedback.

        Parameters
        ----------
        network : str
            Name of the network.
        sites : iterable of SiteVerdict, optional
            The feedback on site alerts; default: on those in this file. Their devices may be in other partitions.
        """
        found = {
            alert.id: _verdict(alert, statement) for alert, statement in self._latest() if alert.kind == "risk"
        }
        for verdict in self.verdicts_of(self.site_verdicts() if sites is None else sites):
            found.setdefault(verdict.alert, verdict)
        ordered = sorted(found.values(), key=lambda verdict: (verdict.opened, verdict.alert))
        return Feedback(network=network, incidents=self.incidents(), verdicts=ordered)

    def site_verdicts(self) -> list[SiteVerdict]:
        """Return the latest feedback on each site alert."""
        return [SiteVerdict(alert, statement) for alert, statement in self._latest() if alert.kind == "site"]

    def verdicts_of(self, sites: Iterable[SiteVerdict]) -> list[Verdict]:
        """Return the feedback on site alerts as feedback on the device alerts in this file."""
        return [_verdict(alert, site.statement) for site in sites for alert in self._of_site(site.alert)]

    def _latest(self) -> Iterator[tuple[Alert, Statement]]:
        for body, verdict, *columns in self._connection.execute(_LATEST):
            yield alert_of(body, verdict), _statement(*columns)

    def _of_site(self, site: Alert) -> Iterator[Alert]:
        """Yield the alerts of a site's devices that were open at the same time as the site alert."""
        opened, ended = nanoseconds(site.opened), _time(site.ended)
        for device in site.devices:
            rows = self._connection.execute(
                "SELECT body, verdict FROM alerts WHERE about = ? AND (ended IS NULL OR ended >= ?) "
                "AND (? IS NULL OR opened <= ?) ORDER BY opened",
                (f"device {device}", opened, ended, ended),
            ).fetchall()
            yield from (alert for row in rows if (alert := alert_of(*row)).kind == "risk")

    @contextlib.contextmanager
    def _durable_transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction that is durable when it ends, even after a power failure."""
        self._connection.execute("PRAGMA synchronous=FULL")
        try:
            with self._transaction() as connection:
                yield connection
        finally:
            self._connection.execute("PRAGMA synchronous=NORMAL")


def feedback_of(network: str, stores: Sequence[FeedbackStore]) -> Feedback:
    """Return all feedback in several files; that on a site alert applies to device alerts in all of them."""
    sites = [site for store in stores for site in store.site_verdicts()]
    return merge_feedback(network, [store.feedback(network, sites) for store in stores])


def _repaired(statement: Statement, alert: Alert) -> int | None:
    repaired = _time(statement.repaired_at)
    if repaired is not None and statement.verdict != REPAIRED:
        raise UsageError(f"repaired_at requires the verdict 'repaired', not '{statement.verdict}'")
    if repaired is not None and repaired <= nanoseconds(alert.opened):
        raise UsageError(f"alert {alert.id} opened at {alert.opened}: the repair must be later")
    return repaired


def _whole_seconds(now: int) -> int:
    """Truncate to whole seconds."""
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


def _opening(alert: Alert, statement: Statement) -> str:
    """Return the opening that the feedback applies to: of a renewed alert, the last one before the repair."""
    if statement.verdict == DISMISSED:
        return alert.opened
    repaired = _time(statement.repaired_at)
    before = [one for one in alert.renewed if repaired is None or nanoseconds(one) < repaired]
    return before[-1] if before else alert.opened


def _verdict(alert: Alert, statement: Statement) -> Verdict:
    return Verdict(
        alert=alert.id,
        device=str(alert.device),
        opened=_opening(alert, statement),
        calm_since=alert.calm_since,
        ended=alert.ended,
        verdict=statement.verdict,
        by=statement.by,
        note=statement.note,
        repaired_at=statement.repaired_at,
        given=statement.given,
    )
