"""Install the embedded run database in MLRun if no service is configured.

MLRun connects to what the environment names when it is imported, so that whatever imports it is imported here by
the functions that set up the environment.
"""

import contextlib
import gc
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from netops.config.paths import home

LOG_LEVEL = "MLRUN_LOG_LEVEL"
NO_SERVICE = "./"  # MLRun's own value for "no address"; child processes inherit it

_lock = threading.Lock()


def names_service() -> bool:
    """Return whether ``MLRUN_DBPATH`` names an MLRun service."""
    return "://" in os.environ.get("MLRUN_DBPATH", "")


def install(reach: bool = True) -> bool:
    """Make MLRun keep runs, functions, artifacts and logs in ``netops.db`` under the home folder.

    Imports MLRun (seconds). Can be called again, from any thread; a changed home folder takes effect then.

    Parameters
    ----------
    reach : bool
        Whether the service must respond; if not, it is only queried when needed.

    Returns
    -------
    bool
        True if the embedded database is in use, False if ``MLRUN_DBPATH`` names a service.

    Raises
    ------
    NetopsError
        If the database cannot be opened.
    """
    if names_service():
        with _quick_imports():
            _set_up_client(reach)
        return False
    path = home() / "netops.db"
    with _lock:
        if _uses(path):
            return True
        with _quick_imports():
            _set_up_mlrun(path.parent / "artifacts")
            _inject(path)
    return True


def _uses(path: Path) -> bool:
    """Ask MLRun, which has one run database for the whole process, whether it is this one."""
    if "mlrun" not in sys.modules:
        return False
    from mlrun.db.factory import RunDBFactory

    # Late: imports MLRun, which connects to what the environment names by then.
    from netops.tracking.database.embedded import EmbeddedRunDB

    database = RunDBFactory()._run_db
    return isinstance(database, EmbeddedRunDB) and database.path == path


@contextlib.contextmanager
def _quick_imports() -> Iterator[None]:
    """Save what the first import of MLRun need not take: nearly a fifth of its time.

    Half a million objects come to stay, which the garbage collector would go through again and again; and a package
    that MLRun asks for compares frames of polars, where that happens to be installed.
    """
    if "mlrun" in sys.modules:
        yield
        return
    collected, unused = gc.isenabled(), "polars" not in sys.modules
    gc.disable()
    if unused:
        sys.modules["polars"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if unused:
            del sys.modules["polars"]
        gc.freeze()
        if collected:
            gc.enable()


def _set_up_mlrun(artifacts: Path) -> None:
    """Configure MLRun to run without a service, set its folders, and separate the output of runs in threads."""
    os.environ.pop("MLRUN_DBPATH", None)  # MLRun connects at import and warns
    import mlrun

    # Late: imports MLRun, which connects to what the environment names by then.
    from netops.tracking import output, workflows

    os.environ["MLRUN_DBPATH"] = mlrun.mlconf.dbpath = NO_SERVICE
    if not os.environ.get("MLRUN_ARTIFACT_PATH"):
        # per run, because runs of the same name would overwrite each other's files
        mlrun.mlconf.artifact_path = f"{artifacts}/{{{{run.project}}}}/{{{{run.uid}}}}"
    _record_workflows()
    mlrun.projects.pipelines._RemoteRunner = workflows.RefusedRemoteRunner
    output.separate_runs()


def _set_up_client(reach: bool) -> None:
    """Let MLRun connect to its service, and report its messages on stderr.

    Its warning about versions is suppressed, because it would precede every output: ``netops doctor`` reports it.
    """
    address = os.environ["MLRUN_DBPATH"]
    if not reach:
        del os.environ["MLRUN_DBPATH"]  # at import MLRun connects
    try:
        with contextlib.redirect_stdout(sys.stderr), _without_version_warning():
            import mlrun

            # Late: imports MLRun, which connects to what the environment names by then.
            from netops.tracking import output
    finally:
        os.environ["MLRUN_DBPATH"] = address
    if not reach:
        mlrun.mlconf.dbpath = address
    _record_workflows()
    output.separate_runs()


@contextlib.contextmanager
def _without_version_warning() -> Iterator[None]:
    """Set MLRun's log level to errors during its first import."""
    if "mlrun" in sys.modules or LOG_LEVEL in os.environ:
        yield
        return
    os.environ[LOG_LEVEL] = "ERROR"
    try:
        yield
    finally:
        del os.environ[LOG_LEVEL]
    import mlrun

    mlrun.mlconf.log_level = "INFO"
    mlrun.utils.logger.set_logger_level("INFO")


def _record_workflows() -> None:
    """Let the local engine leave a record of each workflow; the service, too, knows of Kubeflow's alone."""
    import mlrun

    # Late: imports MLRun, which connects to what the environment names by then.
    from netops.tracking import workflows

    mlrun.projects.pipelines._LocalRunner = workflows.RecordedLocalRunner


def _inject(path: Path) -> None:
    from dependency_injector import providers
    from mlrun.db.factory import RunDBFactory

    # Late: imports MLRun, which connects to what the environment names by then.
    from netops.tracking.database.embedded import EmbeddedRunDB, open_database

    factory = RunDBFactory()
    if isinstance(factory._run_db, EmbeddedRunDB):
        factory._run_db.move_to(path)  # functions, contexts and data stores hold on to the object
        return
    database = open_database(path)
    factory._rundb_container.nop.override(providers.Object(database))
    factory._run_db, factory._last_db_url = database, NO_SERVICE  # known: no warning needed
