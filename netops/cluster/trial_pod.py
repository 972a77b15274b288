"""A pod on the cluster that shows whether stages can run: image, library, artifact path, the way to MLRun."""

import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from netops.cluster.compile import artifact_path
from netops.cluster.equipment import equip_function
from netops.cluster.failures import cause_of, is_stuck
from netops.cluster.settings import ClusterSettings
from netops.errors import NetopsError
from netops.tracking import service
from netops.tracking.mlrun_types import Project
from netops.tracking.records import RunRecord
from netops.workflows.project import load_project
from netops.workflows.project_folder import PROJECT
from netops.workflows.records.states import GOING

NAME = "doctor"
#: Timeout of the pod in seconds, mostly for its image, and the polling interval.
PATIENCE, PERIOD = 600.0, 3.0


def run_test_pod(settings: ClusterSettings, wait: Callable[[float], None] = time.sleep) -> str:
    """Run a pod as the stages run, wait for its end and remove it.

    Parameters
    ----------
    settings : ClusterSettings
        Its image, resources, secrets and artifact path.
    wait : callable
        Sleeps for the given number of seconds.

    Returns
    -------
    str
        The result.

    Raises
    ------
    NetopsError
        If it does not start, fails, takes longer than ten minutes, or has another MLRun.
    """
    import mlrun

    project = load_project()
    database = mlrun.get_run_db()
    uid = _start(project, settings)
    try:
        step = _until_it_ends(uid, wait)
        if step["status"]["state"] != "completed":
            raise NetopsError(f"the test pod failed: {cause_of(step)}")
    finally:
        if database.read_run(uid, PROJECT)["status"]["state"] in GOING:
            database.abort_run(uid, PROJECT)
        database.del_run(uid, PROJECT)
    results = step["status"].get("results") or {}
    service.check_image(settings.image, str(results.get("mlrun") or ""))
    return (
        f"{settings.image} runs as a pod: netops {results.get('version')}, MLRun {results.get('mlrun')}, "
        "artifact path written to, and read"
    )


def _start(project: Project, settings: ClusterSettings) -> str:
    import mlrun

    code = Path(__file__).with_name("probe.py")
    with redirect_stdout(sys.stderr):
        function = mlrun.code_to_function(
            NAME, project=project.name, filename=str(code), kind="job", image=settings.image, handler="probe"
        )
        equip_function(function, settings.stage(NAME), settings)
        path = artifact_path(settings).replace("{{workflow.uid}}", NAME)
        run = function.run(name=NAME, local=False, watch=False, output_path=path or None)
    return str(run.metadata.uid)


def _until_it_ends(uid: str, wait: Callable[[float], None]) -> RunRecord:
    """Poll the pod until it has ended or cannot start."""
    import mlrun

    waited = 0.0
    while True:
        step: RunRecord = mlrun.get_run_db().read_run(uid, PROJECT)
        if step["status"]["state"] not in GOING:
            return step
        if is_stuck(step) or waited >= PATIENCE:
            raise NetopsError(f"the test pod does not start: {cause_of(step)}")
        wait(PERIOD)
        waited += PERIOD
