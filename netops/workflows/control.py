"""Stop and resume runs, locally or on the service."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from netops import registry
from netops.cluster.failures import was_canceled
from netops.cluster.kubeflow import find_run, pipeline_of
from netops.cluster.watch import ENDED, look, status_of
from netops.errors import NetopsError, UsageError
from netops.tracking import service
from netops.tracking.install import names_service
from netops.tracking.processes import Process
from netops.tracking.records import RunRecord
from netops.tracking.run_records import finish, process_of
from netops.workflows.project import connect
from netops.workflows.records.run_summary import RunSummary
from netops.workflows.records.runs import PROJECT, run_folder, steps_of
from netops.workflows.records.states import CANCELED, GOING
from netops.workflows.run import resume

#: Seconds that a process gets to end its run.
GRACE = 20.0
#: Seconds that Kubeflow and the stages of a run on the cluster get to end.
CLUSTER_GRACE = 90.0


def cancel(run_id: str, wait: Callable[[float], None] = time.sleep) -> str:
    """Stop a run: through Kubeflow and MLRun on a cluster, else through its process on this machine.

    Returns
    -------
    str
        The result, as text for people.

    Raises
    ------
    UsageError
        If there is no such run, or it has ended.
    NetopsError
        If it belongs to a process of another machine.
    """
    connect()

    record = find_run(run_id)
    uid, state = record["metadata"]["uid"], record["status"]["state"]
    if state not in GOING:
        raise UsageError(f"run {uid[:12]} is {state}; only one that is going can be canceled")
    if pipeline := pipeline_of(record):
        _forbid_promotion(record, pipeline)
        return _cancel_on_cluster(pipeline, wait)
    process = _process_of(record)
    if process is not None and not process.is_here():
        raise NetopsError(f"run {uid[:12]} belongs to a process of {process.host}; cancel it there")
    if not _abort(uid, CANCELED):  # the workflow before its steps: one that fails for its step has failed
        raise UsageError(f"run {uid[:12]} has ended meanwhile")
    _forbid_promotion(record, uid)
    is_signaled = process is not None and process.pid != os.getpid() and _terminate(process)
    for step in steps_of(uid):
        if step["status"]["state"] in GOING:
            _abort(step["metadata"]["uid"], CANCELED)
    return _until_it_ends(uid, process, wait) if process and is_signaled else f"run {uid[:12]} is canceled"


def _terminate(process: Process) -> bool:
    """Send a process the signal to stop; False if it has ended."""
    if process.has_ended():
        return False
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGTERM)  # SIGINT is ignored by what a script has started with &
    return True


def _forbid_promotion(record: RunRecord, run: str) -> None:
    """Prevent a run from putting a model in service, even before its process has ended."""
    if network := (record["spec"].get("parameters") or {}).get("name"):
        registry.cancel_run(network, run)


def _process_of(record: RunRecord) -> Process | None:
    """Return which process runs a workflow: from the embedded database, or from the record of a service."""
    import mlrun

    if names_service():
        return process_of(record)
    return mlrun.get_run_db().process_of(record["metadata"]["uid"], PROJECT)


def _abort(uid: str, reason: str) -> bool:
    """Mark a run as aborted, unless it has ended meanwhile; a service only aborts its own runs."""
    import mlrun

    if names_service():
        return finish(uid, PROJECT, "aborted", status_text=reason)
    try:
        mlrun.get_run_db().abort_run(uid, PROJECT, status_text=reason)
    except mlrun.errors.MLRunConflictError:
        return False
    return True


def _until_it_ends(uid: str, process: Process, wait: Callable[[float], None]) -> str:
    """Wait for the process; a scheduler stays, and continues with its next run."""
    waited = 0.0
    while waited < GRACE and not process.has_ended():
        wait(0.25)
        waited += 0.25
    if process.has_ended():
        return f"run {uid[:12]} is canceled, its process has ended"
    return f"run {uid[:12]} is canceled; process {process.pid} stops it as soon as its step lets it"


def retry(run_id: str) -> RunSummary | str:
    """Resume a run that failed or was stopped, without its finished stages.

    Returns
    -------
    dict or str
        The summary of the run, or the run that the service has started.

    Raises
    ------
    UsageError
        If there is no such run, or it has not failed.
    NetopsError
        If its outputs are on another machine, or it fails again.
    """
    connect()

    record = find_run(run_id)
    uid = record["metadata"]["uid"]
    if pipeline := pipeline_of(record):
        _refuse_to_retry(record)
        if network := (record["spec"].get("parameters") or {}).get("name"):
            registry.resume_run(network, pipeline)
        return _retry_on_cluster(pipeline)
    if names_service():
        _take_over(record)

    return resume(uid)


def _take_over(record: RunRecord) -> None:
    """Check that a run of the local engine that is recorded by a service can be resumed in this process."""
    uid, process = record["metadata"]["uid"], _process_of(record)
    if process is None:
        return
    if not process.is_here() and not run_folder(uid).is_dir():
        raise NetopsError(f"run {uid[:12]} ran on {process.host}, and its outputs are there; retry it there")
    if record["status"]["state"] in GOING and process.has_ended():
        _abort(uid, f"its process ({process.pid}) ended before the run did")


def _cancel_on_cluster(pipeline: str, wait: Callable[[float], None]) -> str:
    """Stop a run of the cluster: first Kubeflow, so that it starts no more stages, then the stages themselves.

    Kubeflow ends only its own pods, which start the stages and wait for them.
    """
    if status_of(look(pipeline)) not in ENDED:
        _on_service("terminate_pipeline", pipeline)
    waited = 0.0
    while True:
        going = _end_stages(pipeline, CANCELED)
        ended = status_of(look(pipeline)) in ENDED
        if ended and not going:
            break
        if waited >= CLUSTER_GRACE:
            return f"run {pipeline} is being canceled; {going} of its stages have not ended yet"
        wait(2.0)
        waited += 2.0
    _mark_canceled(pipeline)
    return f"run {pipeline} is canceled, its pods have ended"


def _end_stages(pipeline: str, reason: str) -> int:
    """Abort the stages of a run that are going; MLRun removes their pods. Gives how many there were."""
    import mlrun
    import mlrun.errors

    going = [step for step in steps_of(pipeline) if step["status"]["state"] in (*GOING, "aborting")]
    for step in going:
        if step["status"]["state"] == "aborting":
            continue
        try:
            mlrun.get_run_db().abort_run(step["metadata"]["uid"], PROJECT, status_text=reason)
        except mlrun.errors.MLRunConflictError:
            continue  # it has ended in between
        except (mlrun.errors.MLRunBaseError, OSError) as error:
            raise service.explain(error) from error
    return len(going)


def _mark_canceled(pipeline: str) -> None:
    """Annotate the last step if no stage was running: Kubeflow itself only reports "failed"."""
    import mlrun

    steps = steps_of(pipeline)
    if steps and not was_canceled(steps):
        uid = steps[-1]["metadata"]["uid"]
        mlrun.get_run_db().update_run({"status.status_text": CANCELED}, uid, PROJECT)


def _unmark_canceled(pipeline: str) -> None:
    """Remove the annotation: the outcome of the run decides whether it was canceled."""
    import mlrun

    for step in steps_of(pipeline):
        if step["status"].get("status_text") == CANCELED:
            changes = {"status.status_text": f"{CANCELED}, then retried"}
            mlrun.get_run_db().update_run(changes, step["metadata"]["uid"], PROJECT)


def _refuse_to_retry(record: RunRecord) -> None:
    state = record["status"]["state"]
    if state not in ("error", "aborted"):
        raise UsageError(
            f"run {record['metadata']['uid']} is {state}; only one that failed or was canceled is retried"
        )


def _retry_on_cluster(pipeline: str) -> str:
    """Let Kubeflow resume a run, once no stage is left that would run concurrently with its next attempt."""
    if _end_stages(pipeline, "ended before the run is retried") and _end_stages(pipeline, ""):
        raise NetopsError(f"run {pipeline}: stages of it are still ending; try again in a minute")
    _on_service("retry_pipeline", pipeline)
    _unmark_canceled(pipeline)
    return f"run {pipeline} is retried from the steps that it had not finished"


def _on_service(method: str, run_id: str) -> None:
    found = service.require("a run of the cluster")
    import mlrun
    import mlrun.errors

    try:
        getattr(mlrun.get_run_db(), method)(run_id, PROJECT)
    except mlrun.errors.MLRunNotFoundError:
        what = method.removesuffix("_pipeline")
        raise NetopsError(
            f"MLRun service {found.version} cannot {what} runs of Kubeflow: this requires a later MLRun"
        ) from None
    except (mlrun.errors.MLRunBaseError, OSError, ValueError, RuntimeError) as error:
        raise service.explain(error) from error
