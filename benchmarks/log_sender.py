"""Sends lines of syslog over TCP at a fixed rate, as relays do: port, lines per second, seconds.

Runs in a process of its own, so that it takes no time of the one that measures.
"""

import socket
import sys
import time
from collections.abc import Iterator
from itertools import cycle

from .log_reading import TEXTS

DEVICES = 5_000
_CONNECTIONS = 4
#: Seconds between two writes.
_TICK = 0.01


def device(number: int) -> str:
    """Return the name of a device."""
    return f"leaf{number % DEVICES}.dc1.example"


def lines() -> Iterator[str]:
    """Yield lines without an end; ``{now}`` in them is the time."""
    while True:
        for row in range(DEVICES * len(TEXTS)):
            text = TEXTS[row % len(TEXTS)].format(
                small=row % 48, large=1024 + row % 60_000, state=("up", "down")[row % 2]
            )
            yield f"<{187 + row % 4}>{{now}} {device(row)} {text}\n"


def main(port: int, rate: int, seconds: float) -> None:
    """Send, and print the number of lines."""
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(_CONNECTIONS)]
    source, since, sent = lines(), time.perf_counter(), 0
    for connection in cycle(connections):
        elapsed = time.perf_counter() - since
        if elapsed >= seconds:
            break
        now = time.strftime("%b %e %H:%M:%S", time.gmtime())
        due = [next(source).replace("{now}", now) for _ in range(int(elapsed * rate) - sent)]
        connection.sendall("".join(due).encode())
        sent += len(due)
        time.sleep(_TICK)
    for connection in connections:
        connection.close()
    print(sent, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
