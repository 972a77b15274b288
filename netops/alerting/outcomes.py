"""Outcomes of alerts at many thresholds, counted per period and per incident, for any weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from netops.alerting.machine import OPENED, RENEWED, STATE, step
from netops.alerting.matching import FALSE, MISSED, NEITHER, TRUE, classify, healthy_days
from netops.alerting.policy import AlertPolicy
from netops.alerting.resampling import Periods, period_at
from netops.alerting.sequences import Flags, Floats, Incidents, Integers, Sequences
from netops.config.durations import SECOND
from netops.kernels import kernel

#: Samples that a sweep passes over together.
_BLOCK = 64


@dataclass(frozen=True)
class EvaluationSplit:
    """The telemetry that is evaluated: the validation split, the test split, or a backtest.

    Attributes
    ----------
    sequences : Sequences
        The samples.
    labels : int8 array, rows
        1, 0, or -1 for none.
    incidents : Incidents
        All known incidents of the devices. Those that cannot be predicted (no healthy sample in
        [start − horizon, start)) are not counted, but an alert inside one does not count as false.
    horizon : int
        Nanoseconds.
    attributes : dict
        Attribute → its value for each device of the sequences; metrics are also reported per value.
    left_out : bool array, rows, or None
        Excluded rows, which are known only from feedback on an alert: no alert opens there, and their time does
        not count as healthy.
    """

    sequences: Sequences
    labels: npt.NDArray[np.int8]
    incidents: Incidents
    horizon: int
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    left_out: Flags | None = None

    @classmethod
    def where(
        cls,
        keep: Flags,
        sequences: Sequences,
        labels: npt.NDArray[np.int8],
        incidents: Incidents,
        horizon: int,
        attributes: Mapping[str, Sequence[str]] | None = None,
        left_out: Flags | None = None,
    ) -> "EvaluationSplit":
        """Select the rows of a split (``split.rows(TEST)``) from all telemetry."""
        excluded = None if left_out is None else left_out[keep]
        return cls(sequences.where(keep), labels[keep], incidents, horizon, attributes or {}, excluded)

    def without(self, chosen: Flags) -> "EvaluationSplit":
        """Exclude some incidents, with their samples and those in which they could be predicted.

        Parameters
        ----------
        chosen : bool array, incidents
        """
        own, others = self.incidents.where(chosen), self.incidents.where(~chosen)
        around = own.around(self.sequences, self.horizon)
        left_out = around if self.left_out is None else around | self.left_out
        labels = np.where(around, np.int8(-1), self.labels)
        return EvaluationSplit(self.sequences, labels, others, self.horizon, self.attributes, left_out)

    @cached_property
    def inside(self) -> Flags:
        """The rows that are inside an incident or excluded."""
        inside = self.incidents.inside(self.sequences)
        return inside if self.left_out is None else inside | self.left_out

    @cached_property
    def observed(self) -> Flags:
        """The incidents that are counted."""
        return self.incidents.observed(self.sequences, self.horizon)

    @cached_property
    def periods(self) -> Periods:
        """The units of resampling."""
        return Periods.of(self.sequences, self.incidents)

    @cached_property
    def period_of_incident(self) -> Integers:
        """The period that each incident ends."""
        return self.incidents.device + np.arange(len(self.incidents), dtype=np.int64)

    @cached_property
    def device_days(self) -> Floats:
        """Observed healthy time of each period, in device-days."""
        days = healthy_days(self.sequences, self.inside, self.horizon)
        return np.bincount(self.periods.of_row, weights=days, minlength=len(self.periods)).astype(np.float64)


@dataclass(frozen=True)
class Outcomes:
    """Outcomes at each of T thresholds.

    Attributes
    ----------
    thresholds : float64 array, T
    false, true, neither : int64 array, T × periods
        Number of alerts by the period they opened in.
    lead : int64 array, T × incidents
        Nanoseconds from the first true alert to the start; ``MISSED`` where there was none.
    """

    thresholds: Floats
    false: Integers
    true: Integers
    neither: Integers
    lead: Integers


def outcomes(split: EvaluationSplit, risks: Floats, policy: AlertPolicy, thresholds: Floats) -> Outcomes:
    """Run the alert machine at many thresholds (``policy.threshold`` is not used)."""
    sequences, incidents = split.sequences, split.incidents
    counts, lead = _sweep(
        np.zeros(1, dtype=STATE),
        sequences.offsets,
        sequences.timestamps,
        np.ascontiguousarray(risks, dtype=np.float64),
        split.inside,
        incidents.offsets,
        incidents.start,
        incidents.end,
        incidents.warned_from(split.horizon),
        thresholds,
        policy.close_below,
        policy.for_samples,
        policy.cooldown,
        policy.expires_after,
    )
    return Outcomes(thresholds, counts[FALSE], counts[TRUE], counts[NEITHER], lead)


@dataclass(frozen=True)
class Rates:
    """Event metrics, as arrays over thresholds or over resamples."""

    event_recall: Floats
    precision: Floats
    false_alarms_per_device_day: Floats
    median_lead_seconds: Floats


def rates(
    split: EvaluationSplit,
    found: Outcomes,
    weights: npt.NDArray[np.float64],
    threshold: int,
    incidents: Floats | None = None,
) -> Rates:
    """Return the weighted event metrics at one threshold.

    Parameters
    ----------
    part : Part
    found : Outcomes
    weights : float64 array, times × periods
    threshold : int
        Index of the threshold.
    incidents : float64 array, incidents, optional
        1 for incidents that count, otherwise 0; default: all count.
    """
    counted = split.observed if incidents is None else split.observed * incidents
    of_incident = weights[:, split.period_of_incident] * counted
    warned = found.lead[threshold] != MISSED
    false, true = weights @ found.false[threshold], weights @ found.true[threshold]
    with np.errstate(divide="ignore", invalid="ignore"):
        return Rates(
            (of_incident @ warned) / of_incident.sum(axis=1),
            true / (true + false),
            false / (weights @ split.device_days),
            _weighted_median(found.lead[threshold][warned] / SECOND, of_incident[:, warned]),
        )


def rates_by_threshold(split: EvaluationSplit, found: Outcomes) -> Rates:
    """Return the event metrics at each threshold, with equal weights."""
    everything = np.ones((1, len(split.periods)))
    each = [rates(split, found, everything, index) for index in range(len(found.thresholds))]
    names = Rates.__dataclass_fields__
    return Rates(**{name: np.array([getattr(rate, name)[0] for rate in each]) for name in names})


def candidates(split: EvaluationSplit, risks: Floats, count: int = 200) -> Floats:
    """Return candidate thresholds in decreasing order, denser where alerts are rarer.

    Each is midway between two risks, so that rounding in another runtime has no effect; the first is above all
    risks.
    """
    known = np.asarray(risks, dtype=np.float64)[~split.inside]
    known = -np.sort(-known[np.isfinite(known)])
    if len(known) == 0:
        return np.ones(1)
    ranks = np.unique(np.geomspace(1, max(len(known) - 1, 1), count).astype(np.int64))
    ranks = ranks[ranks < len(known)]
    middle = (known[ranks - 1] + known[ranks]) / 2
    return np.unique(np.append(middle, np.nextafter(known[0], np.inf)))[::-1].copy()


def _weighted_median(values: Floats, weights: npt.NDArray[np.float64]) -> Floats:
    """Return the weighted medians of values for many weights (times × values); NaN if all weights are 0."""
    if len(values) == 0:
        return np.full(len(weights), np.nan)
    order = np.argsort(values)
    rising, reached = values[order], np.cumsum(weights[:, order], axis=1)
    half = reached[:, -1:] / 2
    lower, upper = (reached < half).sum(axis=1), (reached <= half).sum(axis=1)
    last = len(values) - 1
    median = (rising[np.minimum(lower, last)] + rising[np.minimum(upper, last)]) / 2
    return np.where(reached[:, -1] > 0, median, np.nan)


@kernel
def _sweep(  # type: ignore[no-untyped-def]
    fresh,
    offsets,
    timestamps,
    risks,
    failed,
    incident_offsets,
    start,
    end,
    warned_from,
    thresholds,
    close_below,
    for_samples,
    cooldown,
    expire,
):
    devices = len(offsets) - 1
    counts = np.zeros((3, len(thresholds), len(start) + devices), dtype=np.int64)
    lead = np.full((len(thresholds), len(start)), MISSED, dtype=np.int64)
    first_block, highest, resets = _blocks(offsets, timestamps, risks, failed)
    for index in range(len(thresholds)):
        threshold, close_level = thresholds[index], thresholds[index] * close_below
        for device in range(devices):
            first, last = incident_offsets[device], incident_offsets[device + 1]
            states = fresh.copy()
            state = states[0]
            begin, row, stop = offsets[device], offsets[device], offsets[device + 1]
            while row < stop:
                block = first_block[device] + (row - begin) // _BLOCK
                if (row - begin) % _BLOCK == 0 and state.is_open == 0 and highest[block] < threshold:
                    row = min(row + _BLOCK, stop)
                    state.seen, state.last = True, timestamps[row - 1]
                    if resets[block]:
                        state.streak = 0
                    continue
                time = timestamps[row]
                happened = step(
                    state, time, risks[row], failed[row], threshold, close_level, for_samples, cooldown, expire
                )
                if happened in (OPENED, RENEWED):
                    kind, _ = classify(time, start, end, warned_from, first, last, lead[index])
                    counts[kind, index, period_at(device, time, incident_offsets, end)] += 1
                row += 1
    return counts, lead


@kernel
def _blocks(offsets, timestamps, risks, failed):  # type: ignore[no-untyped-def]
    # No alert opens in a block whose highest risk is below the threshold; what matters is whether it resets the
    # streak. A block with a sample that is not newer than the one before is never passed over.
    devices = len(offsets) - 1
    first_block = np.zeros(devices + 1, dtype=np.int64)
    for device in range(devices):
        first_block[device + 1] = first_block[device] - (offsets[device] - offsets[device + 1]) // _BLOCK
    highest = np.full(first_block[-1], -np.inf)
    resets = np.zeros(first_block[-1], dtype=np.bool_)
    for device in range(devices):
        begin = offsets[device]
        for row in range(begin, offsets[device + 1]):
            block = first_block[device] + (row - begin) // _BLOCK
            if row > begin and timestamps[row] <= timestamps[row - 1]:
                highest[block] = np.inf
            if failed[row]:
                resets[block] = True
            elif risks[row] == risks[row]:
                resets[block] = True
                highest[block] = max(highest[block], risks[row])
    return first_block, highest, resets
