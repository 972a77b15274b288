import pytest

from netops.serving.decode.times import all_nanoseconds, iso, nanoseconds

MOMENT = 1_700_000_000_123_456_789


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        (1_700_000_000, 1_700_000_000_000_000_000),
        (1_700_000_000_123, 1_700_000_000_123_000_000),
        (1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (MOMENT, MOMENT),
        (1_700_000_000.25, 1_700_000_000_250_000_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000_000_000),
        ("2023-11-14 22:13:20", 1_700_000_000_000_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000_000_000_000),
        ("2023-11-14T22:13:20.123456789Z", MOMENT),
        ("2023-11-14T22:13:20.1234567Z", MOMENT - 89),
        (0, 0),
    ],
)
def test_reads_times_however_they_are_written(stamp, expected):
    assert nanoseconds(stamp) == expected


@pytest.mark.parametrize(
    "stamp", [-1, -1e30, 1e300, float("nan"), float("inf"), 1 << 70, "", "now", "1700000000", "9999-01-01"]
)
def test_refuses_what_is_no_time(stamp):
    with pytest.raises(ValueError, match="timestamp"):
        nanoseconds(stamp)


def test_many_at_once_are_read_like_one_by_one():
    stamps = [1_700_000_000, 1_700_000_000_123, 1_700_000_000_123_456, MOMENT, 0] * 2
    assert all_nanoseconds(stamps).tolist() == [nanoseconds(stamp) for stamp in stamps]
    for odd in (1.5, -5, 1 << 70):
        assert all_nanoseconds([*stamps, odd]) is None


@pytest.mark.parametrize("moment", [MOMENT, 0, 1_700_000_000_000_000_000, 1_700_000_000_500_000_000])
def test_writes_what_it_reads(moment):
    assert nanoseconds(iso(moment)) == moment
