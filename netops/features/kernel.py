"""The compiled kernel: exact sliding windows over the samples of many devices, one sample at a time.

A window (t - w, t] is cut at the last multiple of w, its *bound*: time is divided into blocks [k·w, (k+1)·w), so a
window is a suffix of the block before and a prefix of the block of t. The prefix grows sample by sample; the
suffixes are computed once, backwards, when a block is complete. No value is ever subtracted: no rounding error
of values outside the window remains (the two-stack idea of van Herk 1992 and Gil & Werman 1993). As the blocks
depend only on absolute time, a feature depends only on the samples in its window: neither on how they
were batched nor on the order in which they arrived.

Raw samples are in pages of CHUNK samples, in a doubly linked list per device. Of the suffixes, only those that
begin a page are stored (``coarse``); of the page in which the window begins, those that begin a group, and of the
group in which it begins, all (``tops``). To store those of the whole page would save one sum per sample and cost
more than half of the memory of a device that sends every minute.

Statistics relative to the longest window are computed after the windows, from the aggregates that the windows leave
in ``State.merged`` (``netops/features/relative.py``). The baselines of a device (``netops/features/baseline.py``)
depend on all its samples; each page has them as they were before its first sample, so that they are computed again
from there after a late sample.

Aggregates are rows of FIELDS × metrics: count, mean, sum of squared deviations, min, max, and the optional fields
of the spec. Mean and deviations follow Welford, merged by Chan, Golub and LeVeque (1983).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt
from llvmlite.ir import Constant
from numba.extending import intrinsic

from netops.features.baseline import HALVES, LEVEL, SEEN, VARIANCE, learn
from netops.features.relative import (
    HIGHEST,
    LEVEL_SPREADS,
    LEVELS,
    LOWEST,
    MEANS,
    NEARS,
    SPREADS,
    VALUES,
    emit_relative,
)
from netops.features.statistics.registry import WINDOW_STATISTICS
from netops.features.statistics.selection import EMPTY, window_statistic
from netops.kernels import inlined, kernel

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder, Value
    from numba.core.base import BaseContext
    from numba.core.types import Array
    from numba.core.typing import Context, Signature

    from netops.features.lanes import Typed

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SCORED, DUPLICATE, LATE, REJECTED = 0, 1, 2, 3

CHUNK = 32
#: Samples of a group, of which a page has several.
GROUP = 8
#: Times from 1970 to 2116: sums with a window or a lateness stay in int64.
LAST_TIME = 1 << 62
#: Beyond it a square leaves float64.
LARGEST = 1e150
#: The part of the longest window that its samples must cover before statistics relative to it are known.
FULL = 0.9

# Codes of the statistics: those of the registry, then those with own fields; ABOVE + i is the i-th threshold.
SUM, SLOPE, CHANGE, ABOVE = range(len(WINDOW_STATISTICS), len(WINDOW_STATISTICS) + 4)

# Fields that every aggregate has; Plan.indices has the positions of the others.
# Mean and squares are of the values less one of them (NEAR), so that values around 1e9 do not lose digits.
N, NEAR, AVERAGE, SQUARES, LOW, HIGH, FEWEST = range(7)
# Fields of the slope (time in ns since the bound), and of the last change.
TIME, TIMES, PRODUCTS = range(3)
FIRST_TIME, FIRST_VALUE, LAST_VALUE, CHANGED = range(4)
# Plan.places: index of each optional field (-1: not used), number of fields, the history in ns,
# the allowed lateness in ns and the index of the longest window.
AT_SUM, AT_SLOPE, AT_CHANGE, AT_ABOVE, FIELDS, HISTORY, LATENESS, LONGEST = range(8)

# State.marks of a device: pages, samples in the last page, time of the newest sample; then for each window
# where it begins (page, index), samples before and from the bound, end of its block, the first time from the bound.
FIRST, LAST, FILL, NEWEST, WINDOWS = range(5)
PAGE, INDEX, BEHIND, AHEAD, END, SINCE, MARKS = range(7)
# Rows of a window in State.tops: the prefix, the suffixes from each index of the group, and those from each later
# group of the page on, the last one from the next page: that of group i is in row LATER + i.
SUFFIX, LATER, TOPS = 1, GROUP, 1 + GROUP + CHUNK // GROUP


_compiled = kernel(error_model="numpy")


class _Options(TypedDict):
    cached: bool
    error_model: str
    no_cpython_wrapper: bool
    no_cfunc_wrapper: bool


_INSIDE: _Options = {
    "cached": False,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
_noinline = kernel(**_INSIDE)
_inline = kernel(inline="always", **_INSIDE)


class Plan(NamedTuple):
    """A feature spec, as the kernel reads it."""

    windows: Ints
    statistics: Ints
    thresholds: Floats
    indices: Ints
    relative: Ints  # columns × 2: code of the statistic, index of its window (-1: the current value)


class State(NamedTuple):
    """The state of D devices in P pages; M metrics, W windows, F fields."""

    marks: Ints  # D × (WINDOWS + W · MARKS)
    tops: Floats  # D · W · TOPS × F · M
    times: Ints  # P × CHUNK
    values: Floats  # P × CHUNK × M
    coarse: Floats  # P · W × F · M
    links: Ints  # P × 2: the page before and the page after, -1 where there is none
    free: Ints  # 1 + P: number of free pages, and their indices
    merged: Floats  # W · M × 9: the aggregates of the windows of the current sample, for the relative statistics
    baselines: Floats  # D × BASELINE · M, or D × 0 without them
    earlier: Floats  # P × BASELINE · M: the baselines before the first sample of a page


@intrinsic
def unowned(context: "Context", array: "Array") -> "Typed":
    """Return the same array without its owner: this avoids reference counting (two thirds of the time)."""

    def generate(
        context: "BaseContext", builder: "IRBuilder", signature: "Signature", arguments: "Sequence[Value]"
    ) -> "Value":
        (kind,), (value,) = signature.args, arguments
        view = context.make_helper(builder, kind, value=value)
        view.meminfo = Constant(view.meminfo.type, None)
        return view._getvalue()

    return array(array), generate


@inlined
def borrow_plan(plan: Plan) -> Plan:
    """Return the plan for use inside one function, whose caller keeps it alive."""
    return Plan(
        unowned(plan.windows),
        unowned(plan.statistics),
        unowned(plan.thresholds),
        unowned(plan.indices),
        unowned(plan.relative),
    )


@inlined
def _borrow(state: State) -> State:
    """Return the state for use inside one function, whose caller keeps it alive."""
    return State(
        unowned(state.marks),
        unowned(state.tops),
        unowned(state.times),
        unowned(state.values),
        unowned(state.coarse),
        unowned(state.links),
        unowned(state.free),
        unowned(state.merged),
        unowned(state.baselines),
        unowned(state.earlier),
    )


@inlined
def _clear(rows: Floats, i: int, metrics: int) -> None:
    for f in range(rows.shape[1]):
        rows[i, f] = 0.0
    for m in range(metrics):
        rows[i, LOW * metrics + m] = np.inf
        rows[i, HIGH * metrics + m] = -np.inf


@inlined
def _copy(target: Floats, j: int, source: Floats, i: int) -> None:
    for f in range(target.shape[1]):
        target[j, f] = source[i, f]


@inlined
def _add(plan: Plan, state: State, i: int, j: int, page: int, index: int, bound: int, older: bool) -> None:
    """Compute row j of tops from row i and one sample, which is before (``older``) or after those of row i."""
    rows, metrics = state.tops, state.values.shape[2]
    for m in range(metrics):
        x = state.values[page, index, m]
        n, near, mean = rows[i, m], rows[i, NEAR * metrics + m], rows[i, AVERAGE * metrics + m]
        squares = rows[i, SQUARES * metrics + m]
        low, high = rows[i, LOW * metrics + m], rows[i, HIGH * metrics + m]
        if x == x:
            if n == 0.0:
                near = x
            n += 1.0
            off = x - near - mean
            mean += off / n
            squares += off * (x - near - mean)
            low, high = min(low, x), max(high, x)
        rows[j, m], rows[j, NEAR * metrics + m], rows[j, AVERAGE * metrics + m] = n, near, mean
        rows[j, SQUARES * metrics + m] = squares
        rows[j, LOW * metrics + m], rows[j, HIGH * metrics + m] = low, high
    if rows.shape[1] > FEWEST * metrics:
        _add_more(plan, state, i, j, page, index, float(state.times[page, index] - bound), older)


@_noinline
def _add_more(plan: Plan, state: State, i: int, j: int, page: int, index: int, time: float, older: bool) -> None:
    """Compute the optional fields of row j, whose other fields already contain the sample."""
    plan, state = borrow_plan(plan), _borrow(state)
    rows, metrics = state.tops, state.values.shape[2]
    for f in range(FEWEST * metrics, rows.shape[1]):
        rows[j, f] = rows[i, f]
    for m in range(metrics):
        x = state.values[page, index, m]
        if x == x:
            _add_value(plan, rows, j, m, metrics, x, time, older)


@_inline
def _add_value(plan: Plan, rows: Floats, j: int, m: int, metrics: int, x: float, time: float, older: bool) -> None:
    indices, n = plan.indices, rows[j, m]
    if indices[AT_SUM] >= 0:
        rows[j, indices[AT_SUM] * metrics + m] += x
    if indices[AT_SLOPE] >= 0:
        at = indices[AT_SLOPE] * metrics + m
        off = time - rows[j, at]
        rows[j, at] += off / n
        rows[j, at + TIMES * metrics] += off * (time - rows[j, at])
        rows[j, at + PRODUCTS * metrics] += off * (x - rows[j, NEAR * metrics + m] - rows[j, AVERAGE * metrics + m])
    if indices[AT_CHANGE] >= 0:
        at = indices[AT_CHANGE] * metrics + m
        first, last, changed = at + FIRST_VALUE * metrics, at + LAST_VALUE * metrics, at + CHANGED * metrics
        if older or n == 1.0:
            # A run that begins at the first value is extended if the older value is equal.
            if n == 1.0 or (rows[j, changed] == rows[j, at] and rows[j, first] == x):
                rows[j, changed] = time
            rows[j, at], rows[j, first] = time, x
        if not older or n == 1.0:
            if n > 1.0 and rows[j, last] != x:
                rows[j, changed] = time
            rows[j, last] = x
    for k in range(len(plan.thresholds)):
        if x > plan.thresholds[k]:
            rows[j, (indices[AT_ABOVE] + k) * metrics + m] += 1.0


@_noinline
def _suffixes(plan: Plan, state: State, device: int, w: int, page: int, index: int, since: int, bound: int) -> None:
    """Compute the suffixes of the samples from the one given back to the first after ``since``."""
    plan, state = borrow_plan(plan), _borrow(state)
    mark, metrics = WINDOWS + w * MARKS, state.values.shape[2]
    top, head, at, behind = (device * len(plan.windows) + w) * TOPS, page, index, 0
    p, k = page, index
    while p >= 0 and state.times[p, k] > since:
        head, at = p, k
        behind += 1
        k -= 1
        if k < 0:
            p, k = state.links[p, 0], CHUNK - 1
    state.marks[device, mark + PAGE], state.marks[device, mark + INDEX] = head, at
    state.marks[device, mark + BEHIND] = behind
    if behind == 0:
        return
    _clear(state.tops, top, metrics)
    p, k = page, index
    while p != head:
        _add(plan, state, top, top, p, k, bound, True)
        k -= 1
        if k < 0:
            _copy(state.coarse, p * len(plan.windows) + w, state.tops, top)
            p, k = state.links[p, 0], CHUNK - 1
    _refine(plan, state, device, w, bound)


@_noinline
def _refine(plan: Plan, state: State, device: int, w: int, bound: int) -> None:
    """Compute the suffixes of the page in which the window begins: from each later group on, and in its group."""
    plan, state = borrow_plan(plan), _borrow(state)
    mark, top = WINDOWS + w * MARKS, (device * len(plan.windows) + w) * TOPS
    page, index = state.marks[device, mark + PAGE], state.marks[device, mark + INDEX]
    stop, last = index + state.marks[device, mark + BEHIND], CHUNK // GROUP
    if stop > CHUNK:
        stop = CHUNK
        _copy(state.tops, top + LATER + last, state.coarse, state.links[page, 1] * len(plan.windows) + w)
    else:
        _clear(state.tops, top + LATER + last, state.values.shape[2])
    for group in range(last - 1, index // GROUP, -1):
        source, target = top + LATER + group + 1, top + LATER + group
        if group * GROUP >= stop:
            _copy(state.tops, target, state.tops, source)
        for k in range(min((group + 1) * GROUP, stop) - 1, group * GROUP - 1, -1):
            _add(plan, state, source, target, page, k, bound, True)
            source = target
    _refine_group(plan, state, device, w, bound)


@_noinline
def _refine_group(plan: Plan, state: State, device: int, w: int, bound: int) -> None:
    """Compute the suffixes from each index of the group in which the window begins."""
    plan, state = borrow_plan(plan), _borrow(state)
    mark, top = WINDOWS + w * MARKS, (device * len(plan.windows) + w) * TOPS
    page, index = state.marks[device, mark + PAGE], state.marks[device, mark + INDEX]
    group = index // GROUP
    source, suffix = top + LATER + group + 1, top + SUFFIX - group * GROUP
    stop = min((group + 1) * GROUP, index + state.marks[device, mark + BEHIND])
    for k in range(stop - 1, index - 1, -1):
        _add(plan, state, source, suffix + k, page, k, bound, True)
        source = suffix + k


@_inline
def _advance(plan: Plan, state: State, device: int, time: int) -> None:
    """Advance the windows of a device to a later time, before the sample of that time is added."""
    marks = state.marks
    for w in range(len(plan.windows)):
        size, mark = plan.windows[w], WINDOWS + w * MARKS
        if time >= marks[device, mark + END]:
            bound = time // size * size
            marks[device, mark + BEHIND] = 0
            if marks[device, LAST] >= 0:
                _suffixes(plan, state, device, w, marks[device, LAST], marks[device, FILL] - 1, time - size, bound)
            marks[device, mark + END], marks[device, mark + AHEAD] = bound + size, 0
            _clear(state.tops, (device * len(plan.windows) + w) * TOPS, state.values.shape[2])
            continue
        page, index, behind = marks[device, mark + PAGE], marks[device, mark + INDEX], marks[device, mark + BEHIND]
        while behind > 0 and state.times[page, index] <= time - size:
            behind -= 1
            index += 1
            if index == CHUNK:
                page, index = state.links[page, 1], 0
        turned = page != marks[device, mark + PAGE]
        moved = index // GROUP != marks[device, mark + INDEX] // GROUP
        marks[device, mark + PAGE], marks[device, mark + INDEX], marks[device, mark + BEHIND] = page, index, behind
        if behind > 0 and turned:
            _refine(plan, state, device, w, marks[device, mark + END] - size)
        elif behind > 0 and moved:
            _refine_group(plan, state, device, w, marks[device, mark + END] - size)


@_noinline
def _rebuild(plan: Plan, state: State, device: int, page: int, index: int) -> None:
    """Set the windows of a device to one of its samples."""
    plan, state = borrow_plan(plan), _borrow(state)
    marks, metrics, time = state.marks, state.values.shape[2], state.times[page, index]
    for w in range(len(plan.windows)):
        size, mark, top = plan.windows[w], WINDOWS + w * MARKS, (device * len(plan.windows) + w) * TOPS
        bound = time // size * size
        p, k, ahead = page, index, 0
        while p >= 0 and state.times[p, k] >= bound:
            ahead += 1
            k -= 1
            if k < 0:
                p, k = state.links[p, 0], CHUNK - 1
        marks[device, mark + BEHIND] = 0
        if p >= 0:
            _suffixes(plan, state, device, w, p, k, time - size, bound)
        marks[device, mark + END], marks[device, mark + AHEAD] = bound + size, ahead
        _clear(state.tops, top, metrics)
        if p < 0:
            p, k = marks[device, FIRST], -1
        for step in range(ahead):
            k += 1
            if k == CHUNK:
                p, k = state.links[p, 1], 0
            if step == 0:
                marks[device, mark + SINCE] = state.times[p, k]
            _add(plan, state, top, top, p, k, bound, False)


@_noinline
def _take_page(plan: Plan, state: State, device: int, time: int) -> None:
    """Allocate a page for a device, after releasing pages older than its history."""
    plan, state = borrow_plan(plan), _borrow(state)
    marks, links, free, old = state.marks, state.links, state.free, state.marks[device, LAST]
    first = marks[device, FIRST]
    while first >= 0 and first != old and state.times[first, CHUNK - 1] <= time - plan.indices[HISTORY]:
        marks[device, FIRST] = links[first, 1]
        links[marks[device, FIRST], 0] = -1
        free[0] += 1
        free[free[0]] = first
        first = marks[device, FIRST]
    page = free[free[0]]
    free[0] -= 1
    links[page, 0], links[page, 1] = old, -1
    if old >= 0:
        links[old, 1] = page
    else:
        marks[device, FIRST] = page
    marks[device, LAST], marks[device, FILL] = page, 0


@inlined
def _put(state: State, page: int, index: int, time: int, values: Floats, row: int) -> None:
    state.times[page, index] = time
    for m in range(state.values.shape[2]):
        x = values[row, m]
        state.values[page, index, m] = x if abs(x) <= LARGEST else np.nan


@_inline
def _append(plan: Plan, state: State, device: int, time: int, values: Floats, row: int) -> None:
    """Append a sample newer than all others of its device; its last page has room."""
    marks = state.marks
    page, index = marks[device, LAST], marks[device, FILL]
    _put(state, page, index, time, values, row)
    marks[device, FILL], marks[device, NEWEST] = index + 1, time
    for w in range(len(plan.windows)):
        mark, top = WINDOWS + w * MARKS, (device * len(plan.windows) + w) * TOPS
        if marks[device, mark + AHEAD] == 0:
            marks[device, mark + SINCE] = time
        marks[device, mark + AHEAD] += 1
        _add(plan, state, top, top, page, index, marks[device, mark + END] - plan.windows[w], False)


@_noinline
def _find(state: State, device: int, time: int) -> tuple[int, int]:
    """Find the newest sample of a device that is not newer than a time; page -1 where there is none."""
    state = _borrow(state)
    page, index = state.marks[device, LAST], state.marks[device, FILL] - 1
    while page >= 0 and state.times[page, index] > time:
        index = index - 1 if state.times[page, 0] <= time else -1
        if index < 0:
            page, index = state.links[page, 0], CHUNK - 1
    return page, index


@_noinline
def _insert(state: State, device: int, time: int, values: Floats, row: int) -> tuple[int, int]:
    """Insert a sample between older and newer ones of its device; its last page has room."""
    state = _borrow(state)
    page, index = state.marks[device, LAST], state.marks[device, FILL]
    state.marks[device, FILL] += 1
    while True:
        p, k = page, index - 1
        if k < 0:
            p, k = state.links[page, 0], CHUNK - 1
        if p < 0 or state.times[p, k] < time:
            break
        state.times[page, index] = state.times[p, k]
        for m in range(state.values.shape[2]):
            state.values[page, index, m] = state.values[p, k, m]
        page, index = p, k
    _put(state, page, index, time, values, row)
    return page, index


@_inline
def _emit(plan: Plan, state: State, device: int, page: int, index: int, out: Floats, row: int) -> None:
    """Write the feature vector of a device whose windows are at the given sample."""
    metrics, columns, marks = state.values.shape[2], len(plan.statistics) + 1, state.marks
    width = 1 + len(plan.windows) * columns + len(plan.relative)
    for m in range(metrics):
        out[row, m * width] = state.values[page, index, m]
    for w in range(len(plan.windows)):
        mark, top = WINDOWS + w * MARKS, (device * len(plan.windows) + w) * TOPS
        behind, suffix = marks[device, mark + BEHIND], top + SUFFIX + marks[device, mark + INDEX] % GROUP
        total = float(behind + marks[device, mark + AHEAD])
        now = float(state.times[page, index] - marks[device, mark + END] + plan.windows[w])
        for m in range(metrics):
            _emit_window(
                plan,
                state.tops,
                state.merged,
                w * metrics + m,
                top,
                suffix,
                behind > 0,
                m,
                metrics,
                total,
                now,
                out,
                row,
                m * width + 1 + w * columns,
            )
    if len(plan.relative) > 0:
        _emit_relative(plan, state, device, page, index, out, row, width)


@_noinline
def _emit_relative(
    plan: Plan, state: State, device: int, page: int, index: int, out: Floats, row: int, width: int
) -> None:
    """Write the relative statistics; inlined it would slow down specs without them."""
    plan, state = borrow_plan(plan), _borrow(state)
    full = _is_full(plan, state, device, page, index)
    if state.baselines.shape[1] > 0:
        _set_baselines(plan, state, device)
    emit_relative(
        plan.relative, state.merged, plan.indices[LONGEST], full, state.values, page, index, out, row, width
    )


@_noinline
def _set_baselines(plan: Plan, state: State, device: int) -> None:
    """Set level and spread of each metric's baseline, unknown until it has as many values as the longest window."""
    plan, state = borrow_plan(plan), _borrow(state)
    metrics = state.values.shape[2]
    for m in range(metrics):
        c = plan.indices[LONGEST] * metrics + m
        state.merged[c, LEVELS] = state.baselines[device, LEVEL * metrics + m]
        spread = np.sqrt(state.baselines[device, VARIANCE * metrics + m])
        known = state.baselines[device, SEEN * metrics + m] >= max(state.merged[c, VALUES], 2.0)
        state.merged[c, LEVEL_SPREADS] = spread if known else np.nan


@inlined
def _is_full(plan: Plan, state: State, device: int, page: int, index: int) -> bool:
    """Return whether the samples reach over the longest window, each standing for the time up to the next one."""
    w, marks = plan.indices[LONGEST], state.marks
    mark = WINDOWS + w * MARKS
    since, total = marks[device, mark + SINCE], marks[device, mark + BEHIND] + marks[device, mark + AHEAD]
    if marks[device, mark + BEHIND] > 0:
        since = state.times[marks[device, mark + PAGE], marks[device, mark + INDEX]]
    covered = float(state.times[page, index] - since) * float(total)
    return covered >= FULL * float(plan.windows[w]) * float(total - 1)


@inlined
def _shift(rows: Floats, a: int, b: int, m: int, metrics: int) -> float:
    """Return by how much the mean of row b is above that of row a."""
    near, mean = NEAR * metrics + m, AVERAGE * metrics + m
    return (rows[b, near] - rows[a, near]) + (rows[b, mean] - rows[a, mean])


@_inline
def _emit_window(
    plan: Plan, rows: Floats, merged: Floats, c: int, b: int, a: int, both: bool, m: int, metrics: int,
    total: float, now: float, out: Floats, row: int, column: int,
) -> None:  # fmt: skip
    """Write the statistics of one metric over one window: suffix a (if ``both``) and prefix b."""
    n, near, mean = rows[b, m], rows[b, NEAR * metrics + m], rows[b, AVERAGE * metrics + m]
    squares, low, high = rows[b, SQUARES * metrics + m], rows[b, LOW * metrics + m], rows[b, HIGH * metrics + m]
    older = rows[a, m] if both else 0.0
    if older > 0.0:
        share = n / (n + older)
        off = _shift(rows, a, b, m, metrics) if n > 0.0 else 0.0
        near, mean = rows[a, NEAR * metrics + m], rows[a, AVERAGE * metrics + m] + off * share
        squares += rows[a, SQUARES * metrics + m] + off * off * older * share
        low, high = min(low, rows[a, LOW * metrics + m]), max(high, rows[a, HIGH * metrics + m])
        n += older
    spread = np.sqrt(squares / (n - 1.0)) if n > 1.0 else 0.0
    if len(merged) > 0:
        merged[c, VALUES], merged[c, NEARS], merged[c, MEANS], merged[c, LOWEST], merged[c, HIGHEST] = (
            n, near, mean, low, high,
        )  # fmt: skip
        merged[c, SPREADS] = spread
    count = len(plan.statistics)
    out[row, column + count] = (total - n) / total
    for s in range(count):
        kind, y = plan.statistics[s], np.nan
        if n == 0.0:
            y = EMPTY[kind] if kind < SUM else np.nan
        elif kind < SUM:
            y = window_statistic(kind, n, near + mean, spread, low, high)
        else:
            y = _emit_more(plan, rows, b, a, older, n, m, metrics, kind, now)
        out[row, column + s] = y


@_noinline
def _emit_more(
    plan: Plan, rows: Floats, b: int, a: int, older: float, n: float, m: int, metrics: int, kind: int, now: float
) -> float:
    """Return one of the optional statistics of a window with at least one valid value."""
    plan = borrow_plan(plan)
    indices = plan.indices
    if kind == SUM:
        at = indices[AT_SUM] * metrics + m
        return rows[b, at] + (rows[a, at] if older > 0.0 else 0.0)
    if kind >= ABOVE:
        at = (indices[AT_ABOVE] + kind - ABOVE) * metrics + m
        return (rows[b, at] + (rows[a, at] if older > 0.0 else 0.0)) / n
    newer = n - older
    if kind == CHANGE:
        at = indices[AT_CHANGE] * metrics + m
        changed = at + CHANGED * metrics
        if newer == 0.0:
            return (now - rows[a, changed]) * 1e-9
        same = rows[b, changed] == rows[b, at]
        if same and older > 0.0 and rows[a, at + LAST_VALUE * metrics] == rows[b, at + FIRST_VALUE * metrics]:
            return (now - rows[a, changed]) * 1e-9
        return (now - rows[b, changed]) * 1e-9
    at = indices[AT_SLOPE] * metrics + m
    times, products = at + TIMES * metrics, at + PRODUCTS * metrics
    spread, product = rows[b, times], rows[b, products]
    if older > 0.0:
        spread, product = spread + rows[a, times], product + rows[a, products]
        if newer > 0.0:
            weight = older * newer / n * (rows[b, at] - rows[a, at])
            spread += weight * (rows[b, at] - rows[a, at])
            product += weight * _shift(rows, a, b, m, metrics)
    return product / spread * 1e9 if spread > 0.0 else 0.0


@_inline
def _take(plan: Plan, state: State, device: int, time: int, values: Floats, row: int, out: Floats) -> int:
    """Add one sample and write its features; return the status, or -1 if a page must be allocated first."""
    marks = state.marks
    last = marks[device, LAST]
    late = last >= 0 and time <= marks[device, NEWEST]
    if time < 0 or time >= LAST_TIME:
        return REJECTED
    if late:
        if time == marks[device, NEWEST]:
            return DUPLICATE
        # A known sample is a duplicate, not late. The first page may contain samples older than
        # the history; they are ignored, as after saving and restoring.
        if time > marks[device, NEWEST] - plan.indices[HISTORY]:
            page, index = _find(state, device, time)
            if page >= 0 and state.times[page, index] == time:
                return DUPLICATE
        if time < marks[device, NEWEST] - plan.indices[LATENESS]:
            return LATE
    full = last < 0 or marks[device, FILL] == CHUNK
    if full and state.free[0] == 0:
        return -1
    if not late:
        # The windows move first: pages that they leave may be released and reused in the next step.
        _advance(plan, state, device, time)
    if full:
        _take_page(plan, state, device, marks[device, NEWEST] if late else time)
    if not late:
        _append(plan, state, device, time, values, row)
        _emit(plan, state, device, marks[device, LAST], marks[device, FILL] - 1, out, row)
        if state.baselines.shape[1] > 0:
            _learn_from(plan, state, device, marks[device, LAST], marks[device, FILL] - 1)
        return SCORED
    page, index = _insert(state, device, time, values, row)
    _rebuild(plan, state, device, page, index)
    if state.baselines.shape[1] > 0:
        _rewind(plan, state, device, page, index)
    _emit(plan, state, device, page, index, out, row)
    _rebuild(plan, state, device, marks[device, LAST], marks[device, FILL] - 1)
    if state.baselines.shape[1] > 0:
        _learn_from(plan, state, device, page, index)
    return SCORED


@inlined
def _learn(plan: Plan, state: State, device: int, page: int, index: int) -> None:
    """Update the baselines of a device with one of its samples."""
    if index == 0:
        _copy(state.earlier, page, state.baselines, device)
    _update(plan, state, page, index, state.baselines, device)


@inlined
def _update(plan: Plan, state: State, page: int, index: int, rows: Floats, i: int) -> None:
    half_life = HALVES * plan.windows[plan.indices[LONGEST]] * 1e-3
    learn(rows, i, state.values, page, index, state.times[page, index], half_life)


@_noinline
def _baselines_before(plan: Plan, state: State, page: int, index: int, rows: Floats, i: int) -> None:
    """Compute the baselines before a sample, into row i."""
    plan, state = borrow_plan(plan), _borrow(state)
    _copy(rows, i, state.earlier, page)
    for k in range(index):
        _update(plan, state, page, k, rows, i)


@_noinline
def _rewind(plan: Plan, state: State, device: int, page: int, index: int) -> None:
    """Set the baselines of a device to those before one of its samples."""
    plan, state = borrow_plan(plan), _borrow(state)
    _baselines_before(plan, state, page, index, state.baselines, device)


@_noinline
def _learn_from(plan: Plan, state: State, device: int, page: int, index: int) -> None:
    """Update the baselines of a device with one of its samples and all later ones."""
    plan, state = borrow_plan(plan), _borrow(state)
    while page >= 0:
        stop = state.marks[device, FILL] if page == state.marks[device, LAST] else CHUNK
        for k in range(index, stop):
            _learn(plan, state, device, page, k)
        page, index = state.links[page, 1], 0


@_compiled
def take(
    plan: Plan, state: State, devices: Ints, times: Ints, values: Floats, start: int, stop: int, out: Floats,
    status: npt.NDArray[np.uint8],
) -> int:  # fmt: skip
    """Add the rows start:stop; return the row for which a page must be allocated first, or stop."""
    plan, state = borrow_plan(plan), _borrow(state)
    for i in range(start, stop):
        taken = _take(plan, state, devices[i], times[i], values, i, out)
        if taken < 0:
            return i
        status[i] = taken
        if taken != SCORED:
            for column in range(out.shape[1]):
                out[i, column] = np.nan
    return stop


@_compiled
def release(state: State, device: int) -> None:
    """Remove a device and release its pages."""
    state = _borrow(state)
    page = state.marks[device, FIRST]
    while page >= 0:
        state.free[0] += 1
        state.free[state.free[0]] = page
        page = state.links[page, 1]
    state.marks[device, :] = 0
    state.baselines[device, :] = 0.0
    state.marks[device, FIRST] = state.marks[device, LAST] = -1


@_compiled
def count(state: State, device: int, since: int) -> int:
    """Count the samples of a device after a time."""
    state = _borrow(state)
    samples, page, index = 0, state.marks[device, LAST], state.marks[device, FILL] - 1
    while page >= 0 and state.times[page, index] > since:
        samples += 1
        index -= 1
        if index < 0:
            page, index = state.links[page, 0], CHUNK - 1
    return samples


@_compiled
def copy_out(state: State, device: int, times: Ints, values: Floats) -> None:
    """Copy the newest samples of a device into arrays, oldest first."""
    state = _borrow(state)
    page, index = state.marks[device, LAST], state.marks[device, FILL] - 1
    for i in range(len(times) - 1, -1, -1):
        times[i] = state.times[page, index]
        values[i, :] = state.values[page, index, :]
        index -= 1
        if index < 0:
            page, index = state.links[page, 0], CHUNK - 1


@_compiled
def baselines_before(plan: Plan, state: State, device: int, samples: int, out: Floats) -> None:
    """Write the baselines of a device before its newest samples into an array of one row."""
    plan, state = borrow_plan(plan), _borrow(state)
    _copy(out, 0, state.baselines, device)
    page, left = state.marks[device, LAST], samples - state.marks[device, FILL]
    while left > 0:
        page = state.links[page, 0]
        left -= CHUNK
    if samples > 0:
        _baselines_before(plan, state, page, -left, out, 0)


@_compiled
def copy_in(plan: Plan, state: State, device: int, times: Ints, values: Floats, baselines: Floats) -> None:
    """Add the samples in the arrays, oldest first, to a device without samples; enough pages must be free.

    The baselines, an array of one row, are those before the first sample.
    """
    plan, state = borrow_plan(plan), _borrow(state)
    _copy(state.baselines, device, baselines, 0)
    for i in range(len(times)):
        if i % CHUNK == 0:
            _take_page(plan, state, device, times[i])
        _put(state, state.marks[device, LAST], i % CHUNK, times[i], values, i)
        state.marks[device, FILL] += 1
        if state.baselines.shape[1] > 0:
            _learn(plan, state, device, state.marks[device, LAST], i % CHUNK)
    if len(times) > 0:
        state.marks[device, NEWEST] = times[len(times) - 1]
        _rebuild(plan, state, device, state.marks[device, LAST], state.marks[device, FILL] - 1)
