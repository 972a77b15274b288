"""Runs that are stopped or taken up again, here or on the service."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from netops.errors import NetopsError, UsageError
from netops.orchestration import service
from netops.orchestration.launcher import CANCELED
from netops.orchestration.project import connect
from netops.tracking.install import names_service

_GOING = ("running", "pending", "created")
#: Seconds that a process gets to end its run.
GRACE = 20.0


def cancel(run_id: str, wait: Callable[[float], None] = time.sleep) -> str:
    """Stop a run: on the service, or the process on this machine that runs it.

    Returns
    -------
    str
        What came of it, for people.

    Raises
    ------
    UsageError
        If there is no such run, or it has ended.
    NetopsError
        If it belongs to a process of another machine.
    """
    connect()
    if names_service():
        return _on_service("terminate_pipeline", run_id, f"run {run_id} is being canceled")
    import mlrun

    from netops.orchestration.workflow import PROJECT, find, steps_of

    record = find(run_id)
    uid, state = record["metadata"]["uid"], record["status"]["state"]
    if state not in _GOING:
        raise UsageError(f"run {uid[:12]} is {state}; only one that is going can be canceled")
    database = mlrun.get_run_db()
    process = database.process_of(uid, PROJECT)
    if process is not None and not process.is_here():
        raise NetopsError(f"run {uid[:12]} belongs to a process of {process.host}; cancel it there")
    for going in [*(s for s in steps_of(uid) if s["status"]["state"] in _GOING), record]:
        _abort(database, going["metadata"]["uid"], PROJECT)
    if process is None or process.has_ended() or process.pid == os.getpid():
        return f"run {uid[:12]} is canceled"
    os.kill(process.pid, signal.SIGINT)
    return _until_it_ends(uid, process, wait)


def _abort(database: Any, uid: str, project: str) -> None:
    import mlrun

    try:
        database.abort_run(uid, project, status_text=CANCELED)
    except mlrun.errors.MLRunConflictError:
        return  # it has ended in between


def _until_it_ends(uid: str, process: Any, wait: Callable[[float], None]) -> str:
    """Wait for the process; a scheduler stays, and goes on with its next run."""
    waited = 0.0
    while waited < GRACE and not process.has_ended():
        wait(0.25)
        waited += 0.25
    if process.has_ended():
        return f"run {uid[:12]} is canceled, its process has ended"
    return f"run {uid[:12]} is canceled; process {process.pid} stops it as soon as its step lets it"


def retry(run_id: str) -> dict[str, Any] | str:
    """Take up a run that failed or was stopped, without what it finished.

    Returns
    -------
    dict or str
        The summary of the run, or what the service has begun.
    """
    connect()
    if names_service():
        return _on_service("retry_pipeline", run_id, f"run {run_id} is taken up again")
    from netops.orchestration.local import resume

    return resume(run_id)


def _on_service(method: str, run_id: str, done: str) -> str:
    service.require("a run of the cluster")
    import mlrun

    from netops.orchestration.workflow import PROJECT

    try:
        getattr(mlrun.get_run_db(), method)(run_id, PROJECT)
    except (mlrun.errors.MLRunBaseError, OSError, ValueError, RuntimeError) as error:
        raise service.explain(error) from error
    return done
