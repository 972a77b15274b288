"""The exponentially weighted baseline of each metric of a device: mean and variance, the older the less.

The weights halve every :data:`HALVES` longest windows of time, however often samples come; a new device starts with
the plain mean of its values. A sample is compared with the baseline before it changes it. Values more than
:data:`CLIP` deviations from a known baseline change it as if they were that far, so that a failure does not become
usual at once (exponentially weighted mean and variance: Finch 2009).
"""

import numpy as np
import numpy.typing as npt

from netops.kernels import inlined

Floats = npt.NDArray[np.float64]

#: Longest windows after which a value has half its weight.
HALVES = 4
#: Limit of a change in deviations, once the baseline is of more than this many values.
CLIP, WARM_UP = 4.0, 50.0

# Fields of a baseline for each metric: values so far, their mean and variance, time of the last one in µs.
SEEN, LEVEL, VARIANCE, LAST_SEEN, BASELINE = range(5)


@inlined
def learn(rows: Floats, i: int, values: Floats, page: int, index: int, time: int, half_life: float) -> None:
    """Update the baselines in row i with a sample."""
    metrics = values.shape[2]
    # Microseconds are exact in float64. The metrics of a device mostly share the time of their last value.
    now, elapsed, decay = float(time // 1000), -1.0, 0.0
    for m in range(metrics):
        x = values[page, index, m]
        if x == x:
            level, spread, last = LEVEL * metrics + m, VARIANCE * metrics + m, LAST_SEEN * metrics + m
            n, variance = rows[i, m], rows[i, spread]
            if now - rows[i, last] != elapsed:
                elapsed = now - rows[i, last]
                decay = 1.0 - 2.0 ** (-elapsed / half_life)
            share = max(decay, 1.0 / (n + 1.0))
            off = x - rows[i, level]
            if n > WARM_UP and variance > 0.0 and off * off > CLIP * CLIP * variance:
                off = CLIP * np.sqrt(variance) if off > 0.0 else -CLIP * np.sqrt(variance)
            rows[i, level] += share * off
            rows[i, spread] = (1.0 - share) * (variance + share * off * off)
            rows[i, m], rows[i, last] = n + 1.0, now
