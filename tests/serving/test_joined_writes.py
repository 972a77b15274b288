import asyncio
from typing import Any

import pytest

from netops.serving.http.joined_writes import JoinedWrites

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Transport:
    """Records what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed_after: int | None = None

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        self.written.append(b"".join(parts))

    def is_closing(self) -> bool:
        return self.closed_after is not None

    def close(self) -> None:
        self.closed_after = len(self.written)

    def get_write_buffer_size(self) -> int:
        return 7


def written(*actions: str) -> Transport:
    async def run() -> Transport:
        transport = Transport()
        joined: Any = JoinedWrites(transport, asyncio.get_running_loop())  # type: ignore[arg-type]
        for action in actions:
            if action == "turn":
                await asyncio.sleep(0)
            elif action == "close":
                joined.close()
            else:
                joined.write(HEAD if action == "head" else action.encode())
        await asyncio.sleep(0)
        assert joined.get_write_buffer_size() == 7
        return transport

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (("head", "body"), [HEAD + b"body"]),
        (("head", "", "more"), [HEAD, b"more"]),  # an empty body is a write, too
        (("head", "turn", "body"), [HEAD, b"body"]),
        (("head",), [HEAD]),
        (("head", "close"), [HEAD]),
        (("body", "head", "a", "b"), [b"body", HEAD + b"a", b"b"]),
        (("head", "a", "head", "b"), [HEAD + b"a", HEAD + b"b"]),
    ],
)
def test_a_head_goes_with_what_follows_in_the_same_turn(actions: tuple[str, ...], expected: list[bytes]) -> None:
    assert written(*actions).written == expected


def test_nothing_is_written_after_the_connection_is_closed() -> None:
    transport = written("head", "close")
    assert (transport.written, transport.closed_after) == ([HEAD], 1)
