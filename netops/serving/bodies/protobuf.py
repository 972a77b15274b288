"""A reader of protobuf's wire format, as much of it as remote write needs."""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def fields(buffer: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Walk over the fields of a message: their number, and a varint, or the bytes of anything else.

    Raises
    ------
    ValueError
        If the message breaks off or holds a wire type that is not defined.
    """
    place, end = 0, len(buffer)
    while place < end:
        key, place = varint(buffer, place)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, place = varint(buffer, place)
            yield number, value
            continue
        if kind == BYTES:
            size, place = varint(buffer, place)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} is not defined")
        if place + size > end:
            raise ValueError("the message breaks off")
        yield number, buffer[place : place + size]
        place += size


def varint(buffer: memoryview, place: int) -> tuple[int, int]:
    """Read one varint of at most 64 bits; return it with the place after it."""
    value = shift = 0
    while shift < 70:
        if place >= len(buffer):
            raise ValueError("the message breaks off")
        byte = buffer[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place
        shift += 7
    raise ValueError("a varint is too long")


def signed(value: int) -> int:
    """Read a varint as int64."""
    return value - (1 << 64) if value >= 1 << 63 else value
