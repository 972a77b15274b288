"""Schedules of the run database: plain rows; MLRun's client lists and deletes them, our scheduler runs them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import mlrun.common.schemas
import mlrun.errors
import sqlalchemy as sa

from netops.config.durations import SECOND
from netops.tracking.database import cron, documents, queries, tables
from netops.tracking.database.connection import Connection
from netops.tracking.database.documents import Document
from netops.tracking.records import ScheduledWork

_TABLE = tables.schedules


@dataclass(frozen=True)
class Schedule:
    """The state of one schedule.

    Attributes
    ----------
    name, cron : str
        Its name, and when it is due.
    document : dict
        The request for the run.
    created, due : int
        Nanoseconds since the epoch; ``due`` is the next time that has not started, None if there is none.
    run : str or None
        The run of the time that has started and not finished.
    attempt : int
        How often that run has been tried.
    again : int or None
        When it is tried next.
    last_run, last_state : str or None
        The last finished run and its state.
    """

    name: str
    cron: str
    document: ScheduledWork
    created: int
    due: int | None
    run: str | None
    attempt: int
    again: int | None
    last_run: str | None
    last_state: str | None

    @property
    def waits_until(self) -> int | None:
        """When there is something to do for it."""
        return self.again if self.run else self.due


class Schedules:
    """The part of MLRun's run database interface that is about schedules, and what a scheduler needs of it."""

    _connection: Connection

    def add_schedule(self, project: str, name: str, expression: str, document: ScheduledWork, now: int) -> Schedule:
        """Add a schedule.

        Parameters
        ----------
        expression : str
            As ``cron.normal`` gives it.
        now : int
            Nanoseconds since the epoch; it is due for the first time after that.

        Raises
        ------
        MLRunConflictError
            If there is one of that name.
        """
        with self._connection.write() as connection:
            if _find(connection, project, name) is not None:
                raise mlrun.errors.MLRunConflictError(f"schedule {name} exists already")
            values = {"cron": expression, "document": documents.encode(document), "created": now}
            due = cron.next_after(expression, now)
            queries.insert(
                connection, _TABLE, {"project": project, "name": name, "due": due, "attempt": 0} | values
            )
            return _schedule(_find_or_raise(connection, project, name))

    def schedules(self, project: str) -> list[Schedule]:
        """List schedules as they stand, by name."""
        query = sa.select(_TABLE).where(_TABLE.c.project == project).order_by(_TABLE.c.name)
        with self._connection.read() as connection:
            return [_schedule(row) for row in connection.execute(query)]

    def begin_schedule(self, project: str, seen: Schedule, run: str | None, now: int) -> bool:
        """Start the due time of a schedule, including all missed ones: the next one is after now.

        Parameters
        ----------
        seen : Schedule
            Its state when the decision to start was made.
        run : str or None
            The started run; None skips the time.

        Returns
        -------
        bool
            False if it does not stand like that any more.
        """
        due = cron.next_after(seen.cron, now)
        values: Document = {"due": due, "run": run, "attempt": 0, "again": now}
        if run is None:
            values = {"due": due, "last_state": "skipped"}
        return self._change(project, seen, values)

    def correct_schedule(self, project: str, seen: Schedule, now: int) -> bool:
        """Correct the times of a schedule that were set while the clock was ahead: it would wait for years.

        Returns
        -------
        bool
            Whether they were wrong.
        """
        if seen.run:
            longest = int(seen.document.get("backoff", 0)) * 2**seen.attempt
            wrong = seen.again is not None and seen.again > now + longest
            return wrong and self._change(project, seen, {"again": now})
        due = cron.next_after(seen.cron, now)
        wrong = due is not None and (seen.due is None or seen.due > due)
        return wrong and self._change(project, seen, {"due": due})

    def try_schedule(self, project: str, seen: Schedule, attempt: int, at: int) -> bool:
        """Return the latest attempt of the started run, and when the next one is due.

        An attempt is counted before it is made, so that one which ends its process counts too.
        """
        return self._change(project, seen, {"attempt": attempt, "again": at})

    def finish_schedule(self, project: str, seen: Schedule, state: str) -> bool:
        """Finish the run that has been started."""
        values = {"run": None, "again": None, "attempt": 0, "last_run": seen.run, "last_state": state}
        return self._change(project, seen, values)

    def _change(self, project: str, seen: Schedule, values: Document) -> bool:
        """Change a schedule if it is unchanged since it was read."""
        same = (
            _TABLE.c.project == project,
            _TABLE.c.name == seen.name,
            _TABLE.c.created == seen.created,
            _TABLE.c.run.is_not_distinct_from(seen.run),
            _TABLE.c.due.is_not_distinct_from(seen.due),
        )
        with self._connection.write() as connection:
            changed: int = connection.execute(sa.update(_TABLE).where(*same).values(values)).rowcount
        return changed == 1

    def get_schedule(
        self, project: str, name: str, include_last_run: bool = False
    ) -> mlrun.common.schemas.ScheduleOutput:
        """Return one schedule."""
        with self._connection.read() as connection:
            row = _find_or_raise(connection, queries.active(project), name)
        return _output(_schedule(row), row.project)

    def list_schedules(
        self,
        project: str,
        name: str | None = None,
        kind: str | None = None,
        include_last_run: bool = False,
        next_run_time_since: datetime | None = None,
        next_run_time_until: datetime | None = None,
    ) -> mlrun.common.schemas.SchedulesOutput:
        """List schedules by name, and by when they are due."""
        project = queries.active(project)
        since, until = documents.nanoseconds(next_run_time_since), documents.nanoseconds(next_run_time_until)
        found = [
            schedule
            for schedule in self.schedules(project)
            if name in (None, schedule.name)
            and str(kind or "job") == "job"
            and (since is None or (schedule.due or 0) >= since)
            and (until is None or (schedule.due or until) <= until)
        ]
        return mlrun.common.schemas.SchedulesOutput(schedules=[_output(s, project) for s in found])

    def delete_schedule(self, project: str, name: str) -> None:
        """Delete a schedule; one that is not there is deleted already."""
        with self._connection.write() as connection:
            same = (_TABLE.c.project == queries.active(project), _TABLE.c.name == name)
            connection.execute(sa.delete(_TABLE).where(*same))


def _find(connection: sa.Connection, project: str, name: str) -> tables.Row | None:
    return connection.execute(
        sa.select(_TABLE).where(_TABLE.c.project == project, _TABLE.c.name == name)
    ).one_or_none()


def _find_or_raise(connection: sa.Connection, project: str, name: str) -> tables.Row:
    row = _find(connection, project, name)
    if row is None:
        raise mlrun.errors.MLRunNotFoundError(f"schedule {name} not found")
    return row


def _schedule(row: tables.Row) -> Schedule:
    values = {key: row._mapping[key] for key in Schedule.__dataclass_fields__ if key != "document"}
    return Schedule(document=cast(ScheduledWork, documents.decode(row.document)), **values)


def _output(schedule: Schedule, project: str) -> mlrun.common.schemas.ScheduleOutput:
    return mlrun.common.schemas.ScheduleOutput(
        name=schedule.name,
        kind="job",
        scheduled_object=schedule.document,
        cron_trigger=schedule.cron,
        concurrency_limit=1,
        creation_time=_moment(schedule.created),
        project=project,
        last_run_uri=schedule.last_run and f"{project}@{schedule.last_run}#0",
        state=schedule.last_state,
        next_run_time=_moment(schedule.due),
        labels={},
    )


def _moment(nanoseconds: int | None) -> datetime | None:
    return None if nanoseconds is None else datetime.fromtimestamp(nanoseconds / SECOND, UTC)
