"""Find the time column, or the columns of date and time."""

import re
from collections.abc import Sequence

from netops.telemetry.columns.device import RowsToLookAt
from netops.telemetry.columns.known_names import CLOCKS, DATES, columns_of, key_of

_CLOCK = re.compile(r"^\s*\d{1,2}:\d\d(:\d\d([.,]\d+)?)?(\s?[AaPp][Mm])?\s*(Z|UTC)?\s*$")
_DATE = re.compile(
    r"^\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{8}|\d{1,2}.[A-Za-z]{3}.\d{4})\s*$"
)
#: The first column in files of Windows' Performance Monitor: format and time zone.
PERFMON = re.compile(r"^\(PDH-[A-Z]+ [\d.]+\) \((?P<zone>[^)]*)\)\((?P<bias>-?\d+)\)$")

#: Column names of tools that write the month first: Performance Monitor and the Azure portal.
MONTH_FIRST = re.compile(r"^(\(PDH-|TimeGenerated \[)")


def find_times(names: Sequence[str], wanted: Sequence[str], rows: RowsToLookAt) -> tuple[str, ...]:
    """Find the time: one column, or a date and a time of day; empty if there is none."""
    for name in wanted:
        found = columns_of(name, names)
        if found is None:
            continue
        if len(found) == 1 and rows.all_match(found[0], _CLOCK):
            if date := _companion(found[0], names, DATES, _DATE, rows):
                return (date, found[0])
            continue
        is_date = len(found) == 1 and rows.all_match(found[0], _DATE)
        if is_date and (clock := _companion(found[0], names, CLOCKS, _CLOCK, rows)):
            return (found[0], clock)
        return found
    if perfmon := next((name for name in names if PERFMON.match(name)), None):
        return (perfmon,)
    return ()


def _companion(
    name: str, names: Sequence[str], known: Sequence[str], pattern: re.Pattern[str], rows: RowsToLookAt
) -> str | None:
    keys = [key_of(word) for word in known]
    others = [other for other in names if other != name and any(key_of(other).endswith(key) for key in keys)]
    return next((other for other in others if rows.all_match(other, pattern)), None)
