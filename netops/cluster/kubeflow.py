"""Pipeline runs from both sources: MLRun records those of its local engine, Kubeflow those of the cluster."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from netops.cluster.failures import was_canceled
from netops.errors import UsageError
from netops.tracking import service
from netops.tracking.install import names_service
from netops.tracking.records import PipelineHead, RunRecord
from netops.workflows.records.runs import PROJECT, moment_of, workflows
from netops.workflows.records.states import CANCELED, GOING
from netops.workflows.records.steps import LABEL, WORKFLOWS

_STATES = {"succeeded": "completed", "failed": "error", "canceled": "aborted", "terminating": "aborting"}
#: A job that has started no workflow after this time, and has no pod, never will.
_STALE = timedelta(minutes=5)


def all_runs() -> list[RunRecord]:
    """List the runs of pipelines, newest first; :func:`described` adds details of those of the cluster."""
    runs = workflows()
    if not names_service():
        return runs
    local = [run for run in runs if _labels(run).get("kind") == "local"]
    runners = {_pipeline_id(run): run for run in runs if run not in local}
    known = {run["metadata"]["uid"] for run in local}
    found = [pipeline for pipeline in _pipelines() if pipeline["id"] not in known]
    pipelines = [run_of(pipeline, runners.get(pipeline["id"])) for pipeline in found]
    started = {run["metadata"]["uid"] for run in pipelines}
    waiting = [_of_runner(run) for uid, run in runners.items() if uid not in started]
    return sorted([*local, *pipelines, *waiting], key=_start, reverse=True)


def _pipelines() -> list[PipelineHead]:
    """List Kubeflow's runs of the project; for one project in one response, without the steps."""
    import mlrun
    import mlrun.errors

    try:
        return list(mlrun.get_run_db().list_pipelines(PROJECT, format_="metadata_only").runs)
    except mlrun.errors.MLRunBaseError as error:
        if mlrun.mlconf.kfp_url:
            raise service.explain(error) from error
        return []  # a service without Kubeflow has runs of the local engine alone


def run_of(pipeline: PipelineHead, runner: RunRecord | None = None) -> RunRecord:
    """Convert Kubeflow's description of a pipeline to the form of an MLRun run.

    Parameters
    ----------
    pipeline : dict
        As the service lists it.
    runner : dict, optional
        The job of the service that has started it, if any.
    """
    status = str(pipeline.get("status") or "").lower()
    ended = pipeline.get("finished_at")
    name = str(pipeline["name"]).removeprefix(f"{PROJECT}-")
    workflow, network = _named(name)
    if runner is not None:
        given = _runner_arguments(runner)
        workflow, network = given.get("workflow") or workflow, given.get("name") or network
    return {
        "metadata": {"uid": pipeline["id"], "name": workflow},
        "spec": {"parameters": {"name": network} if network else {}},
        "status": {
            "state": _STATES.get(status, status or "pending"),
            "start_time": pipeline["created_at"],
            "last_update": ended or datetime.now(UTC).isoformat(),
            "end_time": ended,
            "error": pipeline.get("error") or "",
        },
    }


def _named(name: str) -> tuple[str, str]:
    """Read workflow and network from the name that ``netops submit`` gives a run."""
    workflow, _, network = name.partition("-")
    return (workflow, network) if workflow in WORKFLOWS else (name, "")


def _of_runner(run: RunRecord) -> RunRecord:
    """Show a job that has not started its workflow yet, or never did, as a run of that workflow."""
    given = _runner_arguments(run)
    metadata, spec, status = run["metadata"].copy(), run["spec"].copy(), run["status"].copy()
    metadata["name"] = given.get("workflow") or metadata["name"]
    spec["parameters"] = given
    if status["state"] in GOING and _is_stale(run):
        status["state"] = "error"
        status["error"] = "the job that starts the workflow no longer exists; see its log in MLRun's UI"
    found = run.copy()
    found["metadata"], found["spec"], found["status"] = metadata, spec, status
    return found


def _is_stale(run: RunRecord) -> bool:
    import mlrun
    import mlrun.errors

    if datetime.now(UTC) - _start(run) < _STALE:
        return False
    try:
        kinds = mlrun.get_run_db().list_runtime_resources(PROJECT, kind="job", object_id=run["metadata"]["uid"])
    except mlrun.errors.MLRunBaseError:
        return False
    pods = [pod for kind in kinds for pod in kind.resources.pod_resources]
    return all(str((pod.status or {}).get("phase")) in ("Succeeded", "Failed") for pod in pods)


def _runner_arguments(run: RunRecord) -> dict[str, str]:
    parameters = run["spec"].get("parameters") or {}
    path = Path(parameters.get("workflow_path") or "")
    arguments = cast(Mapping[str, dict[str, str] | None], parameters).get("workflow_arguments")
    return {**(arguments or {}), "workflow": path.stem}


def described(runs: list[RunRecord]) -> list[RunRecord]:
    """Add information from steps to runs of the cluster: workflow, network, and whether they were canceled.

    Parameters
    ----------
    runs : list of dict
        Some of :func:`all_runs`.
    """
    import mlrun

    cluster = [run for run in runs if pipeline_of(run)]
    if not cluster:
        return runs
    first = min(map(_start, cluster)) - timedelta(minutes=1)
    steps: dict[str, list[RunRecord]] = {}
    found = mlrun.get_run_db().list_runs(project=PROJECT, labels=["workflow"], start_time_from=first)
    for step in sorted(found, key=_start):
        steps.setdefault(_labels(step).get("workflow", ""), []).append(step)
    return [_with(run, steps.get(pipeline_of(run) or "", [])) for run in runs]


def _with(run: RunRecord, steps: list[RunRecord]) -> RunRecord:
    if not steps:
        return run
    parameters, status = dict(run["spec"].get("parameters") or {}), run["status"].copy()
    networks = [(step["spec"].get("parameters") or {}).get("network") for step in steps]
    parameters["name"] = parameters.get("name") or next(filter(None, networks), "")
    name = next(filter(None, (_labels(step).get(LABEL) for step in steps)), run["metadata"]["name"])
    if status["state"] in ("error", "aborted", "aborting") and was_canceled(steps):
        status["state"], status["status_text"], status["error"] = "aborted", CANCELED, ""
    metadata, spec = run["metadata"].copy(), run["spec"].copy()
    metadata["name"], spec["parameters"] = name, parameters
    found = run.copy()
    found["metadata"], found["spec"], found["status"] = metadata, spec, status
    return found


def pipeline_of(run: RunRecord) -> str | None:
    """Return Kubeflow's id of a run; None for the local engine."""
    if not names_service() or _labels(run).get("kind") == "local":
        return None
    return _pipeline_id(run)


def _pipeline_id(run: RunRecord) -> str:
    return str(_labels(run).get("workflow-id") or run["metadata"]["uid"])


def find_run(run_id: str) -> RunRecord:
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
    return described(found)[0]


def _labels(run: RunRecord) -> dict[str, str]:
    return run["metadata"].get("labels") or {}


def _start(run: RunRecord) -> datetime:
    return moment_of(run["status"]["start_time"])
