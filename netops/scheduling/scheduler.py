"""Runs what is due, one at a time, on this machine.

A schedule has one next time and at most one run that has started and not finished. Both change in one
transaction, so that a scheduler that is killed at any moment and started again runs what was due once: what was
begun resumes where it stopped, missed runs are combined into one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from netops.config.durations import format_duration
from netops.errors import NetopsError
from netops.progress import say
from netops.tracking.records import ScheduledWork

if TYPE_CHECKING:
    from netops.tracking.database.schedules import Schedule, Schedules

#: Polling interval: schedules may be added, removed and cancelled while the scheduler waits.
LOOK = 1_000_000_000


class Launcher(Protocol):
    """Runs workflows."""

    def launch(self, document: ScheduledWork, run: str) -> str:
        """Run or resume the workflow of a schedule under an id; return its final state.

        Raises
        ------
        NetopsError
            If it failed.
        """

    def busy(self, document: ScheduledWork) -> str | None:
        """Return the id of a run of the same network that is still running, or None."""


@dataclass
class Scheduler:
    """The loop, with an injected clock.

    Attributes
    ----------
    database : Schedules
        Where the schedules are.
    project : str
        Whose schedules are run.
    launcher : Launcher
        Runs them.
    clock : callable
        Gives the time, nanoseconds since the epoch.
    """

    database: "Schedules"
    project: str
    launcher: Launcher
    clock: Callable[[], int]

    def step(self) -> int | None:
        """Run what is due, the longest due first.

        Returns
        -------
        int or None
            When the next thing is due, nanoseconds since the epoch; None if nothing ever is.
        """
        while (schedule := self._first()) is not None:
            moment = schedule.waits_until
            if moment is not None and moment > self.clock():
                if any(self._correct(waiting) for waiting in self.database.schedules(self.project)):
                    continue
                return moment
            if schedule.run:
                self._attempt(schedule, schedule.run)
            else:
                self._begin(schedule)
        return None

    def run(self, wait: Callable[[int], None]) -> None:
        """Run permanently.

        Parameters
        ----------
        wait : callable
            Sleeps for the given number of nanoseconds.
        """
        while True:
            due = self.step()
            wait(LOOK if due is None else max(min(due - self.clock(), LOOK), 0))

    def _first(self) -> "Schedule | None":
        waiting = [s for s in self.database.schedules(self.project) if s.waits_until is not None]
        return min(waiting, key=lambda s: s.waits_until or 0, default=None)

    def _correct(self, schedule: "Schedule") -> bool:
        wrong: bool = self.database.correct_schedule(self.project, schedule, self.clock())
        if wrong:
            say(f"{schedule.name}: due earlier than noted: the clock was ahead")
        return wrong

    def _begin(self, schedule: "Schedule") -> None:
        other = self.launcher.busy(schedule.document)
        run = None if other else uuid4().hex
        if not self.database.begin_schedule(self.project, schedule, run, self.clock()):
            return
        if other:
            say(f"{schedule.name}: skipped, because run {other[:12]} of the network is still running")
            return
        say(f"{schedule.name}: run {str(run)[:12]} begins")

    def _attempt(self, schedule: "Schedule", run: str) -> None:
        if schedule.attempt > schedule.document["retries"]:
            self._give_up(schedule, run, "it ended its process each time")
            return
        if not self.database.try_schedule(self.project, schedule, schedule.attempt + 1, self.clock()):
            return
        try:
            state = self.launcher.launch(schedule.document, run)
        except NetopsError as error:
            self._failed(schedule, run, error)
        else:
            self.database.finish_schedule(self.project, schedule, state)
            say(f"{schedule.name}: run {run[:12]} {state}")

    def _failed(self, schedule: "Schedule", run: str, error: NetopsError) -> None:
        if schedule.attempt >= schedule.document["retries"]:
            self._give_up(schedule, run, str(error))
            return
        wait = schedule.document["backoff"] * 2**schedule.attempt
        self.database.try_schedule(self.project, schedule, schedule.attempt + 1, self.clock() + wait)
        say(f"{schedule.name}: {error}; tried again in {format_duration(wait)}")

    def _give_up(self, schedule: "Schedule", run: str, reason: str) -> None:
        self.database.finish_schedule(self.project, schedule, "error")
        say(f"{schedule.name}: run {run[:12]} failed permanently: {reason}")
