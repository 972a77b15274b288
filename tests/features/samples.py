"""Samples of one device that are hard on windows."""

import numpy as np
from hypothesis import strategies as st

from netops.config.durations import SECOND
from netops.features.spec import RELATIVE, FeatureSpec

#: Of one window alone: the features of stored samples are computed by a kernel of their own.
PLAIN = (
    "mean",
    "min",
    "max",
    "std",
    "sum",
    "count",
    "range",
    "slope",
    "last_change",
    "above_0.5_share",
    "above_-1_share",
)
#: Computed by the kernel of streams, stored samples too.
ALL = (*PLAIN, *RELATIVE)
START = 1_767_225_600 * SECOND


def spec_of(metrics=2, windows=(60, 371), statistics=ALL):
    return FeatureSpec(tuple(f"m{i}" for i in range(metrics)), tuple(w * SECOND for w in windows), statistics)


def irregular(seed, count, metrics=2, step=5, missing=0.2):
    """Irregular times with gaps, missing values and runs of the same value."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(1, 2 * step * SECOND, count) * np.where(rng.random(count) < 0.03, 100, 1)
    values = np.round(rng.normal(size=(count, metrics)), rng.integers(0, 3))
    values[rng.random(values.shape) < missing] = np.nan
    return START + np.cumsum(steps), values


@st.composite
def devices(draw, most=60, metrics=2):
    """Times and values of one device: whole seconds, so that window edges are hit exactly."""
    count = draw(st.integers(1, most))
    steps = draw(st.lists(st.sampled_from([1, 4, 5, 5, 5, 60, 61, 400]), min_size=count, max_size=count))
    value = st.sampled_from([np.nan, np.inf, 0.0, 1.0, -2.5, 0.1, 1e9, 1e9 + 1, 3e-7])
    rows = draw(st.lists(st.tuples(*[value] * metrics), min_size=count, max_size=count))
    return START + np.cumsum(np.array(steps, np.int64)) * SECOND, np.array(rows, np.float64)
