"""Times of arriving messages: as those of files, though only hours are parsed."""

from datetime import UTC, datetime, timedelta
from time import time_ns

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.logs.clock import LogClock, Period
from netops.serving.logs.live_clock import LiveClock

NOTATIONS = (
    "%b %d %H:%M:%S",
    "%b %d %H:%M:%S.%f",
    "%b %d %Y %H:%M:%S",
    "%Y %b %d %H:%M:%S.%f",
    "%b %d %H:%M:%S %Y",
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y-%m-%d %H:%M:%S,%f",
    "%Y-%m-%dT%H:%M:%S+05:30",
    "%b %d %H:%M:%S.%f UTC",
)
ZONES = ("", "Europe/Berlin", "Asia/Kolkata")
TIMES = st.integers(-100 * 86_400, 100 * 86_400).map(lambda seconds: datetime.now(UTC) + timedelta(seconds=seconds))
CLOCKS = {zone: LiveClock(zone) for zone in ZONES}


def as_in_files(text: str, zone: str) -> int | None:
    now = time_ns()
    times, good = LogClock("x", zone, None, Period(now, now, "now"))([text])
    return int(times[0]) if good[0] else None


@settings(deadline=None)
@given(TIMES, st.sampled_from(NOTATIONS), st.sampled_from(ZONES))
def test_times_are_those_of_files(time: datetime, notation: str, zone: str) -> None:
    text = time.strftime(notation)
    assert CLOCKS[zone].read([text]) == [as_in_files(text, zone)]


@settings(deadline=None)
@given(
    st.one_of(st.text(max_size=30), st.from_regex(r"Nov 28 [012]\d:[0-6]\d:[0-6]\d[.,: ]?\d{0,12}", fullmatch=True))
)
def test_what_is_no_time_there_is_none_here(text: str) -> None:
    (found,), known = CLOCKS[""].read([text]), as_in_files(text, "")
    if known is None:
        assert isinstance(found, str)
    else:
        assert found == known or isinstance(found, str)


@pytest.mark.parametrize("text", ["Nov 31 03:17:18", "now", "", "Nov 28 03:61:18"])
def test_errors_name_the_time(text: str) -> None:
    (found,) = LiveClock().read([text])
    assert found == f"its time cannot be read: {text!r}"


def test_the_hour_that_daylight_saving_time_skips_is_unreadable() -> None:
    (skipped, after) = LiveClock("Europe/Berlin").read(["Mar 29 2026 02:17:18", "Mar 29 2026 03:17:18"])
    assert isinstance(skipped, str)
    assert after == int(datetime(2026, 3, 29, 1, 17, 18, tzinfo=UTC).timestamp()) * 10**9


def test_long_texts_are_no_times_and_are_not_stored() -> None:
    clock = LiveClock()
    known = dict(clock._known)
    longest, longer = "Nov 28 03:17:18 " + "x" * 48, "Nov 28 03:17:18 " + "x" * 49
    (found,) = clock.read([longer])
    assert found == f"its time cannot be read: {longer[:40]!r}"
    assert clock._known.keys() <= known.keys() | {""}
    clock.read([longest])
    assert clock._known.keys() - known.keys() - {""} == {"Nov 28 03:00:00 " + "x" * 48}
