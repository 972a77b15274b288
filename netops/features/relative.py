"""Statistics of a device relative to its own past: shorter windows and the current value vs. the longest window.

Only differences are formed here, never of sums: the means of two windows are compared through the values that they
are relative to (NEARS), so that values around 1e9 do not lose digits.
"""

import numpy as np
import numpy.typing as npt

from netops.kernels import inlined

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Largest deviation; a greater one is no more of a reason.
MOST = 20.0
#: Added to a standard deviation, as a fraction of the mean: rounding of a constant value is not a deviation.
NOISE = 1e-12
#: The smallest ratio of two standard deviations that is distinguished from zero.
SMALLEST = 1e-3

#: Keeps 1 / (standard deviation) finite, so that no difference is no deviation of a constant value.
TINY = 1e-300

# Columns of State.merged: valid values, value near the mean, mean less it, standard deviation, min, max; of the
# longest window also 1 / (standard deviation), and mean and standard deviation of the baseline: NaN while unknown.
VALUES, NEARS, MEANS, SPREADS, LOWEST, HIGHEST, SCALES, LEVELS, LEVEL_SPREADS, MERGED = range(10)

RESIDUAL, SHIFT, DEVIATION, MAX_DEVIATION, MIN_DEVIATION, STD_RATIO, BASELINE_DEVIATION, BASELINE_STD_RATIO = range(
    8
)
CODES = {
    "residual": RESIDUAL,
    "shift": SHIFT,
    "deviation": DEVIATION,
    "max_deviation": MAX_DEVIATION,
    "min_deviation": MIN_DEVIATION,
    "std_ratio": STD_RATIO,
    "baseline_deviation": BASELINE_DEVIATION,
    "baseline_std_ratio": BASELINE_STD_RATIO,
}


@inlined
def clipped(y: float) -> float:
    """Return a number of deviations within ±MOST; NaN stays."""
    if y > MOST:
        return MOST
    return -MOST if y < -MOST else y


@inlined
def set_scales(merged: Floats, longest: int, metrics: int, full: bool) -> None:
    """Set the scale of each metric's deviations."""
    for m in range(metrics):
        c = longest * metrics + m
        noise = NOISE * abs(merged[c, NEARS] + merged[c, MEANS])
        merged[c, SCALES] = (
            1.0 / (merged[c, SPREADS] + noise + TINY) if full and merged[c, VALUES] > 1.0 else np.nan
        )


@inlined
def relative_value(kind: int, merged: Floats, a: int, c: int) -> float:
    """Return a statistic of the window in row a relative to that in row c."""
    if merged[a, VALUES] == 0.0 or merged[c, SCALES] != merged[c, SCALES]:
        return float(np.nan)
    near, mean, scale = merged[c, NEARS], merged[c, MEANS], merged[c, SCALES]
    if kind == MAX_DEVIATION:
        return clipped((merged[a, HIGHEST] - near - mean) * scale)
    if kind == MIN_DEVIATION:
        return clipped((merged[a, LOWEST] - near - mean) * scale)
    if kind == STD_RATIO:
        if merged[a, VALUES] == 1.0:
            return float(np.nan)
        spread = merged[a, SPREADS]
        constant = spread == 0.0 and merged[c, SPREADS] == 0.0
        return 0.0 if constant else float(np.log((spread * scale + SMALLEST) / (1.0 + SMALLEST)))
    shift = (merged[a, NEARS] - near) + (merged[a, MEANS] - mean)
    return shift if kind == SHIFT else clipped(shift * scale)


@inlined
def baseline_value(kind: int, merged: Floats, w: int, m: int, c: int, x: float) -> float:
    """Return a statistic of a window (its first row, below zero: the current value x) relative to the baseline."""
    level, spread = merged[c, LEVELS], merged[c, LEVEL_SPREADS]
    if spread != spread:
        return float(np.nan)
    scale = 1.0 / (spread + NOISE * abs(level) + TINY)
    if w < 0:
        return clipped((x - level) * scale)
    a = w + m
    if kind == BASELINE_DEVIATION:
        off = (merged[a, NEARS] - level) + merged[a, MEANS]
        return clipped(off * scale) if merged[a, VALUES] > 0.0 else float(np.nan)
    if merged[a, VALUES] <= 1.0:
        return float(np.nan)
    constant = merged[a, SPREADS] == 0.0 and spread == 0.0
    ratio = (merged[a, SPREADS] * scale + SMALLEST) / (1.0 + SMALLEST)
    return 0.0 if constant else float(min(np.log(ratio), MOST))


@inlined
def emit_relative(
    columns: Ints, merged: Floats, longest: int, full: bool, values: Floats, page: int, index: int,
    out: Floats, row: int, width: int,
) -> None:  # fmt: skip
    """Write the relative statistics of a sample from the aggregates of its windows."""
    metrics, count = values.shape[2], len(columns)
    set_scales(merged, longest, metrics, full)
    for k in range(count):
        kind, w, column = columns[k, 0], columns[k, 1] * metrics, width - count + k
        for m in range(metrics):
            c = longest * metrics + m
            if kind >= BASELINE_DEVIATION:
                y = baseline_value(kind, merged, w, m, c, values[page, index, m])
            elif w < 0:
                off = values[page, index, m] - merged[c, NEARS] - merged[c, MEANS]
                y = clipped(off * merged[c, SCALES])
            elif kind == RESIDUAL:
                y = values[page, index, m] - merged[w + m, NEARS] - merged[w + m, MEANS]
                y = y if merged[w + m, VALUES] > 0.0 else np.nan
            else:
                y = relative_value(kind, merged, w + m, c)
            out[row, m * width + column] = y
