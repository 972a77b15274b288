"""Logs of runs, in chunks as they were written."""

import time
from collections.abc import Callable

import mlrun
import mlrun.errors
import sqlalchemy as sa
from mlrun.common.runtimes.constants import RunStates

from netops.tracking.database import queries, tables
from netops.tracking.database.connection import Connection

_TABLE = tables.logs
_CHUNK = 1 << 20
_POLL_SECONDS = 0.2


class Logs:
    """The part of MLRun's run database interface that is about logs."""

    _connection: Connection
    _state_of: Callable[[str, str], str | None]

    def store_log(self, uid: str, project: str = "", body: bytes | str | None = None, append: bool = False) -> None:
        """Add to the log of a run, or write it again."""
        if not body:
            return
        chunk = body.encode() if isinstance(body, str) else bytes(body)
        project = queries.active(project)
        with self._connection.write() as connection:
            if not append:
                connection.execute(sa.delete(_TABLE).where(*_of(uid, project)))
            start = _size(connection, uid, project)
            connection.execute(sa.insert(_TABLE).values(project=project, uid=uid, start=start, body=chunk))

    def get_log(
        self, uid: str, project: str = "", offset: int = 0, size: int | None = None, attempt: int | None = None
    ) -> tuple[str, bytes | int]:
        """Return the state of a run and up to ``size`` bytes of its log from ``offset`` on.

        With ``size=-1`` the whole rest is printed, and the final offset is returned instead of the bytes.
        """
        if offset < 0:
            raise mlrun.errors.MLRunInvalidArgumentError("the offset of a log cannot be negative")
        if size == -1:
            return self.watch_log(uid, project, watch=False, offset=offset)
        return self._read(uid, project, offset, size)

    def _read(self, uid: str, project: str, offset: int, size: int | None) -> tuple[str, bytes]:
        project = queries.active(project)
        state = self._state_of(uid, project)
        body = self._slice(uid, project, offset, size or int(mlrun.mlconf.httpdb.logs.pull_logs_default_size_limit))
        if state is None and not body and not self.get_log_size(uid, project):
            raise mlrun.errors.MLRunNotFoundError(f"run {uid} of project {project} not found")
        return state or RunStates.unknown, body

    def get_log_size(self, uid: str, project: str = "") -> int:
        """Return the size of a log in bytes."""
        with self._connection.read() as connection:
            return _size(connection, uid, queries.active(project))

    def watch_log(
        self, uid: str, project: str = "", watch: bool = True, offset: int = 0, attempt: int | None = None
    ) -> tuple[str, int]:
        """Print a log and follow it until the run ends; return the state and the final offset."""
        errors = mlrun.mlconf.httpdb.logs.decode.errors
        while True:
            state, body = self._read(uid, project, offset, _CHUNK)
            if body:
                print(body.decode(errors=errors), end="", flush=True)
                offset += len(body)
            elif not watch or state not in RunStates.non_terminal_states() or state == RunStates.unknown:
                return state, offset
            else:
                time.sleep(_POLL_SECONDS)

    def _slice(self, uid: str, project: str, offset: int, size: int) -> bytes:
        overlaps = (_TABLE.c.start < offset + size, _TABLE.c.start + sa.func.length(_TABLE.c.body) > offset)
        query = (
            sa.select(_TABLE.c.start, _TABLE.c.body).where(*_of(uid, project), *overlaps).order_by(_TABLE.c.start)
        )
        with self._connection.read() as connection:
            rows = connection.execute(query).all()
        if not rows:
            return b""
        skipped = offset - rows[0].start
        return b"".join(row.body for row in rows)[skipped : skipped + size]


def _of(uid: str, project: str) -> queries.Where:
    return [_TABLE.c.project == project, _TABLE.c.uid == uid]


def _size(connection: sa.Connection, uid: str, project: str) -> int:
    end = sa.func.max(_TABLE.c.start + sa.func.length(_TABLE.c.body))
    return int(connection.execute(sa.select(end).where(*_of(uid, project))).scalar() or 0)
