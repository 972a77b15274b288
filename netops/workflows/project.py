"""The MLRun project: loaded from project.yaml by its path, as any MLRun client does."""

import os
import sys

from netops.config.paths import PROJECT, home
from netops.errors import NetopsError
from netops.tracking.install import install, names_service
from netops.tracking.mlrun_types import Project
from netops.tracking.service import look
from netops.workflows.project_folder import project_root


def connect(patient: bool = False) -> None:
    """Connect to the run database: the MLRun service in ``MLRUN_DBPATH``, else the embedded database.

    Runs whose process has died are marked so.

    Parameters
    ----------
    patient : bool
        Whether a service that does not answer may do so later.

    Raises
    ------
    NetopsError
        If the service does not answer.
    """
    if not _answers(patient):
        install(reach=False)
    elif install():
        import mlrun

        mlrun.get_run_db().abort_abandoned_runs()


def _answers(patient: bool) -> bool:
    """Query the service once; MLRun's client retries for most of a minute, and then fails while it is imported."""
    if not names_service() or "mlrun" in sys.modules:
        return True
    try:
        look(os.environ["MLRUN_DBPATH"])
    except NetopsError:
        if not patient:
            raise
        return False
    return True


def load_project() -> Project:
    """Load the project, tracked by the MLRun service in ``MLRUN_DBPATH``, else by the embedded database.

    Returns
    -------
    mlrun.projects.MlrunProject
    """
    connect()
    import mlrun

    root = str(project_root())
    if root not in sys.path:
        sys.path.insert(0, root)  # the stages and pipelines are found by their path, not installed
    # save=True would write the project back over project.yaml
    project = mlrun.load_project(root, clone=False, save=False)
    project.save_to_db()
    if not names_service():
        project.spec.artifact_path = project.spec.artifact_path or str(home() / "artifacts")
    return project


def the_project() -> Project:
    """Return the project of this process, or from the database if not loaded, as in the pod of a stage."""
    import mlrun

    return mlrun.get_current_project(silent=True) or mlrun.get_run_db().get_project(PROJECT)
