"""Words of the records of runs; apart, because whoever needs only these need not import MLRun first."""

#: States of a run that has not ended.
GOING = ("running", "pending", "created")
#: What the record of a run says that was canceled on demand.
CANCELED = "canceled on demand"
