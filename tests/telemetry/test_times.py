"""Times in every notation that telemetry comes in."""

import pyarrow as pa
import pytest

from netops.telemetry.times.parsing import parse_times
from netops.telemetry.times.unreadable import UnreadableValueError

NOON = 1_767_614_400_000_000_000  # 2026-01-05T12:00:00Z
TEXT = "2026-01-05T12:00:00"


@pytest.mark.parametrize(
    "column",
    [
        pa.array([NOON]),
        pa.array([NOON // 1_000]),
        pa.array([NOON // 1_000_000]),
        pa.array([NOON // 1_000_000_000]),
        pa.array([NOON / 1e9]),
        pa.array([NOON / 1e6]),
        pa.array([str(NOON)]),
        pa.array([f"{NOON / 1e9}"]),
        pa.array([f" {NOON // 1_000_000_000} "]),
        pa.array(["1.7676144e9"]),
        pa.array([TEXT]),
        pa.array([TEXT + "Z"]),
        pa.array([TEXT.replace("T", " ")]),
        pa.array([TEXT + ".000000000Z"]),
        pa.array(["2026-01-05T14:00:00+02:00"]),
        pa.array(["2026-01-05 07:00:00-0500"]),
        pa.array([TEXT]).cast(pa.timestamp("ms")),
        pa.array([TEXT + "Z"]).cast(pa.timestamp("s", tz="UTC")).cast(pa.timestamp("s", tz="Asia/Tokyo")),
        pa.array([TEXT]).dictionary_encode(),
    ],
    ids=str,
)
def test_every_notation_means_the_same_instant(column: pa.Array) -> None:
    assert parse_times(column)[0].tolist() == [NOON]


def test_a_date_is_its_midnight() -> None:
    assert parse_times(pa.array(["2026-01-05"]))[0].tolist() == [NOON - 12 * 3600 * 10**9]


def test_zones_may_be_mixed() -> None:
    times, unit = parse_times(pa.array([TEXT, "2026-01-05T14:00:00+02:00", TEXT + "Z"]))
    assert times.tolist() == [NOON] * 3
    assert unit is None


def test_fractions_have_microsecond_precision_and_integers_nanosecond_precision() -> None:
    assert parse_times(pa.array(["1767614400.123457"]))[0].tolist() == [NOON + 123_457_000]
    assert parse_times(pa.array([str(NOON + 7)]))[0].tolist() == [NOON + 7]
    assert parse_times(pa.array([TEXT + ".123456789"]))[0].tolist() == [NOON + 123_456_789]


def test_the_unit_is_decided_once_for_a_column() -> None:
    _, unit = parse_times(pa.array([NOON // 1_000_000]))
    assert parse_times(pa.array([5_000]), unit)[0].tolist() == [5_000_000_000]


@pytest.mark.parametrize(
    ("column", "row"),
    [
        (pa.array([TEXT, "yesterday"]), 1),
        (pa.array([TEXT + "Z", TEXT, "2026-13-05T12:00:00Z"]), 2),
        (pa.array(["1767614400", "1767614405", TEXT]), 2),
        (pa.array([TEXT, None]), 1),
        (pa.array(["", TEXT]), 0),
        (pa.array([1.0, float("nan")]), 1),
        (pa.array([True, False]), 0),
    ],
    ids=str,
)
def test_a_value_that_is_no_time_is_named_with_its_row(column: pa.Array, row: int) -> None:
    with pytest.raises(UnreadableValueError) as caught:
        parse_times(column)
    assert caught.value.row == row
