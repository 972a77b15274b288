"""Messages in a stream of syslog: octet counting and lines, whatever the pieces that arrive."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.serving.syslog.framing import Framer, split_datagram, to_text

LONGEST = 100


def framed(*pieces: bytes, longest: int = LONGEST, is_complete: bool = True) -> tuple[list[bytes], int]:
    framer, found = Framer(longest), []
    for piece in pieces:
        framer.feed(piece)
        while messages := framer.take(2):
            found += messages
    found += framer.finish(is_complete)
    return found, framer.cut


def counted(*messages: bytes) -> bytes:
    return b"".join(b"%d %s" % (len(message), message) for message in messages)


def test_lines() -> None:
    assert framed(b"<1>a\n<2>b\r\n\n<3>c") == ([b"<1>a", b"<2>b\r", b"", b"<3>c"], 0)


def test_at_most_some_messages_are_taken() -> None:
    framer = Framer(LONGEST)
    framer.feed(b"\n<1>a\0<2>b\n<3>c\n")
    assert [framer.take(2) for _ in range(3)] == [[b"", b"<1>a"], [b"<2>b", b"<3>c"], []]


def test_octet_counting_with_line_feeds_inside() -> None:
    assert framed(counted(b"<1>a\nb", b"<2>" + b"x" * 90)) == ([b"<1>a\nb", b"<2>" + b"x" * 90], 0)


def test_a_message_of_the_maximum_length_is_not_cut() -> None:
    message = b"<1>" + b"x" * (LONGEST - 3)
    assert framed(counted(message) + message + b"\n" + counted(b"<2>b")) == ([message, message, b"<2>b"], 0)
    assert framed(counted(message + b"y", b"<2>b")) == ([message, b"<2>b"], 1)


def test_the_length_has_at_most_seven_digits() -> None:
    framer = Framer(LONGEST)
    framer.feed(b"9999999 <1>a\n")
    assert framer.take(1) == []
    large = b"<1>" + b"x" * 999_997
    assert framed(counted(large), b"<2>b\n") == ([large[:LONGEST], b"<2>b"], 1)
    assert framed(b"10000000 <1>a\n") == ([b"10000000 <1>a"], 0)
    assert framed(b"0 <1>a\n") == ([b"0 <1>a"], 0)


def test_both_on_one_connection() -> None:
    assert framed(b"<1>a\n" + counted(b"<2>b") + b"<3>c\n" + counted(b"<4>d") + b"\n<5>e\n") == (
        [b"<1>a", b"<2>b", b"<3>c", b"<4>d", b"", b"<5>e"],
        0,
    )


@pytest.mark.parametrize(
    "line",
    [
        b"123: leaf1: *Nov 28 03:17:18: %SYS-5-X: y",
        b"2026-11-28 03:17:18 leaf1 x",
        b"1764299838 leaf1 x",
        b"7 x",
        b"9",
    ],
)
def test_a_line_that_begins_with_a_number_is_not_counted(line: bytes) -> None:
    assert framed(line + b"\n<1>a\n") == ([line, b"<1>a"], 0)
    assert framed(*(bytes([byte]) for byte in line + b"\n<1>a\n")) == ([line, b"<1>a"], 0)


def test_a_nul_before_the_next_message_is_an_end() -> None:
    assert framed(b"<1>a\0<2>b\0\n<3>c\0d\n") == ([b"<1>a", b"<2>b\0", b"<3>c\0d"], 0)
    assert framed(b"<1>a\0", b"<2>b\0") == ([b"<1>a", b"<2>b\0"], 0)
    assert framed(b"\0<1>a\n") == ([b"", b"<1>a"], 0)
    framer = Framer(LONGEST)
    framer.feed(b"<1>a\0<")
    assert framer.take(1) == [b"<1>a"]


def test_the_rest_of_a_line_that_is_too_long_is_skipped() -> None:
    assert framed(b"x" * 250 + b"\n<1>a\n") == ([b"x" * 100, b"<1>a"], 1)
    assert framed(*[b"x" * 60] * 5, b"\n<1>a\n") == ([b"x" * 100, b"<1>a"], 1)
    assert framed(b"x" * 1000) == ([b"x" * 100], 1)
    assert framed(b"x" * 100, b"\n<1>a\n") == ([b"x" * 100, b"<1>a"], 0)
    assert framed(b"x" * 100 + b"\n<1>a\n") == ([b"x" * 100, b"<1>a"], 0)


def test_the_rest_of_a_counted_message_that_is_too_long_is_skipped() -> None:
    stream = counted(b"<1>" + b"x\n" * 200, b"<2>b")
    for size in (1, 7, 1000):
        pieces = (stream[start : start + size] for start in range(0, len(stream), size))
        assert framed(*pieces) == ([(b"<1>" + b"x\n" * 200)[:100], b"<2>b"], 1)


def test_a_message_that_ends_with_the_stream_is_cut_if_its_length_is_known() -> None:
    assert framed(b"20 <1>abc") == ([b"<1>abc"], 1)
    assert framed(b"<1>abc") == ([b"<1>abc"], 0)
    assert framed(b"<1>abc", is_complete=False) == ([b"<1>abc"], 1)
    assert framed(b"") == ([], 0)


def test_an_endless_line_takes_no_memory() -> None:
    framer = Framer(LONGEST)
    for _ in range(1000):
        framer.feed(b"x" * 1000)
        framer.take(200)
        assert framer.size <= LONGEST
    assert framer.cut == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=60))), st.lists(st.integers(0, 4000)))
def test_pieces_do_not_matter(messages: list[tuple[bool, bytes]], cuts: list[int]) -> None:
    texts = [b"<13>" + text if is_counted else _line(text) for is_counted, text in messages]
    stream = b"".join(
        counted(text) if is_counted else text + b"\n" for (is_counted, _), text in zip(messages, texts, strict=True)
    )
    bounds = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    assert framed(*(stream[start:stop] for start, stop in pairwise(bounds))) == (texts, 0)


def _line(text: bytes) -> bytes:
    return b"<13>" + text.replace(b"\n", b" ").replace(b"\0<", b"  ")


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300)), st.integers(1, 50), st.booleans())
def test_any_bytes_are_split_in_bounded_memory(pieces: list[bytes], longest: int, is_complete: bool) -> None:
    framer, found, size = Framer(longest), [], sum(map(len, pieces))
    for piece in pieces:
        framer.feed(piece)
        while messages := framer.take(3):
            found += messages
        assert framer.size <= longest + 9
    found += framer.finish(is_complete)
    assert framer.take(1) == framer.finish(is_complete) == []
    assert all(len(message) <= longest for message in found)
    assert sum(map(len, found)) <= size
    assert framer.cut <= len(found)


def test_datagrams_of_several_lines() -> None:
    assert split_datagram(b"<1>a") == [b"<1>a"]
    assert split_datagram(b"<1>a\n<2>b\n") == [b"<1>a", b"<2>b", b""]
    assert split_datagram(b"<1>a\n  at x\n\ty\n<2>b") == [b"<1>a\n  at x\n\ty", b"<2>b"]


@settings(deadline=None)
@given(st.binary())
def test_any_message_becomes_text(message: bytes) -> None:
    for part in split_datagram(message):
        to_text(part).encode()


def test_ends_and_invalid_bytes_of_a_message() -> None:
    assert to_text(b"\0<1>caf\xe9 \xc3\xa9\0\r\n\0") == "<1>caf\ufffd é"
