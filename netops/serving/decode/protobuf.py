"""A reader of protobuf's wire format, as much of it as remote write needs."""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class TooManyFieldsError(ValueError):
    """A message has more fields than it may have."""


class Budget:
    """How many more fields may be read of a message and of all that is in it.

    Parameters
    ----------
    fields : int
    """

    __slots__ = ("left",)

    def __init__(self, fields: int) -> None:
        self.left = fields


def fields(buffer: memoryview, budget: Budget) -> Iterator[tuple[int, int | memoryview]]:
    """Walk over the fields of a message: their number, and a varint, or the bytes of anything else.

    Parameters
    ----------
    buffer : memoryview
        The message.
    budget : Budget
        Each field takes one from it.

    Raises
    ------
    TooManyFieldsError
        If the budget is used up.
    ValueError
        If the message breaks off or holds a wire type that is not defined.
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
            raise ValueError(f"wire type {kind} is not defined")
        if index + size > end:
            raise ValueError("the message breaks off")
        yield number, buffer[index : index + size]
        index += size


def varint(buffer: memoryview, index: int) -> tuple[int, int]:
    """Read one varint of at most 64 bits; return it with the place after it."""
    value = shift = 0
    while shift < 70:
        if index >= len(buffer):
            raise ValueError("the message breaks off")
        byte = buffer[index]
        index += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, index
        shift += 7
    raise ValueError("a varint is too long")


def signed(value: int) -> int:
    """Read a varint as int64."""
    return value - (1 << 64) if value >= 1 << 63 else value
