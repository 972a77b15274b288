"""Runs of pipelines wherever they are: MLRun records those of its local engine, Kubeflow those of the cluster."""

from typing import Any

import mlrun

from netops.errors import UsageError
from netops.orchestration.workflow import PROJECT, workflows
from netops.tracking.install import names_service

Document = dict[str, Any]

_STATES = {"succeeded": "completed", "failed": "error", "canceled": "aborted", "terminating": "aborting"}


def all_runs() -> list[Document]:
    """List the runs of pipelines, the newest first."""
    runs = workflows()
    if not names_service():
        return runs
    known = {run["metadata"]["uid"] for run in runs}
    known |= {(run["metadata"].get("labels") or {}).get("workflow-id") for run in runs}
    # of one project the service gives them all at once, and never with the steps
    pipelines = mlrun.get_run_db().list_pipelines(PROJECT, format_="metadata_only").runs
    runs += [run_of(pipeline) for pipeline in pipelines if pipeline["id"] not in known]
    return sorted(runs, key=lambda run: str(run["status"]["start_time"]), reverse=True)


def run_of(pipeline: Document) -> Document:
    """Write what Kubeflow tells of a pipeline as MLRun records a run."""
    status = str(pipeline.get("status") or "").lower()
    ended = pipeline.get("finished_at")
    return {
        "metadata": {"uid": pipeline["id"], "name": str(pipeline["name"]).removeprefix(f"{PROJECT}-")},
        "spec": {"parameters": {}},
        "status": {
            "state": _STATES.get(status, status or "unknown"),
            "start_time": pipeline["created_at"],
            "last_update": ended or pipeline["created_at"],
            "end_time": ended,
            "error": pipeline.get("error") or "",
        },
    }


def pipeline_of(run: Document) -> str | None:
    """Give Kubeflow's id of a run; None where the local engine runs it."""
    labels = run["metadata"].get("labels") or {}
    if not names_service() or labels.get("kind") == "local":
        return None
    return str(labels.get("workflow-id") or run["metadata"]["uid"])


def find_run(run_id: str) -> Document:
    """Find the run of a pipeline by its id or the beginning of it.

    Raises
    ------
    UsageError
        If there is none, or more than one.
    """
    found = [run for run in all_runs() if run["metadata"]["uid"].startswith(run_id)]
    if len(found) != 1:
        many = "more than one run" if found else "no run"
        raise UsageError(f"{many} begins with '{run_id}'; see: netops runs list")
    return found[0]
