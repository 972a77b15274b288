"""Batches of 1,000 samples over HTTP, each answered with risk and reasons."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from .report import report
from .serving import body, closed, make_model, run, server

DEVICES, BATCHES, CONNECTIONS = 500, 60, 2


def main() -> None:
    """Measure JSON bodies; the sender encodes them beforehand."""
    random = np.random.default_rng(0)

    def batch(lane: int, number: int) -> bytes:
        ticks = range(2 * number, 2 * number + 2)
        rows = [body(DEVICES * lane + device, tick, random) for tick in ticks for device in range(DEVICES)]
        return b"[" + b",".join(rows) + b"]"

    bodies = [[batch(lane, number) for number in range(BATCHES + 5)] for lane in range(CONNECTIONS)]
    with (
        TemporaryDirectory() as folder,
        server("ours", make_model(Path(folder) / "m"), Path(folder) / "s") as served,
    ):

        def warm(lane: int) -> Iterator[bytes]:
            yield from bodies[lane][:5]

        def rest(lane: int) -> Iterator[bytes]:
            yield from bodies[lane][5:]

        run(closed(served.url, "/telemetry", warm, CONNECTIONS))
        count, seconds = run(closed(served.url, "/telemetry", rest, CONNECTIONS))
    report("serving_batch", count * 2 * DEVICES / seconds)


if __name__ == "__main__":
    main()
