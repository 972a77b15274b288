"""MLRun's run database interface over one SQLite file."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from mlrun.db.base import RunDBInterface

from netops.tracking.database.artifacts import Artifacts
from netops.tracking.database.connection import Connection
from netops.tracking.database.functions import Functions
from netops.tracking.database.logs import Logs
from netops.tracking.database.pages import Pages
from netops.tracking.database.pipelines import Pipelines
from netops.tracking.database.projects import Projects
from netops.tracking.database.runs import Runs
from netops.tracking.database.schedules import Schedules
from netops.tracking.service_only import ServiceOnlyError, refuse_the_rest


@refuse_the_rest
class EmbeddedRunDB(Projects, Functions, Runs, Artifacts, Logs, Pipelines, Schedules, Pages, RunDBInterface):
    """MLRun's run database in a file, for any number of threads and processes.

    Parameters
    ----------
    path : Path
        The SQLite file; created if missing.
    """

    kind = "http"  # the client queries this before it reads pipelines, which are readable here too

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._connection = Connection(path)

    def connect(self, secrets: object = None) -> Self:
        """Do nothing: the file is open already."""
        return self

    def move_to(self, path: Path) -> None:
        """Work on another file from now on.

        Parameters
        ----------
        path : Path
            As for the class.
        """
        connection = Connection(path)
        self._connection.close()
        self.path, self._connection = path, connection
        self.abort_abandoned_runs()

    def transaction(self) -> AbstractContextManager[None]:
        """Make all that this thread reads and writes in a block one transaction; an exception undoes it."""
        return self._connection.transaction()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def verify_authorization(self, authorization_verification_input: object) -> None:
        """Allow everything: who can write the file may do all."""

    def push_pipeline_notifications(
        self, pipeline_id: str, project: str = "", notifications: object = None, timeout: int = 45
    ) -> None:
        """Refuse to send; with nothing to send, as after each workflow, do nothing."""
        if notifications:
            raise ServiceOnlyError.of("push_pipeline_notifications")

    def refresh_smtp_configuration(self) -> None:
        """Do nothing: notifications are not sent from here."""


def open_database(path: Path) -> EmbeddedRunDB:
    """Open a run database, and mark runs as aborted whose process has ended without finishing them.

    Parameters
    ----------
    path : Path
        The SQLite file; created if missing, migrated if older.

    Returns
    -------
    EmbeddedRunDB
        Safe for many threads; each process opens its own.

    Raises
    ------
    NetopsError
        If the file is no database, damaged, newer than this version, not accessible, or the disk is full.
    """
    database = EmbeddedRunDB(path)
    database.abort_abandoned_runs()
    return database
