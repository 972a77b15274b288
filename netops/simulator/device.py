"""One device over a time range: combines the results of the other kernels."""

import numpy as np
import numpy.typing as npt

from netops.kernels import kernel
from netops.simulator import randomness
from netops.simulator.effects import PINNED, disturb, freezes, lay_out, maintain, swell
from netops.simulator.randomness import derive, quantile, uniform
from netops.simulator.schedule import KIND, LENGTH, START, events_between
from netops.simulator.signals import draw_metric, fill_metric, fill_traffic
from netops.simulator.tables import (
    AFFECTED,
    CLAMP_MAX,
    CLAMP_MIN,
    DECIMALS,
    NOISE,
    PEAK,
    SHAPE,
    SIGMA,
    STEP,
    STUCK,
    WALK,
    WITH_MAX,
    WITH_MIN,
    Floats,
    Ints,
)

Bools = npt.NDArray[np.bool_]

#: Columns of a failure: scenario, ticks of precursor start, critical failure and end, first metric.
SCENARIO, PRECURSOR, CRITICAL, END, CAUSE = range(5)

_MAX, _MIN = 101, 102


@kernel(error_model="numpy")
def fill_device(
    key: np.uint64, first: int, phase: float, metrics: Floats, cdf: Floats, scenarios: Floats, order: Ints,
    effects: Floats, vector: Floats, failures: Floats, failing_key: np.uint64, calm: Floats, steps: Floats,
    origin: int, walks: Floats, values: Floats, errors: Bools, critical: Bools,
) -> Floats:  # fmt: skip
    """Write the samples of a device, beginning at tick ``first``.

    Parameters
    ----------
    key, failing_key : uint64
        Keys of the device, and of its failures.
    failures, calm : float64 arrays
        Events (see schedule.py): failures, and look-alikes.
    steps : float64 array, drifts × (1 + 2 · metrics)
        Tick, shifts, factors.
    origin : int
        Tick at which past-based metrics began.
    walks : float64 array, metrics
        Current sums of past-based metrics; updated.
    values : float64 array, columns × ticks
    errors : bool array, metrics × ticks
    critical : bool array, ticks
        Written.

    Returns
    -------
    float64 array
        The ground truth of each failure: SCENARIO, PRECURSOR, CRITICAL, END, CAUSE.
    """
    calm_key = derive(key, randomness.LOOKALIKES)
    traffic = np.empty(values.shape[1])
    fill_traffic(derive(key, randomness.TRAFFIC), first, vector, phase, traffic)
    for e in range(len(calm)):
        if scenarios[int(calm[e, KIND]), SHAPE] == PEAK:
            swell(calm_key, calm[e], scenarios[int(calm[e, KIND])], first, traffic)
    indices = _fill_metrics(key, first, metrics, cdf, traffic, steps, walks, values)
    errors[:] = False
    critical[:] = False
    for e in range(len(calm)):
        _maintain(calm_key, calm[e], scenarios, order, effects, metrics, indices, first, values)
    truths = _fail(
        failing_key, failures, scenarios, order, metrics, indices, first, traffic, values, errors, critical
    )
    for m in range(len(metrics)):
        _finish(derive(derive(key, randomness.METRICS), m), metrics[m], first, values[indices[m] : indices[m + 1]])
    for e in range(len(calm)):
        if scenarios[int(calm[e, KIND]), SHAPE] == STUCK:
            _stick(
                key, calm_key, calm[e], scenarios, order, metrics, cdf, vector, phase, steps, indices, first,
                origin, values,
            )  # fmt: skip
    return truths


@kernel(error_model="numpy")
def walk_to(key: np.uint64, origin: int, tick: int, metrics: Floats, cdf: Floats, steps: Floats) -> Floats:
    """Sum the past-based metrics of a device over the ticks origin..tick-1."""
    own, walks, drawn = derive(key, randomness.METRICS), np.zeros(len(metrics)), np.empty(4096)
    for m in range(len(metrics)):
        if metrics[m, WALK]:
            moves = _moves(steps, m, len(metrics))
            for first in range(origin, tick, len(drawn)):
                some = drawn[: min(len(drawn), tick - first)]
                draw_metric(derive(own, m), first, metrics[m], cdf, moves, some)
                # One by one, in the order of a run from the origin: the sum is bit-identical.
                for i in range(len(some)):
                    walks[m] += some[i]
    return walks


@kernel(error_model="numpy")
def _moves(steps: Floats, m: int, count: int) -> Floats:
    moves = np.empty((len(steps), 3))
    for s in range(len(steps)):
        moves[s, 0], moves[s, 1], moves[s, 2] = steps[s, 0], steps[s, 1 + m], steps[s, 1 + count + m]
    return moves


@kernel(error_model="numpy")
def _fill_metrics(
    key: np.uint64, first: int, metrics: Floats, cdf: Floats, traffic: Floats, steps: Floats, walks: Floats,
    values: Floats,
) -> Ints:  # fmt: skip
    """Write all metrics; return the index of each metric's first column, and the number of columns."""
    own, count = derive(key, randomness.METRICS), len(metrics)
    indices = np.zeros(count + 1, np.int64)
    for m in range(count):
        moves = _moves(steps, m, count)
        fill_metric(derive(own, m), first, metrics[m], cdf, traffic, moves, walks[m : m + 1], values[indices[m]])
        indices[m + 1] = indices[m] + 1 + int(metrics[m, WITH_MAX]) + int(metrics[m, WITH_MIN])
    return indices


@kernel(error_model="numpy")
def _maintain(
    key: np.uint64, event: Floats, scenarios: Floats, order: Ints, effects: Floats, metrics: Floats, indices: Ints,
    first: int, values: Floats,
) -> None:  # fmt: skip
    kind = int(event[KIND])
    if scenarios[kind, SHAPE] == STEP:
        for k in range(int(scenarios[kind, AFFECTED])):
            m = order[kind, k]
            maintain(key, event, scenarios[kind], metrics[m], effects[kind, k], first, values[indices[m]])


@kernel(error_model="numpy")
def _fail(
    key: np.uint64, events: Floats, scenarios: Floats, order: Ints, metrics: Floats, indices: Ints, first: int,
    traffic: Floats, values: Floats, errors: Bools, critical: Bools,
) -> Floats:  # fmt: skip
    truths = np.empty((len(events), 5))
    for e in range(len(events)):
        event, kind = events[e], int(events[e, KIND])
        rows = lay_out(key, event, scenarios[kind], order[kind], metrics)
        for k in range(len(rows)):
            m = order[kind, k]
            draws = derive(key, int(event[START]))
            disturb(draws, rows[k], scenarios[kind], metrics[m], first, traffic, values[indices[m]], errors[m])
        start, end = rows[:, PINNED].max(), event[START] + event[LENGTH]
        critical[max(0, int(start) - first) : max(0, int(end) - first)] = True
        truths[e, 0], truths[e, 1], truths[e, 2] = kind, event[START], start
        truths[e, 3], truths[e, 4] = end, order[kind, 0]
    return truths


@kernel(error_model="numpy")
def _finish(key: np.uint64, metric: Floats, first: int, columns: Floats) -> None:
    """Add the columns of extremes, keep the bounds, round."""
    spread = 0.5 * np.sqrt(metric[SIGMA] ** 2 + metric[NOISE] ** 2)
    if metric[WITH_MAX]:
        _extreme(derive(key, _MAX), first, spread, columns[0], columns[1])
    if metric[WITH_MIN]:
        _extreme(derive(key, _MIN), first, -spread, columns[0], columns[len(columns) - 1])
    scale = metric[DECIMALS]
    for c in range(len(columns)):
        for i in range(columns.shape[1]):
            value = min(metric[CLAMP_MAX], max(metric[CLAMP_MIN], columns[c, i]))
            columns[c, i] = np.rint(value * scale) / scale if scale > 0.0 else value


@kernel(error_model="numpy")
def _extreme(key: np.uint64, first: int, spread: float, values: Floats, out: Floats) -> None:
    # The maximum of ten normal deviations has the distribution function Φ^10.
    for i in range(len(values)):
        out[i] = values[i] + spread * max(0.0, quantile(uniform(key, first + i) ** 0.1))


@kernel(error_model="numpy")
def _stick(
    key: np.uint64, calm_key: np.uint64, event: Floats, scenarios: Floats, order: Ints, metrics: Floats,
    cdf: Floats, vector: Floats, phase: float, steps: Floats, indices: Ints, first: int, origin: int,
    values: Floats,
) -> None:  # fmt: skip
    """Freeze or remove the values; they freeze at the undisturbed value at the start of the event."""
    kind, start = int(event[KIND]), int(event[START])
    low, high = max(0, start - first), min(values.shape[1], start + int(event[LENGTH]) - first)
    frozen = freezes(calm_key, event, scenarios[kind])
    stuck = np.full((values.shape[0], 1), np.nan)
    if frozen:
        traffic = np.empty(1)
        fill_traffic(derive(key, randomness.TRAFFIC), start, vector, phase, traffic)
        walks = walk_to(key, origin, start, metrics, cdf, steps)
        _fill_metrics(key, start, metrics, cdf, traffic, steps, walks, stuck)
    for k in range(int(scenarios[kind, AFFECTED])):
        m = order[kind, k]
        if frozen:
            _finish(
                derive(derive(key, randomness.METRICS), m), metrics[m], start, stuck[indices[m] : indices[m + 1]]
            )
        for c in range(indices[m], indices[m + 1]):
            values[c, low:high] = stuck[c, 0]


@kernel(error_model="numpy")
def schedule_device(
    key: np.uint64, site_key: np.uint64, first: int, last: int, phase: float, hop: float, depth: int,
    chances: Floats, own: Ints, own_weights: Floats, harmless: Ints, harmless_weights: Floats, site: Ints,
    site_weights: Floats, scenarios: Floats, vector: Floats,
) -> tuple[Floats, Floats]:  # fmt: skip
    """List the events of a device between two ticks: failures (with the outages of its site), and benign events."""
    events_key = derive(key, randomness.EVENTS)
    own_events = events_between(events_key, first, last, chances[0], own, own_weights, scenarios, vector, phase)
    low, high = first, last
    for e in range(len(own_events)):
        low = min(low, int(own_events[e, START]))
        high = max(high, int(own_events[e, START] + own_events[e, LENGTH]))
    # An outage reaches the device with a delay, and replaces overlapping events of the device: outages are
    # determined for the complete range of the device's events, so that the result is the same for each range.
    late = int(hop * (depth + uniform(events_key, -1)))
    out = events_between(
        site_key, low - late - 2, high - late + 2, chances[2], site, site_weights, scenarios, vector, phase
    )
    for e in range(len(out)):
        out[e, START] += late
    failures = np.concatenate((_clear_of(own_events, out), out))
    calm_key = derive(key, randomness.LOOKALIKES)
    calm = events_between(calm_key, first, last, chances[1], harmless, harmless_weights, scenarios, vector, phase)
    return failures, calm


@kernel(error_model="numpy")
def _clear_of(events: Floats, others: Floats) -> Floats:
    keep = np.ones(len(events), np.bool_)
    for e in range(len(events)):
        for o in range(len(others)):
            before = events[e, START] + events[e, LENGTH] < others[o, START]
            after = others[o, START] + others[o, LENGTH] < events[e, START]
            keep[e] &= before or after
    return events[keep]
