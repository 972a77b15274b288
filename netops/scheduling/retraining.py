"""The training that drift starts, at most so often."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict
from uuid import uuid4

from netops.cluster.submit import submit
from netops.config.durations import SECOND, format_duration
from netops.config.paths import home
from netops.files import read_json, write_json
from netops.tracking.install import names_service
from netops.tracking.records import RunRecord
from netops.workflows.arguments import workflow_arguments
from netops.workflows.records.runs import moment_of, workflows
from netops.workflows.run import run_workflow
from netops.workflows.settings import Settings
from netops.workflows.stages.continuation import GOES_ON


class Retraining(TypedDict):
    """What drift has started, or why not."""

    started: bool
    run_id: str | None
    reason: str


class _Training(TypedDict):
    at: int
    run_id: str


def retrain(
    network: str, sources: Sequence[str], incidents: Path | None, settings: Settings, now: int
) -> Retraining:
    """Start a training of a network, unless one began not long ago.

    Parameters
    ----------
    now : int
        Nanoseconds since the epoch.

    Returns
    -------
    dict
        ``started``, ``run_id`` (of this training, or of the one that stands in its way) and ``reason``.

    Raises
    ------
    NetopsError
        If the training fails.
    """
    every = settings.monitoring.retrain_every
    with _alone(network) as alone:
        if not alone:
            return {"started": False, "run_id": None, "reason": "another one starts a training at this moment"}
        before = _last_training(network)
        if before and now - before["at"] < every:
            when = datetime.fromtimestamp(before["at"] / SECOND, UTC)
            reason = f"a training began at {when:%Y-%m-%d %H:%M} UTC; the next after {format_duration(every)}"
            return {"started": False, "run_id": before["run_id"], "reason": reason}
        return _start(network, sources, incidents, settings, now)


def _start(
    network: str, sources: Sequence[str], incidents: Path | None, settings: Settings, now: int
) -> Retraining:
    workflow = "retrain" if sources else "main"
    arguments = workflow_arguments(workflow, network, settings, sources)
    arguments |= {"incidents": str(incidents)} if incidents else {}
    # Without a source, the generated network continues in time and a model is trained again.
    arguments |= {} if sources else {GOES_ON: "true"}
    run_id = uuid4().hex
    if names_service():
        run_id, _ = submit(workflow, arguments)
    # Recorded before it ends: a training that fails is not tried again at once either.
    write_json(_record(network), {"at": now, "run_id": run_id})
    if not names_service():
        run_workflow(workflow, arguments, run_id)
    return {"started": True, "run_id": run_id, "reason": "drift"}


def _last_training(network: str) -> _Training | None:
    """Return the latest training of a network: by drift, by a schedule or by hand."""
    path = _record(network)
    known: list[_Training] = [read_json(path)] if path.is_file() else []
    for run in workflows():
        if run["metadata"]["name"] in ("main", "retrain") and network_of(run) == network:
            began = round(moment_of(run["status"]["start_time"]).timestamp() * SECOND)
            known.append({"at": began, "run_id": run["metadata"]["uid"]})
    return max(known, key=lambda run: run["at"], default=None)


def network_of(run: RunRecord) -> str | None:
    """Name the network of a run of a pipeline."""
    return (run["spec"].get("parameters") or {}).get("name")


def _record(network: str) -> Path:
    return home() / "monitoring" / f"{network}.json"


@contextmanager
def _alone(network: str) -> Iterator[bool]:
    """Return whether the lock to start a training of this network was acquired; it ends with the process."""
    path = _record(network).with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
