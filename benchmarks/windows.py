"""The work of the batch benchmarks: 1,000 devices × 720 samples, 4 metrics × mean, min, max, std × 1m, 1h."""

import numpy as np
import pandas as pd

from netops.config.durations import HOUR, MINUTE, SECOND
from netops.features.batch import transform
from netops.features.spec import FeatureSpec
from netops.threads import cpus

from .report import fastest

DEVICES, TICKS = 1_000, 720
METRICS = ("cpu_utilization", "latency", "throughput", "packet_loss")
STATISTICS = ("mean", "min", "max", "std")
SPEC = FeatureSpec(METRICS, (MINUTE, HOUR), STATISTICS)
SAMPLES = DEVICES * TICKS

OFFSETS = np.arange(DEVICES + 1) * TICKS
TIMES = np.tile(1_767_225_600 * SECOND + np.arange(TICKS) * 5 * SECOND, DEVICES)
VALUES = np.random.default_rng(0).random((SAMPLES, len(METRICS)))


def frame() -> pd.DataFrame:
    """Give the samples as a table, sorted by device and time, as our side has them."""
    table = pd.DataFrame(VALUES, columns=list(METRICS))
    table["device"] = np.repeat(np.arange(DEVICES), TICKS)
    table["timestamp"] = pd.to_datetime(TIMES)
    return table


def ours() -> float:
    """Samples per second of our engine on all CPUs; compiling, which is cached on disk, is not counted."""
    transform(SPEC, OFFSETS[:2], TIMES[:TICKS], VALUES[:TICKS])
    return SAMPLES / fastest(lambda: transform(SPEC, OFFSETS, TIMES, VALUES, cpus()), 5)
