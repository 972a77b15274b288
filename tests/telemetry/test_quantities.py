"""Numbers as people write them."""

import numpy as np
import pyarrow as pa
import pytest

from netops.telemetry.columns.quantities import (
    NULLS,
    AmbiguousNumbersError,
    notation_of,
    nulls_as_none,
    read_numbers,
)

NAN = float("nan")


def column(*values: str | None) -> pa.Array:
    return nulls_as_none(pa.array(list(values), pa.string()), NULLS)


@pytest.mark.parametrize(
    ("values", "expected", "how"),
    [
        (("40.1%", "41 %", "NA"), [40.1, 41, NAN], "in %"),
        (("12 ms", "3.5ms"), [12, 3.5], "in ms"),
        (("3.4 Mbit/s", "900 kbit/s"), [3.4e6, 9e5], "Mbit/s, kbit/s, all in bit/s"),
        (("12 ms", "3 s"), [0.012, 3], "ms, s, all in s"),
        (("1.5k", "2M", "100"), [1500, 2e6, 100], "k, M, no unit, all in units"),
        (("1,234.5", "12.0"), [1234.5, 12], "thousands separators"),
        (("1'234.5", "12"), [1234.5, 12], "thousands separators"),
        (("1,234,567", "5"), [1234567, 5], "thousands separators"),
        (("1,5", "2,75"), [1.5, 2.75], "decimal comma"),
        (("1,234", "0,345"), [1.234, 0.345], "decimal comma"),
        (("1.234,5", "2,5"), [1234.5, 2.5], "decimal comma; thousands separators"),
        (("-5 dBm", "-7,5 dBm"), [-5, -7.5], "in dBm; decimal comma"),
        (("up", "Down", ""), [1, 0, NAN], "up is 1, down is 0"),
        (("on", "on"), [1, 1], "on is 1, off is 0"),
    ],
)
def test_a_column_that_agrees_is_read(values: tuple[str, ...], expected: list[float], how: str) -> None:
    notation = notation_of([column(*values)])
    assert notation is not None
    assert str(notation) == how
    numbers, wrong = read_numbers(column(*values), notation)
    assert wrong is None
    np.testing.assert_allclose(numbers, expected)


@pytest.mark.parametrize(
    "values", [("10.0.0.1", "10.0.0.2"), ("7A", "8B", "9C"), ("15.2(4)M",), ("1.2.3",), ("x", "y")]
)
def test_addresses_versions_and_names_are_text(values: tuple[str, ...]) -> None:
    assert notation_of([column(*values)]) is None


def test_a_value_that_disagrees_is_named() -> None:
    notation = notation_of([column("40%", "41%", "42%", "high")])
    assert notation is not None
    assert read_numbers(column("40%", "high"), notation)[1] == 1
    assert read_numbers(column("40%", "12 ms"), notation)[1] == 1


def test_what_may_be_either_needs_the_setting() -> None:
    values = column("12", "1,234", "2,345")
    with pytest.raises(AmbiguousNumbersError) as caught:
        notation_of([values])
    assert (caught.value.row, caught.value.value) == (1, "1,234")
    for decimal, expected in ((",", 1.234), (".", 1234)):
        notation = notation_of([values], decimal)
        assert notation is not None
        assert read_numbers(values, notation)[0][1] == expected
