"""Streaming features in micro-batches of 1,000 on one core, against storey, MLRun's feature engine.

Storey sees the first 20 samples of each of 1,000 devices, when its windows hold little; ours an hour of each, so
that its windows are full.
"""

import datetime as dt

import numpy as np

from netops.features.engine import FeatureEngine

from . import windows
from .report import fastest, report

BATCH, THEIR_TICKS = 1_000, 20


def ours() -> float:
    """Samples per second of our engine."""
    order = np.argsort(windows.TIMES, kind="stable")
    devices = np.repeat(np.arange(windows.DEVICES), windows.TICKS)[order]
    times, values = windows.TIMES[order], windows.VALUES[order]

    def stream() -> None:
        engine = FeatureEngine(windows.SPEC)
        for at in range(0, len(times), BATCH):
            batch = slice(at, at + BATCH)
            engine.update(devices[batch], times[batch], values[batch])

    FeatureEngine(windows.SPEC).update(devices[:1], times[:1], values[:1])
    return len(times) / fastest(stream, 3)


def theirs() -> float:
    """Samples per second of storey, one event at a time, which is the only way it has."""
    from storey import AggregateByKey, FieldAggregator, NoopDriver, Reduce, SyncEmitSource, Table, build_flow
    from storey.dtypes import SlidingWindows

    sliding = SlidingWindows(["1m", "1h"], "10s")
    aggregates = [FieldAggregator(m, m, ["avg", "min", "max", "stddev"], sliding) for m in windows.METRICS]
    rows = windows.VALUES[: THEIR_TICKS * windows.DEVICES].tolist()
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    steps = [
        SyncEmitSource(),
        AggregateByKey(aggregates, Table("table", NoopDriver()), time_field="time"),
        Reduce(0, lambda count, _: count + 1),
    ]

    def stream() -> None:
        flow = build_flow(steps).run()
        for i, row in enumerate(rows):
            time = start + dt.timedelta(seconds=5 * (i // windows.DEVICES))
            flow.emit(dict(zip(windows.METRICS, row, strict=True), time=time), key=f"d{i % windows.DEVICES}")
        flow.terminate()
        flow.await_termination()

    return len(rows) / fastest(stream, 1)


def main() -> None:
    """Measure both sides."""
    report("stream_storey", ours(), "storey", theirs())


if __name__ == "__main__":
    main()
