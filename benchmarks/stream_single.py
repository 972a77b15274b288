"""One sample at a time through the Python API: the 99th percentile of the time it takes, in µs."""

import time

import numpy as np

from netops.features.engine import FeatureEngine

from . import windows
from .report import report


def main() -> None:
    """Measure 100 devices over an hour: 72,000 samples, among them all that complete a block of a window."""
    devices = 100
    engine, taken = FeatureEngine(windows.SPEC), np.empty(devices * windows.TICKS)
    engine.update_one(0, 0, windows.VALUES[0])
    engine.forget(0)
    times, i = windows.TIMES[: windows.TICKS].tolist(), 0
    for tick, moment in enumerate(times):
        for device in range(devices):
            values = windows.VALUES[device * windows.TICKS + tick]
            start = time.perf_counter_ns()
            engine.update_one(device, moment, values)
            taken[i] = time.perf_counter_ns() - start
            i += 1
    median, high = np.percentile(taken, (50, 99)) / 1e3
    report("stream_single", float(high), median=float(median))


if __name__ == "__main__":
    main()
