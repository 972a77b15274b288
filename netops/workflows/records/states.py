"""Constants of run records, in a separate module that does not import MLRun."""

from netops.tracking.records import RunRecord

#: States of a run that has not ended.
GOING = ("running", "pending", "created")
#: States of a stopped run.
STOPPED = ("aborted", "aborting")
#: Text in the record of a canceled run.
CANCELED = "canceled on demand"


def state_of_run(run: RunRecord) -> str:
    """Return the state of a run: of one that was canceled on demand, ``canceled``."""
    status = run["status"]
    if status["state"] == "aborted" and status.get("status_text") == CANCELED:
        return "canceled"
    return str(status["state"])
