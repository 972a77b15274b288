"""Times of log lines: notations, zones, years that the lines do not have."""

import numpy as np
import pytest

from netops.errors import NetopsError
from netops.logs.clock import DAY, LogClock, Period
from netops.telemetry.times.instants import iso


def at(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def read(clock: LogClock, *texts: str) -> list[str]:
    times, good = clock(list(texts))
    return [iso(time) if fine else "–" for time, fine in zip(times.tolist(), good.tolist(), strict=True)]


def test_notations() -> None:
    found = read(
        LogClock("f"),
        "2026-11-28T03:17:18Z",
        "2026-11-28 03:17:18,5",
        "2026-11-28T03:17:18.123456+01:00",
        "2026-11-28T03:17:18.000-0530",
        "2026 Nov 28 03:17:18",
        "Nov 28 2026 03:17:18.123 UTC",
        "Nov  8 03:17:18 2026",
        "1764299838",
        "1764299838.25",
    )
    assert found == [
        "2026-11-28T03:17:18Z",
        "2026-11-28T03:17:18Z",
        "2026-11-28T02:17:18Z",
        "2026-11-28T08:47:18Z",
        "2026-11-28T03:17:18Z",
        "2026-11-28T03:17:18Z",
        "2026-11-08T03:17:18Z",
        "2025-11-28T03:17:18Z",
        "2025-11-28T03:17:18Z",
    ]


def test_fractions_are_exact() -> None:
    times, _ = LogClock("f")(["1764299838.123456789", "2026-11-28T03:17:18.000000001Z"])
    assert times.tolist() == [1764299838123456789, at("2026-11-28T03:17:18.000000001")]


@pytest.mark.parametrize(
    ("text", "unit"), [("1764299838", 1), ("1764299838000", 10**3), ("1764299838000000000", 10**9)]
)
def test_numbers_since_the_epoch(text: str, unit: int) -> None:
    assert LogClock("f")([text])[0].tolist() == [int(text) * 10**9 // unit]


def test_what_is_no_time_is_marked() -> None:
    assert read(
        LogClock("f", year=2025), "yesterday", "Feb 29 10:00:00", "Feb 28 10:00:00", "2026-13-01 00:00:00"
    ) == [
        "–",
        "–",
        "2025-02-28T10:00:00Z",
        "–",
    ]


def test_the_year_turns_with_the_order_of_the_lines() -> None:
    clock = LogClock("f", year=2025)
    assert read(clock, "Dec 30 23:00:00", "Dec 31 23:59:59", "Jan  1 00:00:01", "Dec 31 23:59:58") == [
        "2025-12-30T23:00:00Z",
        "2025-12-31T23:59:59Z",
        "2026-01-01T00:00:01Z",
        "2025-12-31T23:59:58Z",
    ]
    assert read(clock, "Sep  1 00:00:00", "Mar  1 00:00:00") == ["2026-09-01T00:00:00Z", "2027-03-01T00:00:00Z"]
    assert clock.describe() == "UTC; year 2025 for the first line, as set"


@pytest.mark.parametrize(
    ("first", "last", "year"),
    [
        ("2026-01-10", "2026-01-20", 2025),
        ("2025-12-01", "2025-12-31", 2025),
        ("2026-10-01", "2026-10-02", 2026),
        ("2026-06-01", "2026-06-02", 2025),
    ],
)
def test_the_year_is_the_one_closest_to_the_telemetry(first: str, last: str, year: int) -> None:
    clock = LogClock("f", period=Period(at(first), at(last), "the telemetry"))
    assert read(clock, "Dec 15 00:00:00") == [f"{year}-12-15T00:00:00Z"]


def test_a_year_that_cannot_be_known_is_asked_for() -> None:
    with pytest.raises(NetopsError, match=r"no year; set it with --set logs\.year"):
        LogClock("f")(["Dec 15 00:00:00"])
    with pytest.raises(NetopsError, match="longer than one"):
        LogClock("f", period=Period(at("2024-01-01"), at("2026-12-31"), "the telemetry"))(["Dec 15 00:00:00"])


def test_zones() -> None:
    clock = LogClock("f", "Europe/Berlin", year=2026)
    assert read(clock, "Jul  1 12:00:00", "2026-07-01T12:00:00Z") == [
        "2026-07-01T10:00:00Z",
        "2026-07-01T12:00:00Z",
    ]


def test_the_hour_that_daylight_saving_time_skips_is_no_time() -> None:
    clock = LogClock("f", "Europe/Berlin")
    found = read(clock, "2026-03-29 01:30:00", "2026-03-29 02:30:00", "2026-03-29 02:31:00", "2026-03-29 03:30:00")
    assert found == ["2026-03-29T00:30:00Z", "–", "–", "2026-03-29T01:30:00Z"]


def test_an_abbreviated_zone_has_to_be_set() -> None:
    with pytest.raises(NetopsError, match=r"zone 'CET', which is ambiguous.*logs\.timezone"):
        LogClock("f")(["Nov 28 2026 03:17:18 zone CET"])
    assert read(LogClock("f", "Europe/Berlin"), "Nov 28 2026 03:17:18 zone CET") == ["2026-11-28T02:17:18Z"]


def test_batches_give_what_one_call_gives() -> None:
    draw = np.random.default_rng(5)
    moments = at("2025-11-20") + np.cumsum(draw.integers(0, 3 * DAY, 400))
    texts = [f"{np.datetime64(int(t), 'ns').astype('datetime64[s]').item():%b %e %H:%M:%S}" for t in moments]
    whole = LogClock("f", year=2025)(texts)[0]
    assert whole.tolist() == (moments // 10**9 * 10**9).tolist()
    for size in (1, 7, 100):
        clock = LogClock("f", year=2025)
        assert (
            np.concatenate([clock(texts[i : i + size])[0] for i in range(0, 400, size)]).tolist() == whole.tolist()
        )


def test_numbers_of_too_many_digits_are_no_times() -> None:
    clock = LogClock("f")
    assert read(clock, "9" * 400, "9" * 5000) == ["–", "–"]
    assert read(clock, "9" * 400, "1764299838") == ["–", "2025-11-28T03:17:18Z"]
