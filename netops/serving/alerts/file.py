"""The SQLite file of a network's alerts: schema, migrations, and handling of damaged files."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from netops.errors import NetopsError

#: Version of the schema, in ``PRAGMA user_version``. Files without a version have 0.
VERSION = 2

_TABLES = """
CREATE TABLE IF NOT EXISTS alerts (
    id TEXT PRIMARY KEY, about TEXT, opened INTEGER NOT NULL, ended INTEGER, body BLOB NOT NULL, verdict TEXT
);
CREATE INDEX IF NOT EXISTS alerts_by_time ON alerts (opened);
CREATE INDEX IF NOT EXISTS alerts_about ON alerts (about, opened);
CREATE INDEX IF NOT EXISTS alerts_open ON alerts (ended) WHERE ended IS NULL;
CREATE INDEX IF NOT EXISTS alerts_ended ON alerts (ended) WHERE ended IS NOT NULL;
CREATE TABLE IF NOT EXISTS outbox (
    number INTEGER PRIMARY KEY, alert TEXT NOT NULL, event TEXT NOT NULL, at INTEGER NOT NULL,
    receiver TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'due', tries INTEGER NOT NULL DEFAULT 0,
    due_at REAL NOT NULL DEFAULT 0, answer TEXT,
    UNIQUE (alert, receiver, event, at)
);
CREATE INDEX IF NOT EXISTS outbox_due ON outbox (receiver, number) WHERE state = 'due';
CREATE INDEX IF NOT EXISTS outbox_parked ON outbox (number) WHERE state = 'parked';
"""
# Since version 2: lapsed = 1 while an ended alert may still continue, so its end is not reported yet.
_LAPSED = """
ALTER TABLE alerts ADD COLUMN lapsed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX alerts_lapsed ON alerts (lapsed) WHERE lapsed = 1;
"""
_FROM_DELIVERIES = """
INSERT INTO outbox (alert, event, at, receiver, state)
SELECT d.alert, d.event, CASE d.event WHEN 'ended' THEN coalesce(a.ended, 0) ELSE a.opened END, d.receiver,
       CASE d.done WHEN 1 THEN 'done' ELSE 'due' END
FROM deliveries d JOIN alerts a ON a.id = d.alert ORDER BY a.opened, a.id, d.event = 'ended';
DROP TABLE deliveries;
"""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def open_file(path: Path, timeout: float) -> sqlite3.Connection:
    """Open the file, create it if missing, and migrate older versions.

    Parameters
    ----------
    path : Path
    timeout : float
        Seconds to wait for a lock.

    Raises
    ------
    sqlite3.Error
        If it is locked, damaged, or cannot be created.
    NetopsError
        If it was written by a newer version of NetOps.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # One connection per thread: deliveries and the server must not wait for each other's transactions.
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        if _version(connection) != VERSION:
            _upgrade(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def is_damaged(error: sqlite3.Error) -> bool:
    """Return whether the file is damaged, in contrast to a locked file or a full disk."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def set_aside(path: Path) -> Path:
    """Rename a damaged file and its companion files; return the new name."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
    os.replace(path, aside)
    return aside


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Run a block as one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # already rolled back, for example on a full disk
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    with transaction(connection):
        found = _version(connection)  # another process may have migrated it
        if found > VERSION:
            raise NetopsError(f"{path}: written by a newer NetOps (version {found} of the file); update this one")
        if found == VERSION:
            return
        _run(connection, _TABLES + _LAPSED)
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'deliveries'").fetchone():
            _run(connection, _FROM_DELIVERIES)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _run(connection: sqlite3.Connection, script: str) -> None:
    # executescript() would commit the open transaction.
    for statement in filter(str.strip, script.split(";")):
        connection.execute(statement)
