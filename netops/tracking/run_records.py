"""How a run ended, and which process runs it: what is written into, and read from, its record."""

from netops.tracking.processes import Process
from netops.tracking.records import RunRecord

#: Annotation of a record: the process that runs the workflow, for a service, which does not ask.
PROCESS = "netops/process"


def finish(uid: str, project: str, state: str, **status: str | None) -> bool:
    """Record the end of a run, unless it has ended, or was aborted, meanwhile; returns whether it is recorded.

    It is stored rather than updated: a service would abort what it runs itself, and refuses that for all else.
    """
    import mlrun
    from mlrun.common.runtimes.constants import RunStates

    database = mlrun.get_run_db()
    document = database.read_run(uid, project)
    if document["status"].get("state") in RunStates.terminal_states():
        return False
    document["status"] |= {"state": state, **status}
    database.store_run(document, uid, project)
    return True


def process_of(record: RunRecord) -> Process | None:
    """Return which process runs, or ran, a workflow of the local engine; None for any other run."""
    text = (record["metadata"].get("annotations") or {}).get(PROCESS)
    return Process.from_json(text) if text else None
