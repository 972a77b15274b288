"""What every stage does before its own work."""

import functools
from typing import ParamSpec, Protocol

import mlrun
import mlrun.errors

from netops.errors import NetopsError
from netops.progress import say
from netops.tracking.install import names_service
from netops.tracking.mlrun_types import RunDatabase, StageContext
from netops.workflows.project_folder import PROJECT
from netops.workflows.records.states import GOING

P = ParamSpec("P")


class Handler(Protocol[P]):
    """The function of a stage; MLRun gives it the run as its first argument."""

    def __call__(self, context: StageContext, *args: P.args, **kwargs: P.kwargs) -> None:
        """Do the work of the stage, and log what it makes."""


def stage(handler: Handler[P]) -> Handler[P]:
    """Declare the handler of a stage.

    Before it runs, its output gets a separate path, an earlier attempt that is still running is ended,
    and the address of its page is logged.
    """

    @functools.wraps(handler)
    def run(context: StageContext, *arguments: P.args, **named: P.kwargs) -> None:
        assign_output_path(context)
        if names_service():
            end_earlier_attempts(context)
            _log_page(context)
        handler(context, *arguments, **named)

    return run


def assign_output_path(context: StageContext) -> None:
    """Set the output path of a stage below the id of its workflow, unless the artifact path contains it."""
    workflow, path = _workflow_of(context), str(context.artifact_path or "")
    if workflow and path and workflow not in path:
        context.artifact_path = f"{path.rstrip('/')}/{workflow}"


def end_earlier_attempts(context: StageContext) -> None:
    """End earlier attempts of a step that still run.

    Kubeflow starts a step again when its own pod is lost, while the stage that the pod had started continues.

    Raises
    ------
    NetopsError
        If one cannot be ended: both would write to the same path.
    """
    if not (workflow := _workflow_of(context)):
        return
    database = mlrun.get_run_db()
    runs = database.list_runs(
        name=context.name, project=PROJECT, labels=[f"workflow={workflow}"], states=list(GOING)
    )
    jobs = [run for run in runs if (run["metadata"].get("labels") or {}).get("kind") != "local"]
    own = next((run for run in jobs if run["metadata"]["uid"] == context.uid), None)
    for run in jobs:
        if own and str(run["status"].get("start_time")) < str(own["status"].get("start_time")):
            uid = run["metadata"]["uid"]
            say(f"{context.name}: an earlier attempt ({uid[:12]}) is still running and is ended")
            _abort(database, uid)


def _abort(database: RunDatabase, uid: str) -> None:
    try:
        database.abort_run(uid, PROJECT, status_text="replaced by a later attempt")
    except mlrun.errors.MLRunConflictError:
        return  # it has ended in between
    except mlrun.errors.MLRunBaseError as error:
        raise NetopsError(f"an earlier attempt ({uid[:12]}) cannot be ended: {error}") from error


def _log_page(context: StageContext) -> None:
    """Log the location of plots and report: Kubeflow's page of a step only shows the results."""
    if page := mlrun.utils.helpers.get_run_url(PROJECT, uid=context.uid, name=context.name):
        context.log_result("page", page)


def _workflow_of(context: StageContext) -> str:
    return str((context.labels or {}).get("workflow") or "")
