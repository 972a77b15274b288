"""Durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netops.config.durations import DAY, HOUR, MINUTE, SECOND, format_duration, parse_duration
from netops.errors import UsageError


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("90s", 90 * SECOND),
        ("10m", 10 * MINUTE),
        ("1.5h", 90 * MINUTE),
        ("2d", 2 * DAY),
        (5, 5 * SECOND),
        ("250ms", SECOND // 4),
    ],
)
def test_parsing(text: object, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "0s", "5 weeks", "1e400h", "nan"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("nanoseconds", "label"),
    [(90 * SECOND, "90s"), (MINUTE, "1m"), (371 * SECOND, "371s"), (2 * HOUR, "2h"), (DAY, "1d")],
)
def test_the_label_takes_the_largest_unit_that_divides(nanoseconds: int, label: str) -> None:
    assert format_duration(nanoseconds) == label


@given(st.integers(min_value=1, max_value=10**17))
def test_what_is_written_is_read_back(nanoseconds: int) -> None:
    assert parse_duration(format_duration(nanoseconds)) == pytest.approx(nanoseconds, rel=1e-15)
