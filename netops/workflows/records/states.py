"""Words of the records of runs; apart, because whoever needs only these need not import MLRun first."""

from typing import Any

#: States of a run that has not ended.
GOING = ("running", "pending", "created")
#: States of a run that somebody has stopped.
STOPPED = ("aborted", "aborting")
#: What the record of a run says that was canceled on demand.
CANCELED = "canceled on demand"


def state_of_run(run: dict[str, Any]) -> str:
    """Return the state of a run: of one that was canceled on demand, ``canceled``."""
    status = run["status"]
    if status["state"] == "aborted" and status.get("status_text") == CANCELED:
        return "canceled"
    return str(status["state"])
