"""Runs of whole pipelines, as MLRun has recorded them.

A local pipeline is a separate run; its uid is the ``workflow`` label of the steps, so that a failed run
can be shown, resumed and pruned.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from netops.config.paths import home
from netops.errors import CanceledError, UsageError
from netops.progress import say
from netops.tracking.mlrun_types import StageRun
from netops.tracking.records import RUNNER, RunRecord
from netops.workflows.project_folder import PROJECT as PROJECT
from netops.workflows.records.run_summary import RunDescription
from netops.workflows.records.states import STOPPED, state_of_run

#: The label by which MLRun identifies runs of workflows.
WORKFLOWS = [f"{key}={value}" for key, value in RUNNER.items()]


def run_folder(run_id: str) -> Path:
    """Return the output folder of a run."""
    return home() / "runs" / run_id


@dataclass
class Workflow:
    """One run of a pipeline while it lasts.

    Attributes
    ----------
    run_id : str
        Uid of the record, and the ``workflow`` label of its steps.
    done : dict
        Step → its completed run, from an earlier attempt.
    """

    run_id: str = field(default_factory=lambda: uuid4().hex)
    done: dict[str, StageRun] = field(default_factory=dict)

    def finished(self, step: str, title: str) -> StageRun | None:
        """Return the run of a step that an earlier attempt has finished, or None.

        Raises
        ------
        CanceledError
            If the workflow was canceled meanwhile.
        """
        self.require_going()
        run = self.done.get(step)
        if run is not None:
            say(f"{title}: skipped (already completed)")
        return run

    def require_going(self) -> None:
        """Raise CanceledError if the workflow was canceled meanwhile."""
        if any(record["status"]["state"] in STOPPED for record in workflows(uid=self.run_id)):
            raise self.canceled()

    def canceled(self) -> CanceledError:
        """Return the error of a canceled run."""
        return CanceledError(f"run {self.run_id[:12]} is canceled")

    def is_canceled(self) -> bool:
        """Return whether the workflow was canceled on demand, not stopped by its own process."""
        return any(state_of_run(record) == "canceled" for record in workflows(uid=self.run_id))

    def ends(self, title: str, run: StageRun) -> None:
        """Print that a step has ended, and its duration."""
        say(f"{title}: {seconds_of(run.to_dict()):.1f} s")

    def reason(self, step: str) -> str:
        """Read from the record why a step failed, in one line."""
        runs = steps_of(self.run_id, step)
        error = runs[-1]["status"].get("error", "") if runs else ""
        return f"{step}: {error}" if error else ""


def workflows(**filters: str | list[str]) -> list[RunRecord]:
    """List the runs of pipelines, the newest first."""
    import mlrun

    return list(mlrun.get_run_db().list_runs(project=PROJECT, labels=WORKFLOWS, **filters))


def steps_of(run_id: str, name: str | None = None) -> list[RunRecord]:
    """List the runs of a pipeline's steps, the oldest first; a step that was tried again counts each time."""
    import mlrun

    runs = mlrun.get_run_db().list_runs(project=PROJECT, name=name, labels=[f"workflow={run_id}"])
    return sorted(runs, key=lambda run: run["status"].get("start_time", ""))


def seconds_of(run: RunRecord) -> float:
    """Return the duration of a run."""
    status = run["status"]
    end = status.get("end_time") or status.get("last_update") or status["start_time"]
    return (moment_of(end) - moment_of(status["start_time"])).total_seconds()


def moment_of(text: datetime | str) -> datetime:
    """Read a time of a record; one without a zone is UTC."""
    moment = text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def find(run_id: str) -> RunRecord:
    """Find the run of a pipeline by its id or the beginning of it.

    Raises
    ------
    UsageError
        If there is none, or more than one.
    """
    found = [run for run in workflows() if run["metadata"]["uid"].startswith(run_id)]
    if len(found) != 1:
        raise UsageError(
            f"{'no run' if not found else 'more than one run'} begins with '{run_id}'; see: netops runs list"
        )
    return found[0]


def describe(run: RunRecord) -> RunDescription:
    """Return the summary of a run or a step for lists."""
    status = run["status"]
    return {
        "run_id": run["metadata"]["uid"],
        "name": (run["spec"].get("parameters") or {}).get("name", ""),
        "workflow": run["metadata"]["name"],
        "state": state_of_run(run),
        "started": f"{moment_of(status['start_time']):%Y-%m-%d %H:%M:%S}",
        "seconds": seconds_of(run),
        "error": status.get("error") or "",
    }
