"""The compiled kernel of stored samples: the windows of one device after another, LANES metrics at a time.

It computes what :mod:`netops.features.kernel` computes for the same samples one after another, with the same
operations on the same numbers: a window is a suffix of the samples before its bound and a prefix of those after it
(see there). As all samples are there, in order, the suffixes of a block are computed once, a row for each of its
samples, and nothing is inserted or kept for later.

The optional fields of aggregates have the positions that the plan gives them, after the six that each has.
"""

from typing import NamedTuple

import numpy as np

from netops.features.kernel import (
    ABOVE,
    AT_ABOVE,
    AT_CHANGE,
    AT_SLOPE,
    AT_SUM,
    AVERAGE,
    CHANGE,
    CHANGED,
    FEWEST,
    FIELDS,
    FIRST_VALUE,
    HIGH,
    LARGEST,
    LAST_TIME,
    LAST_VALUE,
    LOW,
    NEAR,
    PRODUCTS,
    SQUARES,
    SUM,
    TIMES,
    Floats,
    Ints,
    N,
    Plan,
    borrow_plan,
    unowned,
)
from netops.features.lanes import LANES, Lanes, each, load, root, store, where
from netops.features.statistics.selection import write_statistic
from netops.kernels import inlined, kernel

#: Rows whose statistics are written at a time, column by column.
TILE = 64
#: Planes of a tile: n, mean, std, low, high, the missing fraction, then one for each optional statistic.
MISSING, PLANES = 5, 6

_compiled = kernel(error_model="numpy")


class Work(NamedTuple):
    """Memory of one thread; M metrics, of which each row has LANES."""

    values: Floats  # samples of a device × LANES
    suffixes: Floats  # rows of fields × LANES
    prefix: Floats  # the optional fields: fields × LANES
    tile: Floats  # planes × TILE × LANES, for lanes
    planes: Floats  # the same memory in three dimensions, for single numbers


class Target(NamedTuple):
    """Where features are written."""

    out: Floats  # columns × rows
    carried: int  # rows of history, before the first row of out


class _Part(NamedTuple):
    """Some metrics of one device."""

    begin: int  # rows begin:stop
    stop: int
    first: int  # metrics first:first + lanes
    lanes: int


class _Core(NamedTuple):
    """The fields that each aggregate has."""

    n: Lanes
    near: Lanes
    mean: Lanes
    squares: Lanes
    low: Lanes
    high: Lanes


def work_for(plan: Plan, offsets: Ints, times: Ints) -> Work:
    """Allocate the memory for some devices."""
    optional, row = int((plan.statistics >= SUM).sum()), int(plan.indices[FIELDS]) * LANES
    tile = np.empty((PLANES + optional) * TILE * LANES)
    return Work(
        np.empty(int(np.diff(offsets).max()) * LANES),
        np.empty((longest_suffix(plan, offsets, times) + 1) * row),
        np.empty(row),
        tile,
        tile.reshape(-1, TILE, LANES),
    )


@_compiled
def first_wrong(offsets: Ints, times: Ints, before: int) -> tuple[int, bool]:
    """Return the first row whose time is not after that of the row before, and whether it is no valid time.

    ``before`` is the time before the first row. Without such a row, the number of rows is returned.
    """
    for d in range(len(offsets) - 1):
        for i in range(offsets[d], offsets[d + 1]):
            if times[i] < 0 or times[i] >= LAST_TIME:
                return i, True
            if times[i] <= before:
                return i, False
            before = times[i]
        before = -1
    return len(times), False


@_compiled
def longest_suffix(plan: Plan, offsets: Ints, times: Ints) -> int:
    """Return the largest number of samples in a window that are before its bound, at the start of a block."""
    most = 0
    for d in range(len(offsets) - 1):
        for w in range(len(plan.windows)):
            size, start, end = plan.windows[w], offsets[d], np.int64(-1)
            for i in range(offsets[d], offsets[d + 1]):
                if times[i] >= end:
                    end = times[i] // size * size + size
                    while times[start] <= times[i] - size:
                        start += 1
                    most = max(most, i - start)
    return most


@_compiled
def fill(plan: Plan, offsets: Ints, times: Ints, values: Floats, target: Target, work: Work) -> None:
    """Write the features of devices.

    Parameters
    ----------
    offsets : int64 array, devices + 1
        Device i has the rows offsets[i]:offsets[i + 1].
    times, values : arrays, n and n × metrics
    """
    plan, times, values = borrow_plan(plan), unowned(times), unowned(values)
    target = Target(unowned(target.out), target.carried)
    work = Work(
        unowned(work.values),
        unowned(work.suffixes),
        unowned(work.prefix),
        unowned(work.tile),
        unowned(work.planes),
    )
    for d in range(len(offsets) - 1):
        for first in range(0, values.shape[1], LANES):
            part = _Part(offsets[d], offsets[d + 1], first, min(LANES, values.shape[1] - first))
            _take_values(plan, part, values, target, work.values)
            for w in range(len(plan.windows)):
                _fill_window(plan, part, times, w, target, work)


@inlined
def _width(plan: Plan) -> int:
    """Return the number of columns of a metric."""
    return 1 + len(plan.windows) * (len(plan.statistics) + 1)


@inlined
def _take_values(plan: Plan, part: _Part, values: Floats, target: Target, taken: Floats) -> None:
    """Copy the values of a part, NaN in lanes without a metric, and write them as features."""
    for m in range(LANES):
        has_metric = m < part.lanes
        column = target.out[(part.first + m) * _width(plan) if has_metric else 0]
        for i in range(part.begin, part.stop):
            x = values[i, part.first + m] if has_metric else np.nan
            x = x if abs(x) <= LARGEST else np.nan
            taken[(i - part.begin) * LANES + m] = x
            if has_metric and i >= target.carried:
                column[i - target.carried] = x


@inlined
def _fill_window(plan: Plan, part: _Part, times: Ints, w: int, target: Target, work: Work) -> None:
    """Write the statistics of a part over one window."""
    begin, stop, size = part.begin, part.stop, plan.windows[w]
    row, column = plan.indices[FIELDS] * LANES, part.first * _width(plan) + 1 + w * (len(plan.statistics) + 1)
    end, start, base, bound = np.int64(-1), begin, begin, begin
    core, tile = _empty(), begin
    for i in range(begin, stop):
        time = times[i]
        if time >= end:
            end, bound = time // size * size + size, i
            while start < i and times[start] <= time - size:
                start += 1
            base = start
            _fill_suffixes(plan, times, begin, base, i, end - size, work)
            core = _empty()
            _clear_more(plan, work.prefix, 0)
        x, now = load(work.values, (i - begin) * LANES), float(time - (end - size))
        core = _added(core, x)
        if row > FEWEST * LANES:
            _add_more(plan, core, x, each(now), work.prefix, 0, 0, False)
        while start < bound and times[start] <= time - size:
            start += 1
        if i < target.carried:
            tile = i + 1
            continue
        _merge(plan, core, work, (start - base) * row, (i - tile) * LANES, i + 1 - start, now)
        if i + 1 == tile + TILE or i + 1 == stop:
            for m in range(part.lanes):
                _write(
                    plan, work.planes, m, target.out, column + m * _width(plan), tile - target.carried, i + 1 - tile
                )
            tile = i + 1


@inlined
def _empty() -> _Core:
    zero = each(0.0)
    return _Core(zero, zero, zero, zero, each(np.inf), each(-np.inf))


@inlined
def _added(a: _Core, x: Lanes) -> _Core:
    """Add a value to an aggregate."""
    valid = x == x
    near = where(valid & (a.n == each(0.0)), x, a.near)
    n = a.n + where(valid, each(1.0), each(0.0))
    off = x - near - a.mean
    mean = a.mean + off / n
    squares = a.squares + off * (x - near - mean)
    return _Core(
        n,
        near,
        where(valid, mean, a.mean),
        where(valid, squares, a.squares),
        where(a.low > x, x, a.low),
        where(x > a.high, x, a.high),
    )


@inlined
def _clear_more(plan: Plan, rows: Floats, at: int) -> None:
    for f in range(FEWEST, plan.indices[FIELDS]):
        store(rows, at + f * LANES, each(0.0))


@inlined
def _add_more(plan: Plan, core: _Core, x: Lanes, time: Lanes, rows: Floats, i: int, j: int, older: bool) -> None:
    """Compute the optional fields of an aggregate from position i, at position j of the rows.

    The other fields already contain the value, which is before (``older``) or after the values of the aggregate.
    """
    indices, valid, one = plan.indices, x == x, each(1.0)
    if indices[AT_SUM] >= 0:
        at = indices[AT_SUM] * LANES
        total = load(rows, i + at)
        store(rows, j + at, where(valid, total + x, total))
    if indices[AT_SLOPE] >= 0:
        at = indices[AT_SLOPE] * LANES
        average, squares = load(rows, i + at), load(rows, i + at + TIMES * LANES)
        products = load(rows, i + at + PRODUCTS * LANES)
        off = time - average
        mean = average + off / core.n
        store(rows, j + at, where(valid, mean, average))
        store(rows, j + at + TIMES * LANES, where(valid, squares + off * (time - mean), squares))
        more = products + off * (x - core.near - core.mean)
        store(rows, j + at + PRODUCTS * LANES, where(valid, more, products))
    if indices[AT_CHANGE] >= 0:
        at = indices[AT_CHANGE] * LANES
        since, first = load(rows, i + at), load(rows, i + at + FIRST_VALUE * LANES)
        last, changed = load(rows, i + at + LAST_VALUE * LANES), load(rows, i + at + CHANGED * LANES)
        only = valid & (core.n == one)
        if older:
            # A run that begins at the first value is extended if the older value is equal.
            changed = where(only | (valid & (changed == since) & (first == x)), time, changed)
            since, first, last = where(valid, time, since), where(valid, x, first), where(only, x, last)
        else:
            changed = where(only | (valid & (core.n > one) & (last != x)), time, changed)
            since, first, last = where(only, time, since), where(only, x, first), where(valid, x, last)
        store(rows, j + at, since)
        store(rows, j + at + FIRST_VALUE * LANES, first)
        store(rows, j + at + LAST_VALUE * LANES, last)
        store(rows, j + at + CHANGED * LANES, changed)
    for k in range(len(plan.thresholds)):
        at = (indices[AT_ABOVE] + k) * LANES
        store(rows, j + at, load(rows, i + at) + where(x > each(plan.thresholds[k]), one, each(0.0)))


@inlined
def _fill_suffixes(plan: Plan, times: Ints, begin: int, base: int, stop: int, bound: int, work: Work) -> None:
    """Compute the suffixes of the samples base:stop: row k - base begins with sample k, the last one is empty."""
    row, rows, core = plan.indices[FIELDS] * LANES, work.suffixes, _empty()
    at = (stop - base) * row
    _store(rows, at, core)
    _clear_more(plan, rows, at)
    for k in range(stop - 1, base - 1, -1):
        x = load(work.values, (k - begin) * LANES)
        core, at = _added(core, x), (k - base) * row
        _store(rows, at, core)
        if row > FEWEST * LANES:
            _add_more(plan, core, x, each(float(times[k] - bound)), rows, at + row, at, True)


@inlined
def _store(rows: Floats, at: int, core: _Core) -> None:
    store(rows, at + N * LANES, core.n)
    store(rows, at + NEAR * LANES, core.near)
    store(rows, at + AVERAGE * LANES, core.mean)
    store(rows, at + SQUARES * LANES, core.squares)
    store(rows, at + LOW * LANES, core.low)
    store(rows, at + HIGH * LANES, core.high)


@inlined
def _merge(plan: Plan, core: _Core, work: Work, suffix: int, at: int, samples: int, now: float) -> None:
    """Merge a prefix and a suffix, and write what the statistics are computed from into the tile."""
    rows, tile, zero, one, plane = work.suffixes, work.tile, each(0.0), each(1.0), TILE * LANES
    older, all_samples = load(rows, suffix + N * LANES), each(float(samples))
    n, had = core.n + older, older > zero
    near, mean = load(rows, suffix + NEAR * LANES), load(rows, suffix + AVERAGE * LANES)
    shift = where(core.n > zero, (core.near - near) + (core.mean - mean), zero)
    share = core.n / n
    squares = core.squares + (load(rows, suffix + SQUARES * LANES) + shift * shift * older * share)
    squares = where(had, squares, core.squares)
    low, high = load(rows, suffix + LOW * LANES), load(rows, suffix + HIGH * LANES)
    store(tile, at, n)
    store(tile, at + plane, where(had, near, core.near) + where(had, mean + shift * share, core.mean))
    store(tile, at + 2 * plane, where(n > one, root(squares / (n - one)), zero))
    store(tile, at + 3 * plane, where(core.low > low, low, core.low))
    store(tile, at + 4 * plane, where(high > core.high, high, core.high))
    store(tile, at + MISSING * plane, (all_samples - n) / all_samples)
    if plan.indices[FIELDS] > FEWEST:
        target = at + PLANES * plane
        for s in range(len(plan.statistics)):
            if plan.statistics[s] >= SUM:
                y = _optional(plan, core, work, suffix, older, n, shift, plan.statistics[s], each(now))
                store(tile, target, where(n > zero, y, each(np.nan)))
                target += plane


@inlined
def _optional(
    plan: Plan, core: _Core, work: Work, suffix: int, older: Lanes, n: Lanes, shift: Lanes, kind: int,
    now: Lanes,
) -> Lanes:  # fmt: skip
    """Return one of the optional statistics of a window with at least one valid value."""
    indices, rows, prefix, zero = plan.indices, work.suffixes, work.prefix, each(0.0)
    had = older > zero
    if kind == SUM or kind >= ABOVE:
        at = (indices[AT_SUM] if kind == SUM else indices[AT_ABOVE] + kind - ABOVE) * LANES
        total = load(prefix, at) + where(had, load(rows, suffix + at), zero)
        return total if kind == SUM else total / n
    if kind == CHANGE:
        at = indices[AT_CHANGE] * LANES
        changed, earlier = load(prefix, at + CHANGED * LANES), load(rows, suffix + at + CHANGED * LANES)
        same = changed == load(prefix, at)
        same = same & (load(rows, suffix + at + LAST_VALUE * LANES) == load(prefix, at + FIRST_VALUE * LANES))
        changed = where((core.n == zero) | (same & had), earlier, changed)
        return (now - changed) * each(1e-9)
    at = indices[AT_SLOPE] * LANES
    times, products = load(prefix, at + TIMES * LANES), load(prefix, at + PRODUCTS * LANES)
    off = load(prefix, at) - load(rows, suffix + at)
    weight = older * core.n / n * off
    newer = had & (core.n > zero)
    spread = times + where(had, load(rows, suffix + at + TIMES * LANES), zero)
    product = products + where(had, load(rows, suffix + at + PRODUCTS * LANES), zero)
    spread = where(newer, spread + weight * off, spread)
    product = where(newer, product + weight * shift, product)
    return where(spread > zero, product / spread * each(1e9), zero)


@inlined
def _write(plan: Plan, planes: Floats, m: int, out: Floats, column: int, first: int, rows: int) -> None:
    """Write the columns of one metric and window from the tile."""
    count, optional = len(plan.statistics), PLANES
    _copy_plane(planes, MISSING, m, out[column + count, first : first + rows])
    for s in range(count):
        if plan.statistics[s] < SUM:
            write_statistic(plan.statistics[s], planes, m, out[column + s, first : first + rows])
        else:
            _copy_plane(planes, optional, m, out[column + s, first : first + rows])
            optional += 1


@inlined
def _copy_plane(planes: Floats, plane: int, m: int, out: Floats) -> None:
    for r in range(len(out)):
        out[r] = planes[plane, r, m]
