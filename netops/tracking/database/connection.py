"""Short transactions on one SQLite file, from many threads and processes at once."""

import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from netops.errors import NetopsError
from netops.tracking.database import migrations

BUSY_SECONDS = 60

_open: "weakref.WeakSet[Connection]" = weakref.WeakSet()


class Connection:
    """One database file.

    Reading transactions see one state of the file; writing ones take the write lock at once (``BEGIN
    IMMEDIATE``), so that none fails half-way because another process wrote in between.

    Parameters
    ----------
    path : Path
        The file; created if missing, migrated to the current schema if older.

    Raises
    ------
    NetopsError
        If the file is no database, is of a newer version, cannot be opened, or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._write_lock = threading.Lock()  # threads of one process queue up here instead of polling the file
        self._joined = threading.local()
        self._engine = _make_engine(path)
        with self._explained(), self._engine.connect() as connection:
            migrations.migrate(connection, path)
        _open.add(self)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a transaction that only reads, or join the one of this thread (:meth:`transaction`)."""
        if (joined := getattr(self._joined, "connection", None)) is not None:
            yield joined
            return
        with self._explained(), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                _end(connection, "ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Open a write transaction: it is committed as a whole, or rolled back on an exception."""
        if (joined := getattr(self._joined, "connection", None)) is not None:
            yield joined
            return
        with self._explained(), self._write_lock, self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            finally:
                _end(connection, "ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all that this thread reads and writes in the block one transaction."""
        with self.write() as connection:
            outermost = getattr(self._joined, "connection", None) is None
            self._joined.connection = connection
            try:
                yield
            finally:
                if outermost:
                    self._joined.connection = None

    def close(self) -> None:
        """Close the file (it opens again with the next transaction)."""
        self._engine.dispose()

    def _after_fork(self) -> None:
        """Leave the connections to the parent: SQLite's must not cross a fork."""
        self._write_lock = threading.Lock()
        self._joined = threading.local()
        self._engine.dispose(close=False)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DatabaseError as error:
            raise NetopsError(_explain(error, self.path)) from error


def _end(connection: sa.Connection, statement: str) -> None:
    """End a transaction that is still open (SQLite ends it by itself on some errors)."""
    if connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
        connection.exec_driver_sql(statement)


def _make_engine(path: Path) -> sa.Engine:
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        pool_size=4,
        max_overflow=-1,  # a thread never waits for another one's connection
        skip_autocommit_rollback=True,
        isolation_level="AUTOCOMMIT",  # the transactions are the two methods above, not the driver's
    )
    sa.event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    _use_wal(connection)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch a new file to write-ahead logging.

    If two processes do so concurrently, one of them immediately gets "locked", regardless of its timeout, since
    waiting with a read lock could be a deadlock; it retries.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(0.001, 0.02))  # noqa: S311 no secret


def _explain(error: sa.exc.DatabaseError, path: Path) -> str:
    """Return an explanation of the driver's error in one line."""
    cause = error.orig
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    known = {
        sqlite3.SQLITE_FULL: f"no space left for the run database {path}: free some, then run again",
        sqlite3.SQLITE_IOERR: f"the run database {path} cannot be read or written ({cause}): is the disk full?",
        sqlite3.SQLITE_NOTADB: f"{path} is no run database: move it away, then run again",
        sqlite3.SQLITE_CORRUPT: f"the run database {path} is damaged ({cause}): restore it, or move it away",
        sqlite3.SQLITE_CANTOPEN: f"the run database {path} cannot be opened: check the folder and its rights, "
        "or set NETOPS_HOME",
        sqlite3.SQLITE_READONLY: f"the run database {path} cannot be written: check its rights and its folder's",
        sqlite3.SQLITE_BUSY: f"the run database {path} stayed locked for {BUSY_SECONDS} s by another process",
    }
    return known.get(code, f"run database {path}: {cause}")


def _after_fork_in_child() -> None:
    for connection in list(_open):
        connection._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
