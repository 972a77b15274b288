"""Migrate a database file from any earlier schema to the current one."""

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from netops.errors import NetopsError
from netops.tracking.database import tables


def migrate(connection: sa.Connection, path: Path) -> None:
    """Make the tables of a new file, or change an older one's, in one transaction.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        A connection with no open transaction.
    path : Path
        The file, for the message.

    Raises
    ------
    NetopsError
        If the file was written by a newer version.
    """
    if _version(connection) == tables.SCHEMA_VERSION:
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have been faster
        if version > tables.SCHEMA_VERSION:
            raise NetopsError(
                f"the run database {path} has schema {version}, NetOps supports up to {tables.SCHEMA_VERSION}: "
                "upgrade netops, or set NETOPS_HOME to another folder"
            )
        for step in STEPS[version:]:
            step(connection)
        connection.exec_driver_sql(f"PRAGMA user_version={tables.SCHEMA_VERSION}")
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise


def _version(connection: sa.Connection) -> int:
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def _make_tables(connection: sa.Connection) -> None:
    """0 → 1: create missing tables (a new file gets the current schema)."""
    tables.metadata.create_all(connection)


def _add_process_and_end(connection: sa.Connection) -> None:
    """1 → 2: runs know their process and their end, artifacts their parent."""
    for table, column in ((tables.runs, "process"), (tables.runs, "ended"), (tables.artifacts, "parent_uri")):
        known = {name for _, name, *_ in connection.exec_driver_sql(f"PRAGMA table_info({table.name})")}
        if column not in known:
            kind = table.c[column].type.compile(connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {column} {kind}")
    connection.exec_driver_sql(
        "UPDATE runs SET ended = updated "
        "WHERE ended IS NULL AND state IN ('completed', 'error', 'aborted', 'skipped')"
    )
    connection.exec_driver_sql(
        "UPDATE artifacts SET parent_uri = json_extract(document, '$.spec.parent_uri') WHERE parent_uri IS NULL"
    )


def _add_schedules(connection: sa.Connection) -> None:
    """2 → 3: schedules."""
    tables.schedules.create(connection, checkfirst=True)


STEPS: list[Callable[[sa.Connection], None]] = [_make_tables, _add_process_and_end, _add_schedules]
