"""The whole way on this machine: the project's pipeline by MLRun's local engine."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from netops import registry
from netops.errors import CanceledError, NetopsError, UsageError
from netops.files import write_json
from netops.tracking.install import names_service
from netops.tracking.mlrun_types import Project
from netops.tracking.records import RunRecord
from netops.tracking.run_records import process_of
from netops.workflows.context import started as pipeline_started
from netops.workflows.logs import log_to
from netops.workflows.project import load_project
from netops.workflows.records.run_summary import RunSummary
from netops.workflows.records.runs import Workflow, find, run_folder, steps_of
from netops.workflows.records.summary import summarise
from netops.workflows.settings import Settings
from netops.workflows.signals import terminated_as_stopped
from netops.workflows.stages.dask import compute_cluster
from netops.workflows.stages.memory import PeakMemory

#: Seconds within which the signal arrives after a run was canceled from elsewhere.
_SIGNAL = 5.0


@dataclass(frozen=True)
class Request:
    """The request for a run.

    Attributes
    ----------
    name : str
        The network.
    settings : Settings
        All sections of the configuration.
    telemetry, test : tuple of str
        Sources of training and test telemetry. Without any, the samples are those of logs, if ``logs.paths`` names
        some and ``generated_logs`` is disabled; otherwise telemetry is generated.
    incidents, test_incidents : Path or None
        CSV of the incidents of each.
    """

    name: str
    settings: Settings
    telemetry: tuple[str, ...] = ()
    incidents: Path | None = None
    test: tuple[str, ...] = ()
    test_incidents: Path | None = None
    workflow: str = field(init=False)

    def __post_init__(self) -> None:
        logs = self.settings.logs.paths and not self.settings.generated_logs.enabled
        object.__setattr__(self, "workflow", "retrain" if self.telemetry or logs else "main")

    def arguments(self) -> dict[str, str]:
        """Return the arguments of the pipeline, all text, as Kubeflow holds them too."""
        common = {"name": self.name, "settings": self.settings.to_json()}
        if self.workflow == "main":
            return common
        return common | {
            "telemetry": "|".join(self.telemetry),
            "incidents": str(self.incidents or ""),
            "test": "|".join(self.test),
            "test_incidents": str(self.test_incidents or ""),
        }


def run(request: Request) -> RunSummary:
    """Run the pipeline.

    Returns
    -------
    dict
        The summary that ``netops run --json`` prints.

    Raises
    ------
    NetopsError
        If a stage fails; completed stages are stored, and ``netops run --resume`` continues from there.
    """
    project = load_project()

    return _execute(project, request.workflow, request.arguments(), Workflow())


def resume(run_id: str) -> RunSummary:
    """Resume a run that failed or was stopped, without repeating the stages that it finished."""
    project = load_project()

    record = find(run_id)
    state, run_id = record["status"]["state"], record["metadata"]["uid"]
    if state in ("completed", "running"):
        raise UsageError(f"run {run_id} is {state}; only one that failed or was stopped is resumed")
    import mlrun

    _require_ended(record, run_id)
    if network := record["spec"]["parameters"].get("name"):
        registry.resume_run(network, run_id)
    if not names_service():
        mlrun.get_run_db().release_run(run_id, project.name)
    done = {
        step["metadata"]["name"]: mlrun.RunObject.from_dict(step)
        for step in steps_of(run_id)
        if step["status"].get("state") == "completed"
    }
    return _execute(project, record["metadata"]["name"], record["spec"]["parameters"], Workflow(run_id, done))


def _require_ended(record: RunRecord, run_id: str) -> None:
    """Refuse a run whose process is still stopping: both would do the same work."""
    process = process_of(record)
    if process and process.pid != os.getpid() and process.is_here() and not process.has_ended():
        raise UsageError(f"run {run_id[:12]} is being stopped by process {process.pid}; wait until it has ended")


def run_workflow(workflow: str, arguments: Mapping[str, str], run_id: str) -> RunSummary:
    """Run a workflow of the project under an id that is known before."""
    project = load_project()

    return _execute(project, workflow, arguments, Workflow(run_id))


def _execute(project: Project, workflow_name: str, arguments: Mapping[str, str], workflow: Workflow) -> RunSummary:

    folder = run_folder(workflow.run_id)
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    settings = Settings.from_json(arguments["settings"])
    options = settings.training
    families = [] if workflow_name == "score" else options.enabled_families
    try:
        with (
            terminated_as_stopped(),
            PeakMemory() as memory,
            log_to(folder),
            compute_cluster(settings.compute) as cluster,
            pipeline_started(families, options.threads, workflow, cluster),
        ):
            path = str(folder)
            status = project.run(workflow_name, arguments=arguments, artifact_path=path, engine="local", dirty=True)
            _end_if_canceled(workflow)
    except KeyboardInterrupt:
        if workflow.is_canceled():  # from elsewhere: whatever started the run continues
            raise workflow.canceled() from None
        raise
    if status.exc is not None:
        _raise(status.exc, workflow.run_id)
    summary = summarise(workflow.run_id, seconds=time.monotonic() - started, peak_rss_mb=memory.megabytes)
    write_json(folder / "summary.json", summary)
    return summary


def _end_if_canceled(workflow: Workflow) -> None:
    """End a run that has finished, or failed, while it was being canceled from elsewhere.

    The signal follows the record. It is waited for, so that it does not hit what this process does next, such as
    the next run of a scheduler.
    """
    try:
        workflow.require_going()
    except CanceledError:
        time.sleep(_SIGNAL)
        raise


def _raise(error: Exception, run_id: str) -> None:
    if isinstance(error, UsageError):
        raise error
    raise NetopsError(f"{error} (netops run --resume {run_id[:12]} tries again from there)") from error
