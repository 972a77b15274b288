"""Single samples over HTTP: latency at 200 requests a second, and requests a second in a closed loop."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from .report import report
from .serving import body, closed, make_model, paced, run, server


def main() -> None:
    """Measure both."""
    random = np.random.default_rng(0)
    with (
        TemporaryDirectory() as folder,
        server("ours", make_model(Path(folder) / "m"), Path(folder) / "s") as served,
    ):
        warm = [body(device, tick, random) for tick in range(4) for device in range(100)]
        run(paced(served.url, "/telemetry", warm, 200))
        bodies = [body(device, tick, random) for tick in range(4, 24) for device in range(100)]
        found = run(paced(served.url, "/telemetry", bodies, 200))

        def lane(number: int) -> Iterator[bytes]:
            for tick in range(1500):
                yield body(100 + number, tick, random)

        count, seconds = run(closed(served.url, "/telemetry", lane, 4))
    p50, p99 = np.percentile(found, [50, 99]).tolist()
    report("serving_single", count / seconds, p50_ms=p50, p99_ms=p99)


if __name__ == "__main__":
    main()
