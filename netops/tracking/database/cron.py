"""When a cron expression is due: APScheduler's trigger, read the way cron means it, in UTC."""

import re
from datetime import UTC, datetime
from typing import Protocol

from netops.config.durations import SECOND
from netops.errors import UsageError

_FIELDS = ("second", "minute", "hour", "day", "month", "day_of_week")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class _Trigger(Protocol):
    """APScheduler's trigger."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """Return when it is due next."""


def normal(expression: str) -> str:
    """Write a cron expression with the days of the week by their names.

    APScheduler, and so MLRun, counts them from Monday on; cron counts from Sunday on (0 and 7).

    Raises
    ------
    UsageError
        If it has neither five fields nor six (seconds first), one of them is wrong, or it is never due.
    """
    fields = expression.split()
    if len(fields) not in (5, 6):
        raise UsageError(
            f"--cron '{expression}': {len(fields)} fields; write five, from minute to day of the week: '0 3 * * *'"
        )
    fields[-1] = "/".join(_days(part) if not index else part for index, part in enumerate(fields[-1].split("/")))
    text = " ".join(fields)
    try:
        due = next_after(text, 0)
    except ValueError as error:
        raise UsageError(f"--cron '{expression}': {error}") from None
    if due is None:
        raise UsageError(f"--cron '{expression}': never due: no month has such a day")
    return text


def _days(text: str) -> str:
    """Name the days of a field without its step; a range that reaches over Saturday becomes a list."""
    named = [_range(part) for part in text.split(",")]
    return ",".join(named)


def _range(part: str) -> str:
    ends = part.split("-")
    if not all(re.fullmatch(r"[0-7]", end) for end in ends) or len(ends) > 2:
        return part
    first, last = int(ends[0]), int(ends[-1])
    if len(ends) == 1:
        return _DAYS[first % 7]
    if last < first:
        raise UsageError(f"--cron: days {part}: the first is after the last")
    return ",".join(dict.fromkeys(_DAYS[day % 7] for day in range(first, last + 1)))


def triggers_of(expression: str) -> list[_Trigger]:
    """Make APScheduler's triggers of a normal expression; it is due when any of them is.

    Cron takes a day of the month and a day of the week, where both are restricted, as one or the other. APScheduler
    takes them as both, so that there is a trigger for each.
    """
    from apscheduler.triggers.cron import CronTrigger

    fields = expression.split()
    named = dict(zip(_FIELDS, fields if len(fields) == 6 else ["0", *fields], strict=True))
    either = either_day(expression)
    parts = [named | {"day": "*"}, named | {"day_of_week": "*"}] if either else [named]
    return [CronTrigger(**part, timezone=UTC) for part in parts]


def either_day(expression: str) -> bool:
    """Whether both the day of the month and the day of the week are restricted."""
    *_, day, _month, day_of_week = expression.split()
    return not day.startswith("*") and not day_of_week.startswith("*")


def next_after(expression: str, moment: int) -> int | None:
    """Return when a normal expression is due next.

    Parameters
    ----------
    expression : str
        As :func:`normal` gives it.
    moment : int
        Nanoseconds since the epoch; what is due just then does not count.

    Returns
    -------
    int or None
        Nanoseconds since the epoch; None where it never is again.
    """
    start = datetime.fromtimestamp(moment // SECOND + 1, UTC)
    due = [trigger.get_next_fire_time(None, start) for trigger in triggers_of(expression)]
    moments = [round(time.timestamp()) * SECOND for time in due if time is not None]
    return min(moments, default=None)
