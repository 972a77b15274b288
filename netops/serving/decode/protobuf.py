"""A reader of the part of protobuf's wire format that remote write needs."""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class TooManyFieldsError(ValueError):
    """A message has too many fields."""


class Budget:
    """The remaining number of fields that may be read of a message and its nested messages.

    Parameters
    ----------
    fields : int
    """

    __slots__ = ("left",)

    def __init__(self, fields: int) -> None:
        self.left = fields


def fields(buffer: memoryview, budget: Budget) -> Iterator[tuple[int, int | memoryview]]:
    """Iterate over the fields of a message: number, and a varint or the bytes of other types.

    Parameters
    ----------
    buffer : memoryview
        The message.
    budget : Budget
        Each field decrements it.

    Raises
    ------
    TooManyFieldsError
        If the budget is exhausted.
    ValueError
        If the message is truncated or has an undefined wire type.
    """
    index, end = 0, len(buffer)
    while index < end:
        budget.left -= 1
        if budget.left < 0:
            raise TooManyFieldsError("too many fields")
        key, index = varint(buffer, index)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, index = varint(buffer, index)
            yield number, value
            continue
        if kind == BYTES:
            size, index = varint(buffer, index)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"undefined wire type {kind}")
        if index + size > end:
            raise ValueError("the message is truncated")
        yield number, buffer[index : index + size]
        index += size


def varint(buffer: memoryview, index: int) -> tuple[int, int]:
    """Read a varint of at most 64 bits; return it with the next position."""
    value = shift = 0
    while shift < 70:
        if index >= len(buffer):
            raise ValueError("the message is truncated")
        byte = buffer[index]
        index += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, index
        shift += 7
    raise ValueError("a varint is too long")


def signed(value: int) -> int:
    """Convert a varint to int64."""
    return value - (1 << 64) if value >= 1 << 63 else value
