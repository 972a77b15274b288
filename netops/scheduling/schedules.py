"""Schedules of workflows: stored by the MLRun service if configured, else by the embedded database."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypedDict

from netops.cluster.compile import artifact_path, check_workflow
from netops.cluster.settings import read_cluster_settings
from netops.cluster.submit import prepare
from netops.config.durations import MINUTE, SECOND
from netops.config.paths import home
from netops.errors import NetopsError, UsageError, closest
from netops.json_types import JsonObject, object_in
from netops.scheduling.launcher import LocalLauncher
from netops.scheduling.scheduler import Scheduler
from netops.tracking import service
from netops.tracking.database import cron
from netops.tracking.install import names_service
from netops.tracking.mlrun_types import Project
from netops.tracking.records import ScheduledWork
from netops.workflows.arguments import workflow_arguments
from netops.workflows.project import connect, load_project
from netops.workflows.records.runs import PROJECT
from netops.workflows.settings import Settings
from netops.workflows.stages.continuation import GOES_ON, write

if TYPE_CHECKING:
    from netops.tracking.database.embedded import EmbeddedRunDB

_SERVICE_PERIOD = 10 * MINUTE  # the service takes none that is due more often


class ScheduleRow(TypedDict):
    """A schedule in a list."""

    name: str
    network: str | None
    workflow: str
    cron: str
    next: str | None
    last_run: str | None
    last_state: str | None
    telemetry: str | None


class _Trigger(Protocol):
    """A cron trigger of MLRun's."""

    def to_crontab(self) -> str: ...


class _Schedule(Protocol):
    """A schedule as MLRun lists it."""

    name: str
    scheduled_object: JsonObject | None
    cron_trigger: str | _Trigger
    next_run_time: datetime | None
    last_run_uri: str | None
    state: str | None


def add(
    expression: str,
    workflow: str,
    network: str,
    settings: Settings,
    telemetry: tuple[str, ...] = (),
    *,
    name: str | None = None,
    retries: int = 3,
    backoff: int = MINUTE,
) -> ScheduleRow:
    """Add a schedule.

    Parameters
    ----------
    expression : str
        Five cron fields, in UTC; without a service also six, seconds first.
    workflow : str
        ``main``, ``retrain`` or ``score``; ``retrain`` without telemetry continues the generated network.
    network : str
        Whose models are trained, or score.
    settings : Settings
        All sections of the configuration; the schedule keeps them.
    telemetry : tuple of str
        Sources.
    name : str, optional
        By default ``<network>-<workflow>``.
    retries : int
        How often a run that failed is tried again.
    backoff : int
        Nanoseconds before the first of these; doubled each time.

    Returns
    -------
    ScheduleRow
        The schedule as :func:`listed` gives it.

    Raises
    ------
    UsageError
        If the expression is wrong, the workflow unknown, or the name taken.
    """
    expression = cron.normal(expression)
    if workflow == "score" and not telemetry:
        raise UsageError("--workflow score needs --telemetry SOURCE")
    project = load_project()

    check_workflow(project, workflow)
    runs = "main" if workflow == "retrain" and not telemetry else workflow
    arguments = workflow_arguments(runs, network, settings, telemetry)
    if runs == "main":
        arguments[GOES_ON] = "true"
    name = name or f"{network}-{workflow}"
    if any(known["name"] == name for known in listed()):
        raise UsageError(f"schedule '{name}' exists already; remove it, or give another --as NAME")
    if names_service():
        _add_to_service(project, name, expression, runs, arguments)
    else:
        document = ScheduledWork(workflow=runs, arguments=arguments, retries=retries, backoff=backoff)
        _database().add_schedule(project.name, name, expression, document, time.time_ns())
    return _added(name)


def _added(name: str) -> ScheduleRow:
    found = [schedule for schedule in listed() if schedule["name"] == name]
    if not found:  # the client logs an error of the service and continues
        raise NetopsError(f"the service did not create schedule '{name}'; see its log or use --verbose")
    return found[0]


def _add_to_service(project: Project, name: str, expression: str, workflow: str, arguments: dict[str, str]) -> None:
    if len(expression.split()) == 6:
        raise UsageError("--cron: the service takes no seconds; write five fields")
    if cron.either_day(expression):
        raise UsageError(
            f"--cron '{expression}': the service needs both day of the month and day of the week, cron either; "
            "add a schedule for each"
        )
    first = cron.next_after(expression, time.time_ns())
    second = None if first is None else cron.next_after(expression, first)
    if first and second and second - first < _SERVICE_PERIOD:
        raise UsageError(f"--cron '{expression}': the service runs none more often than every 10 minutes")

    service.kubeflow_of(service.require("a schedule of the service"))
    arguments = prepare(project, arguments)
    settings = read_cluster_settings(arguments["settings"])
    # A schedule of the service is named after its workflow: a copy gives each network a separate one.
    copy = project.spec._workflows[workflow].copy()
    copy.name, copy.image, copy.cleanup_ttl = name, settings.image, settings.ttl // SECOND
    project.spec.set_workflow(name, copy)
    path = artifact_path(settings)
    project.run(name, schedule=expression, arguments=arguments, artifact_path=path, local=False, dirty=True)


def listed() -> list[ScheduleRow]:
    """List schedules: name, network, workflow, cron, next time, last run and its state."""
    connect()
    import mlrun

    return [_row(schedule) for schedule in mlrun.get_run_db().list_schedules(PROJECT).schedules]


def _row(schedule: _Schedule) -> ScheduleRow:
    record = schedule.scheduled_object or {}
    arguments = object_in(record, "arguments") or _service_arguments(record)
    last = schedule.last_run_uri or ""
    return {
        "name": schedule.name,
        "network": _text(arguments, "name"),
        "workflow": _text(record, "workflow") or _service_workflow(record) or schedule.name,
        "cron": _cron(schedule.cron_trigger),
        "next": f"{schedule.next_run_time:%Y-%m-%d %H:%M:%S}" if schedule.next_run_time else None,
        "last_run": last.partition("@")[2].partition("#")[0] or None,
        "last_state": schedule.state,
        "telemetry": _text(arguments, "telemetry"),
    }


def _service_arguments(record: JsonObject) -> JsonObject:
    return object_in(_runner_parameters(record), "workflow_arguments")


def _service_workflow(record: JsonObject) -> str:
    """Name the workflow of a schedule of the service, whose own name is the schedule's."""
    return Path(_text(_runner_parameters(record), "workflow_path") or "").stem


def _runner_parameters(record: JsonObject) -> JsonObject:
    return object_in(object_in(object_in(record, "task"), "spec"), "parameters")


def _text(document: JsonObject, key: str) -> str | None:
    value = document.get(key)
    return None if value is None else str(value)


def _cron(trigger: str | _Trigger) -> str:
    return trigger if isinstance(trigger, str) else trigger.to_crontab()


def remove(name: str) -> None:
    """Remove a schedule; a run that it has begun continues.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    known = [schedule["name"] for schedule in listed()]
    if name not in known:
        hint = closest(name, known) if known else "; there is none yet"
        raise UsageError(f"no schedule '{name}'{hint}")
    import mlrun

    mlrun.get_run_db().delete_schedule(PROJECT, name)


def start(once: bool = False) -> int | None:
    """Run what is due on this machine, permanently or once.

    Returns
    -------
    int or None
        When the next thing is due, nanoseconds since the epoch.

    Raises
    ------
    UsageError
        If a service keeps the schedules: it runs them itself.
    NetopsError
        If another scheduler is at work.
    """
    if names_service():
        raise UsageError(
            "the MLRun service runs its schedules itself; unset MLRUN_DBPATH to run those of this machine"
        )
    load_project()

    with _alone():
        database = _database()
        database.abort_abandoned_runs()
        scheduler = Scheduler(database, PROJECT, LocalLauncher(database), time.time_ns)
        if once:
            return scheduler.step()
        scheduler.run(lambda nanoseconds: time.sleep(nanoseconds / 1e9))
    return None


@contextmanager
def _alone() -> Iterator[None]:
    """Lock a home folder for one scheduler; the lock is released whenever the process ends."""
    path = home() / "scheduler.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            number = os.read(descriptor, 20).decode().strip()
            raise NetopsError(
                f"a scheduler is at work already (process {number}); there is one for {home()}"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def when(moment: int | None) -> str:
    """Write a time for people."""
    return "never" if moment is None else write(moment)


def _database() -> "EmbeddedRunDB":
    import mlrun

    database: EmbeddedRunDB = mlrun.get_run_db()
    return database
