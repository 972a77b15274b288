"""Workflows of the local engine, read back as the pipelines that the client expects from a service."""

from collections.abc import Callable

import mlrun.common.schemas
import mlrun.errors
from mlrun.common.runtimes.constants import RunStates
from mlrun_pipelines.common.models import RunStatuses

from netops.tracking.database.documents import Document
from netops.tracking.records import RUNNER as RUNNER


class Pipelines:
    """The part of MLRun's run database interface that is about workflows."""

    list_runs: Callable[..., list[Document]]

    def get_pipeline(
        self,
        run_id: str,
        namespace: str | None = None,
        timeout: int = 30,
        format_: str = "summary",
        project: str | None = None,
    ) -> Document:
        """Return a workflow and its steps: ``run`` (id, name, status, times), ``graph`` (a node for each step)."""
        found = self.list_runs(uid=run_id, project=project or "*", labels=RUNNER)
        if not found:
            raise mlrun.errors.MLRunNotFoundError(f"workflow {run_id} not found")
        head = _summary(found[0])
        steps = self.list_runs(project=head["project"], labels={"workflow": run_id}, sort=True)
        return {"run": head, "graph": {step["metadata"]["uid"]: _node(step) for step in reversed(steps)}}

    def list_pipelines(
        self,
        project: str,
        namespace: str | None = None,
        sort_by: str = "",
        page_token: str = "",
        filter_: str = "",
        format_: str = "metadata_only",
        page_size: int | None = None,
    ) -> mlrun.common.schemas.PipelinesOutput:
        """List workflows, the latest first."""
        runs = [_summary(run) for run in self.list_runs(project=project, labels=RUNNER)]
        start = int(page_token or 0)
        page = runs[start : start + page_size] if page_size else runs[start:]
        following = start + len(page)
        return mlrun.common.schemas.PipelinesOutput(
            runs=[run["name"] for run in page] if str(format_) == "name_only" else page,
            total_size=len(runs),
            next_page_token=str(following) if following < len(runs) else None,
        )


def _status(run: Document) -> str:
    state = run["status"].get("state")
    if state == RunStates.aborted:
        return str(RunStatuses.canceled)
    return str(RunStates.run_state_to_pipeline_run_status(state))


def _summary(run: Document) -> Document:
    meta, status = run["metadata"], run["status"]
    return {
        "id": meta["uid"],
        "name": meta["name"],
        "project": meta["project"],
        "status": _status(run),
        "error": status.get("error") or status.get("status_text"),
        "message": status.get("error") or "",
        "created_at": status.get("start_time"),
        "scheduled_at": status.get("start_time"),
        "finished_at": status.get("end_time"),
        "description": "",
        "experiment_id": "",
    }


def _node(run: Document) -> Document:
    meta, status = run["metadata"], run["status"]
    return {
        "name": meta["name"],
        "type": "Pod",
        "parent": "",
        "phase": _status(run),
        "run_type": "run",
        "run_uid": meta["uid"],
        "kind": meta.get("labels", {}).get("kind"),
        "started_at": status.get("start_time"),
        "finished_at": status.get("end_time"),
        "error": status.get("error"),
        "children": [],
    }
