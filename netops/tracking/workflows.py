"""Workflows that the local engine runs are recorded as a run of their own, to which the steps belong."""

from collections.abc import Callable
from typing import Any

import mlrun
import mlrun.errors
import mlrun.projects.pipelines as pipelines
from mlrun.common.runtimes.constants import RunStates

from netops.tracking.pipelines import RUNNER

_LocalRunner = pipelines._LocalRunner


class RecordedLocalRunner(_LocalRunner):
    """MLRun's local engine; a workflow has a run with its id as uid, its name, arguments, state and times."""

    @classmethod
    def run(cls, project: Any, workflow_spec: Any, *args: Any, **kwargs: Any) -> Any:
        """Run a workflow, step by step, in this process."""
        pipelines.pipeline_context.set(project, workflow_spec)
        name = kwargs.get("name") or workflow_spec.name or "workflow"
        handler = cls._get_handler(kwargs.get("workflow_handler"), workflow_spec, project, kwargs.get("secrets"))
        kwargs["workflow_handler"] = _recorded(handler, project.metadata.name, str(name))
        return super().run(project, workflow_spec, *args, **kwargs)


def _recorded(handler: Callable[..., Any], project: str, name: str) -> Callable[..., Any]:
    def run(**arguments: Any) -> Any:
        uid, database = pipelines.pipeline_context.workflow_id, mlrun.get_run_db()
        database.store_run(_document(project, name, uid, arguments), uid, project)
        try:
            result = handler(**arguments)
            steps = list(pipelines.pipeline_context.runs_map.values())
            failed = [step.metadata.name for step in steps if step.state() in RunStates.error_states()]
            state, error = (
                (RunStates.error, f"failed: {', '.join(failed)}") if failed else (RunStates.completed, None)
            )
        except BaseException as exception:
            message = mlrun.errors.err_to_str(exception) or type(exception).__name__
            database.update_run({"status.state": RunStates.error, "status.error": message}, uid, project)
            raise
        database.update_run({"status.state": state, "status.error": error}, uid, project)
        return result

    return run


def _document(project: str, name: str, uid: str, arguments: dict[str, Any]) -> dict[str, Any]:
    labels = {**RUNNER, "kind": "local", "workflow": name, "workflow-id": uid}
    return {
        "kind": "run",
        "metadata": {"name": name, "uid": uid, "iteration": 0, "project": project, "labels": labels},
        "spec": {"parameters": arguments, "handler": name},
        "status": {"state": RunStates.running, "results": {"workflow_id": uid}},
    }
