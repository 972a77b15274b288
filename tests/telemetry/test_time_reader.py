"""The times of a file: notations, zones, clocks that were not set, numbers that are no epoch."""

import numpy as np
import pyarrow as pa
import pytest

from netops.errors import UsageError
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.times.parsing import parse_times
from netops.telemetry.times.reader import TimeReader
from netops.telemetry.times.unreadable import UnreadableValueError

EPOCH = 1_767_571_200
MIDNIGHT = "2026-01-05T00:00:00"


def read(*values: object, **options: str) -> list[str]:
    times = TimeReader(**options)(pa.array(list(values)))
    assert not times.unset.any()
    return [str(time) for time in times.nanoseconds.view("datetime64[ns]").astype("datetime64[s]")]


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05 00:00:00 UTC",
        "2026-01-05 00:00:00 +0000",
        "2026-01-05 01:00:00 +01:00",
        "2026/01/05 00:00:00",
        "2026.01.05 00:00",
        "2026-1-5 0:00:00",
        "2026-01-05T00:00:00,000Z",
        "2026-01-05T00:00:00.123456789123Z",
        "20260105000000",
        "20260105T000000Z",
        "05/Jan/2026:00:00:00 +0000",
        "05-Jan-2026 00:00:00",
        "Mon, 05 Jan 2026 00:00:00 GMT",
        "Jan 5, 2026 12:00:00 AM",
        "January 5, 2026",
        "Mon Jan  5 00:00:00 2026",
        "Mon Jan  5 00:00:00 UTC 2026",
        20260105,
        20260105000000,
        EPOCH * 1_000,
        EPOCH * 1e6,
        f"{EPOCH}.0",
    ],
)
def test_what_means_one_thing_is_read(text: object) -> None:
    assert read(text) == [MIDNIGHT]


def test_microseconds_as_floats_are_microseconds() -> None:
    assert parse_times(pa.array([EPOCH * 1e6]))[0].tolist() == [EPOCH * 10**9]


def test_a_day_above_twelve_decides_how_all_are_read() -> None:
    assert read("05.01.2026 00:00", "13.01.2026 00:00")[0] == MIDNIGHT
    assert read("01/05/2026", "01/13/2026")[0] == MIDNIGHT


@pytest.mark.parametrize(
    ("value", "formats"),
    [
        ("05.01.2026 00:00:00", ["%d.%m.%Y %H:%M:%S", "%m.%d.%Y %H:%M:%S"]),
        ("01/05/2026 12:00 AM", ["%m/%d/%Y %I:%M %p", "%d/%m/%Y %I:%M %p"]),
        ("5-1-2026", ["%d-%m-%Y", "%m-%d-%Y"]),
    ],
)
def test_what_means_two_things_is_refused_with_formats_that_work(value: str, formats: list[str]) -> None:
    with pytest.raises(UnreadableValueError) as caught:
        read(value)
    found = [part.split('"')[0] for part in caught.value.problem.split("telemetry.time_format=")[1:]]
    assert found == formats
    for text in found:
        assert len(read(value, time_format=text)) == 1


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ((46027.0, 46027.5), "if Excel wrote these days, use --set telemetry.time_format=excel"),
        ((0, 1, 2), "1970-01-01T00:00:00 as epoch s.*--set telemetry.time_format=s"),
        ((EPOCH, EPOCH * 1000, EPOCH), "in epoch ms, other rows are in s"),
        ((EPOCH * 1000, EPOCH * 1000, EPOCH), "in epoch s, other rows are in ms"),
        ((EPOCH, 9e9, EPOCH), "not a time in the unit of the column"),
        (("1900-01-01", MIDNIGHT), "before 1970"),
        (("2200-01-01", MIDNIGHT), "after 2115"),
        ((20260105, 20261305), "no time|before 2000"),
    ],
)
def test_numbers_and_dates_that_cannot_be_meant_are_refused(values: tuple[object, ...], problem: str) -> None:
    with pytest.raises(UnreadableValueError, match=problem):
        read(*values)


@pytest.mark.parametrize("old", [0, 300, 315_532_800])
def test_a_clock_that_was_not_set_costs_its_samples(old: int) -> None:
    numbers = TimeReader()(pa.array([EPOCH, old, EPOCH + 60]))
    texts = TimeReader()(pa.array([MIDNIGHT, str(np.datetime64(old, "s")), "2026-01-05 00:01"]))
    assert numbers.unset.tolist() == texts.unset.tolist() == [False, True, False]


def test_a_time_format_takes_numbers_of_any_age() -> None:
    assert read(0, 60, time_format="s") == ["1970-01-01T00:00:00", "1970-01-01T00:01:00"]
    assert read(46027.5, time_format="excel") == ["2026-01-05T12:00:00"]
    assert read("05.01.26 00h00", time_format="%d.%m.%y %Hh%M") == [MIDNIGHT]


BERLIN = {"timezone": "Europe/Berlin"}


def test_times_without_a_zone_are_of_the_zone_that_is_set() -> None:
    assert read("2026-01-05 01:00", "2026-07-05 02:00", "2026-01-05T00:00Z", **BERLIN) == [
        MIDNIGHT,
        "2026-07-05T00:00:00",
        MIDNIGHT,
    ]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_the_repeated_hour_follows_the_order_of_the_rows(minutes: int, backwards: bool) -> None:
    utc = np.arange("2026-10-24T22:00", "2026-10-25T04:00", minutes, dtype="datetime64[m]")
    local = utc + np.where(utc < np.datetime64("2026-10-25T01:00"), 120, 60)
    rows = slice(None, None, -1) if backwards else slice(None)
    assert read(*map(str, local[rows]), **BERLIN) == [f"{time}:00" for time in utc[rows]]


def test_each_device_passes_the_hour_for_itself() -> None:
    local = ["2026-10-25T02:30"] * 2 + ["2026-10-25T02:00"] * 2
    reader = TimeReader(**BERLIN)
    first = reader(pa.array(local[:2]), ["a", "b"]).nanoseconds
    second = reader(pa.array(local[2:]), ["a", "b"]).nanoseconds
    assert first.tolist() == [first[0]] * 2
    assert ((second - first) / 60e9).tolist() == [30, 30]
    assert reader.repeated == 4


def test_the_hour_that_is_skipped_is_refused() -> None:
    with pytest.raises(UnreadableValueError, match="Europe/Berlin: it is skipped"):
        read("2026-03-29 01:59", "2026-03-29 02:30", **BERLIN)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (
            {"timezone": "Europe/Berln"},
            r"timezone: unknown time zone 'Europe/Berln'; did you mean 'Europe/Berlin'\?",
        ),
        ({"time_format": "%d.%m"}, "time_format: '%d.%m': a year, a month and a day are required"),
        ({"time_format": "%Q"}, "time_format: '%Q': unknown directive '%Q'"),
        ({"encoding": "klingon"}, "encoding: unknown encoding 'klingon'"),
    ],
)
def test_settings_are_checked_when_they_are_read(values: dict[str, str], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        TelemetrySettings(**values)  # type: ignore[arg-type]
