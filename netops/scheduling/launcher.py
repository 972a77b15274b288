"""Workflows of schedules, run on this machine and tracked like any other run."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netops.errors import NetopsError
from netops.tracking.records import ScheduledWork
from netops.workflows import run as pipeline
from netops.workflows.records.runs import workflows
from netops.workflows.records.states import state_of_run

if TYPE_CHECKING:
    from netops.tracking.database.embedded import EmbeddedRunDB


@dataclass
class LocalLauncher:
    """Runs workflows in this process.

    Attributes
    ----------
    database : EmbeddedRunDB
        Where runs are recorded.
    """

    database: "EmbeddedRunDB"

    def launch(self, document: ScheduledWork, run: str) -> str:
        """Start the workflow of a schedule under an id, or resume an earlier attempt."""
        state = self._state(run)
        try:
            if state is None:
                pipeline.run_workflow(document["workflow"], document["arguments"], run)
            elif state in ("completed", "canceled"):  # all but the last word of the scheduler was done
                return state
            else:
                pipeline.resume(run)
        except (KeyboardInterrupt, NetopsError):
            if self._state(run) == "canceled":
                return "canceled"
            raise
        return "completed"

    def busy(self, document: ScheduledWork) -> str | None:
        """Return the id of a run of the same network that is still running, or None."""
        self.database.abort_abandoned_runs()
        network = document["arguments"]["name"]
        for run in workflows(states=["running", "pending"]):
            if (run["spec"].get("parameters") or {}).get("name") == network:
                return str(run["metadata"]["uid"])
        return None

    def _state(self, run: str) -> str | None:
        """Return the state of a run; an aborted run is canceled, and not retried."""
        found = workflows(uid=run)
        return state_of_run(found[0]) if found else None
