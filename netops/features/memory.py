"""The memory behind the kernel: arrays for devices and pages that grow in place."""

import numpy as np
import numpy.typing as npt

from netops.features import kernel, relative
from netops.features.baseline import BASELINE
from netops.features.kernel import CHUNK, MARKS, TOPS, WINDOWS, Floats, Ints, Plan, State
from netops.features.spec import FeatureSpec
from netops.features.statistics.registry import WINDOW_STATISTICS

_CODES = {name: code for code, name in enumerate(WINDOW_STATISTICS)} | {
    "sum": kernel.SUM,
    "slope": kernel.SLOPE,
    "last_change": kernel.CHANGE,
}


def plan_of(spec: FeatureSpec, allowed_lateness: int = 0) -> Plan:
    """Convert a spec to the form that the kernel reads.

    Parameters
    ----------
    spec : FeatureSpec
        The features.
    allowed_lateness : int
        How much older than the newest sample of its device a sample may be, in ns.
    """
    codes, thresholds = [], 0
    for statistic in spec.plain:
        codes.append(_CODES.get(statistic, kernel.ABOVE + thresholds))
        thresholds += statistic not in _CODES
    indices, fields = [], kernel.FEWEST
    computed = spec.computed
    wanted = ("sum" in computed, 1), ("slope" in computed, 3), ("last_change" in computed, 4)
    for asked, width in (*wanted, (thresholds > 0, thresholds)):
        indices.append(fields if asked else -1)
        fields += width if asked else 0
    longest = spec.windows.index(spec.longest_window)
    indices += [fields, spec.longest_window + allowed_lateness, allowed_lateness, longest]
    return Plan(
        np.array(spec.windows, np.int64),
        np.array(codes, np.int64),
        np.array(spec.thresholds, np.float64),
        np.array(indices, np.int64),
        np.array(_relative(spec), np.int64).reshape(-1, 2),
    )


def _relative(spec: FeatureSpec) -> list[tuple[int, int]]:
    """Return code and index of the window (-1: current value) of each relative column of a metric."""
    return [
        (relative.CODES[statistic], -1 if window is None else spec.windows.index(window))
        for statistic, window in spec.relative
    ]


def make_state(plan: Plan, metrics: int) -> State:
    """Create an empty state."""
    windows, row = len(plan.windows), int(plan.indices[kernel.FIELDS]) * metrics
    baseline = baseline_width(plan, metrics)
    return State(
        np.zeros((0, WINDOWS + windows * MARKS), np.int64),
        np.zeros((0, row)),
        np.zeros((0, CHUNK), np.int64),
        np.zeros((0, CHUNK, metrics)),
        np.zeros((0, row)),
        np.zeros((0, 2), np.int64),
        np.zeros(1, np.int64),
        np.zeros((windows * metrics if len(plan.relative) else 0, relative.MERGED)),
        np.zeros((0, baseline)),
        np.zeros((0, baseline)),
    )


def baseline_width(plan: Plan, metrics: int) -> int:
    """Return the number of columns of the baselines; 0 if no statistic needs them."""
    return BASELINE * metrics if (plan.relative[:, 0] >= relative.BASELINE_DEVIATION).any() else 0


def add_devices(plan: Plan, state: State, devices: int) -> None:
    """Allocate memory for device codes up to ``devices - 1``; grow by at least a quarter."""
    had = len(state.marks)
    if devices <= had:
        return
    devices = max(devices, had + had // 4)
    _grow(state.marks, devices)
    _grow(state.baselines, devices)
    _grow(state.tops, devices * len(plan.windows) * TOPS)
    state.marks[had:, kernel.FIRST] = state.marks[had:, kernel.LAST] = -1


def add_pages(plan: Plan, state: State, pages: int) -> None:
    """Ensure that the given number of pages is free; grow by at least a sixteenth."""
    had, free = len(state.times), int(state.free[0])
    if free >= pages:
        return
    more = max(pages - free, had // 16)
    arrays = (
        (state.times, 1),
        (state.values, 1),
        (state.coarse, len(plan.windows)),
        (state.links, 1),
        (state.earlier, 1),
    )
    for array, rows in arrays:
        _grow(array, (had + more) * rows)
    _grow(state.free, 1 + had + more)
    state.free[1 + free : 1 + free + more] = np.arange(had + more - 1, had - 1, -1)
    state.free[0] = free + more


def take(
    plan: Plan, state: State, devices: Ints, times: Ints, values: Floats, start: int, stop: int, out: Floats,
    status: npt.NDArray[np.uint8],
) -> None:  # fmt: skip
    """Add the rows start:stop of samples, and allocate the required pages."""
    while (start := kernel.take(plan, state, devices, times, values, start, stop, out, status)) < stop:
        add_pages(plan, state, 16)


def _grow(array: Ints | Floats, length: int) -> None:
    # In place: the operating system moves large blocks without a second copy.
    array.resize((length, *array.shape[1:]), refcheck=False)


def size_of(state: State) -> int:
    """Memory of a state in bytes."""
    return sum(array.nbytes for array in state)
