"""What all benchmarks share: the clock, and the line they print."""

import json
import time
from collections.abc import Callable


def report(
    benchmark: str, ours: float, peer: str | None = None, theirs: float | None = None, **more: float | str
) -> None:
    """Print one line: rates in samples/s unless the benchmark says otherwise; the ratio is ours / theirs."""
    ratio = None if theirs is None else ours / theirs
    line = {"benchmark": benchmark, "ours": ours, "peer": peer, "theirs": theirs, "ratio": ratio, **more}
    print(json.dumps({key: round(x, 3) if isinstance(x, float) else x for key, x in line.items()}), flush=True)


def fastest(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of several runs."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
