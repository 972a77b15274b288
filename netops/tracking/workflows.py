"""Workflows that the local engine runs are recorded as a run of their own, to which the steps belong."""

from collections.abc import Callable

import mlrun
import mlrun.errors
import mlrun.projects.pipelines as pipelines
from mlrun.common.runtimes.constants import RunStates
from mlrun.utils.helpers import normalize_workflow_name

from netops.json_types import JsonDict
from netops.run_context import current
from netops.tracking.database.pipelines import RUNNER
from netops.tracking.mlrun_types import Project, WorkflowSpec
from netops.tracking.processes import this_process
from netops.tracking.run_records import PROCESS, finish
from netops.tracking.service_only import ServiceOnlyError


class RecordedLocalRunner(pipelines._LocalRunner):
    """MLRun's local engine; a workflow has a run with its id as uid, its name, arguments, state and times."""

    @classmethod
    def run(
        cls, project: Project, workflow_spec: WorkflowSpec, name: str | None = None, *args: object, **kwargs: object
    ) -> object:
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
    def run(cls, *_args: object, **_kwargs: object) -> object:
        """Refuse."""
        raise ServiceOnlyError.of("submit_workflow")


def _recorded(handler: Callable[..., object], project: str, name: str) -> Callable[..., object]:
    def run(**arguments: str) -> object:
        uid, database = current().run_id or pipelines.pipeline_context.workflow_id, mlrun.get_run_db()
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


def _document(project: str, name: str, uid: str, arguments: dict[str, str]) -> JsonDict:
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
