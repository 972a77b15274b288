"""Workflows that the local engine runs are recorded as a run of their own, to which the steps belong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import mlrun
import mlrun.errors
import mlrun.projects.pipelines as pipelines
from mlrun.common.runtimes.constants import RunStates
from mlrun.utils.helpers import normalize_workflow_name

from netops.tracking.database.pipelines import RUNNER
from netops.tracking.processes import Process, this_process
from netops.tracking.service_only import ServiceOnlyError

#: Annotation of a record: the process that runs the workflow; a service does not store it otherwise.
PROCESS = "netops/process"

_given: str | None = None


@contextmanager
def under_id(uid: str) -> Iterator[None]:
    """Run the next workflow of this process under an id: a new one, or that of a workflow to be resumed."""
    global _given
    _given = uid
    try:
        yield
    finally:
        _given = None


class RecordedLocalRunner(pipelines._LocalRunner):
    """MLRun's local engine; a workflow has a run with its id as uid, its name, arguments, state and times."""

    @classmethod
    def run(cls, project: Any, workflow_spec: Any, name: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """Run a workflow, step by step, in this process."""
        pipelines.pipeline_context.set(project, workflow_spec)
        own_name = normalize_workflow_name(name or workflow_spec.name or "workflow", project.metadata.name)
        handler = cls._get_handler(kwargs.get("workflow_handler"), workflow_spec, project, kwargs.get("secrets"))
        kwargs["workflow_handler"] = _recorded(handler, project.metadata.name, own_name)
        return super().run(project, workflow_spec, name, *args, **kwargs)


class RefusedRemoteRunner(pipelines._RemoteRunner):
    """Replaces MLRun's engine that submits workflows, or their schedule, to the service.

    That one logs an error of the service and continues, so that a failed schedule appears to exist.
    """

    @classmethod
    def run(cls, *_args: Any, **_kwargs: Any) -> Any:
        """Refuse."""
        raise ServiceOnlyError.of("submit_workflow")


def _recorded(handler: Callable[..., Any], project: str, name: str) -> Callable[..., Any]:
    def run(**arguments: Any) -> Any:
        uid, database = _given or pipelines.pipeline_context.workflow_id, mlrun.get_run_db()
        pipelines.pipeline_context.workflow_id = uid
        database.store_run(_document(project, name, uid, arguments), uid, project)
        try:
            result = handler(**arguments)
            steps = list(pipelines.pipeline_context.runs_map.values())
            failed = [step.metadata.name for step in steps if step.state() in RunStates.error_states()]
            state = RunStates.error if failed else RunStates.completed
            error = f"failed steps: {', '.join(failed)}" if failed else None
        except BaseException as exception:
            message = mlrun.errors.err_to_str(exception) or type(exception).__name__
            state = RunStates.aborted if isinstance(exception, KeyboardInterrupt) else RunStates.error
            finish(uid, project, state, error=message)
            raise
        finish(uid, project, state, error=error)
        return result

    return run


def finish(uid: str, project: str, state: str, **status: Any) -> None:
    """Record the end of a run, unless it has been aborted meanwhile.

    It is stored rather than updated: a service would abort what it runs itself, and refuses that for all else.
    """
    database = mlrun.get_run_db()
    document = database.read_run(uid, project)
    if document["status"].get("state") == RunStates.aborted:
        return
    document["status"] |= {"state": state, **status}
    database.store_run(document, uid, project)


def process_of(record: dict[str, Any]) -> Process | None:
    """Return which process runs, or ran, a workflow of the local engine; None for any other run."""
    text = (record["metadata"].get("annotations") or {}).get(PROCESS)
    return Process.from_json(text) if text else None


def _document(project: str, name: str, uid: str, arguments: dict[str, Any]) -> dict[str, Any]:
    labels = {**RUNNER, "kind": "local", "workflow": name, "workflow-id": uid}
    return {
        "kind": "run",
        "metadata": {
            "name": name,
            "uid": uid,
            "iteration": 0,
            "project": project,
            "labels": labels,
            "annotations": {PROCESS: this_process().to_json()},
        },
        "spec": {"parameters": arguments, "handler": name},
        "status": {"state": RunStates.running, "results": {"workflow_id": uid}},
    }
