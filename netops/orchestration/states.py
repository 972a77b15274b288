"""Words of the records of runs; apart, because whoever needs only these need not import MLRun first."""

#: States of a run that has not ended.
GOING = ("running", "pending", "created")
#: States of a run that somebody has stopped.
STOPPED = ("aborted", "aborting")
#: What the record of a run says that was canceled on demand.
CANCELED = "canceled on demand"
