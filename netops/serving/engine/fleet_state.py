"""The state of the devices: windows, alerts, clocks and locations."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netops.alerting.policy import AlertPolicy
from netops.alerting.tracker import AlertTracker
from netops.errors import NetopsError
from netops.features.engine import LATE, REJECTED, SCORED, FeatureEngine
from netops.features.saved import unpack
from netops.features.spec import FeatureSpec
from netops.logs.tally import Counted
from netops.serving.engine.clock import KNOWN, NEVER, NetworkClock
from netops.serving.engine.devices import DeviceTable
from netops.serving.engine.other_metrics import OtherMetrics
from netops.serving.engine.recent import RecentSamples
from netops.serving.engine.samples import Samples
from netops.serving.engine.state_kernels import is_out_of_time, lower, store_newest
from netops.serving.engine.work import Work
from netops.serving.logs.device_counts import DeviceCounts
from netops.serving.logs.log_devices import LogDevices
from netops.serving.logs.recent_lines import RecentLines
from netops.serving.settings import ServingSettings
from netops.telemetry.columns.counter_stream import CounterRates

#: Default of ``silent_after``, as a multiple of the shortest window.
SILENT_WINDOWS = 5
#: With at most this many devices, one wrong clock can determine the network time.
FEW = 3
#: Cost of scanning one sample and metric for a late sample, as a fraction of the cost limit of a slice:
#: 50 ns of 10 ms.
_SCAN_COST = 5e-6
#: Instead of an event time: unchanged.
UNCHANGED = np.iinfo(np.int64).max


class Jump(NamedTuple):
    """Windows, newest time and number of samples of a device before its time jumped forward."""

    state: bytes
    newest: int
    samples: int


def compile_kernels(spec: FeatureSpec, policy: AlertPolicy) -> None:
    """Compile the streaming kernels, or load them from disk, so that no request waits for it."""
    engine, codes = FeatureEngine(spec), np.zeros(1, dtype=np.int64)
    engine.update(codes, codes, np.zeros((1, len(spec.metrics))))
    engine.restore(0, engine.save(0))
    AlertTracker(policy).update(codes, codes, np.zeros(1))
    clock, values = NetworkClock(1, 1), np.zeros((1, len(spec.metrics)))
    clock.observe(codes, codes)
    is_out_of_time(clock.newest, codes, codes, 0, 0)
    lower(codes.copy(), codes, codes)
    store_newest(np.zeros(1), values, clock.newest, codes, codes, np.zeros(1), values)


def restore_windows(engine: FeatureEngine, code: int, state: bytes) -> None:
    """Restore the saved windows of a device in an engine, even if its windows are longer.

    Raises
    ------
    NetopsError
        If the state is damaged or of other metrics.
    """
    try:
        engine.restore(code, state)
    except NetopsError:
        times, values = unpack(engine.spec, 0, state)
        engine.forget(code)
        engine.update(np.full(len(times), code, dtype=np.int64), times, values)


class FleetState:
    """The state of all devices of a network; one thread at a time.

    Attributes
    ----------
    engine, tracker, table, clock
        Windows, alerts, names and clock, by device code.
    counters : CounterRates or None
        Converts counters to rates, as in training; None if there are no counters.
    counts : dict
        ``logs`` and ``events``, as far as the model counts them → the messages that samples will count.
    log_devices : LogDevices
        The devices without metrics.
    lines : RecentLines
        The last log messages of each device, if they are kept.
    quarantine : dict
        Code of a device whose clock is ahead of the network → its windows and newest time before. They are restored
        when its clock is corrected.
    risk : float64 array, by code
        The risk of each device's newest sample, NaN if it has none.
    values : float64 array, by code × metrics
        The newest sample of each device.
    recent : RecentSamples
        Recent samples, compared with the training data of the champion.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        policy: AlertPolicy,
        settings: ServingSettings,
        counters: Sequence[str] = (),
        counted: Sequence[Counted] = (),
    ) -> None:
        self.settings = settings
        capacity = settings.limits.devices
        silent_after = settings.time.silent_after or SILENT_WINDOWS * min(spec.windows)
        self.engine = FeatureEngine(spec, settings.time.allowed_lateness)
        self.counters = CounterRates(spec.metrics, counters) if counters else None
        self.counts = {columns.entry: self._new_counts(columns, spec) for columns in counted}
        self.lines = RecentLines(settings.messages.keep)
        self.log_devices = self._new_log_devices(spec, counted)
        self.tracker = AlertTracker(policy)
        self.table = DeviceTable(capacity)
        self.clock = NetworkClock(capacity, silent_after)
        self.quarantine: dict[int, tuple[bytes, int]] = {}
        self.quarantined = np.zeros(capacity, dtype=np.bool_)
        self.risk = np.full(capacity, np.nan)
        self.values = np.full((capacity, len(spec.metrics)), np.nan)
        self.recent = RecentSamples(spec.metrics)
        self.dropped: list[tuple[int, str]] = []
        self.restarted: list[str] = []
        #: For the snapshots, per device: the event time after which its windows have changed since the last one,
        #: and the number of the last one with its full windows; then the devices dropped since.
        self.changed = np.full(capacity, NEVER, dtype=np.int64)
        self.full_in = np.full(capacity, NEVER, dtype=np.int64)
        self.gone: list[str] = []
        #: After a jump of more than this, the windows of a device are empty.
        self._far = max(settings.time.future_limit, self.engine.history)
        self.jumps: dict[int, Jump] = {}
        self._behind: dict[int, tuple[int, int]] = {}

    def update(self, work: Work) -> npt.NDArray[np.int64]:
        """Process the samples of a request; set codes, statuses and feature vectors of ``work``.

        Returns
        -------
        int64 array
            Stale devices that have recovered.
        """
        if work.samples.is_made:
            self._reject_removed(work)
        rows = np.flatnonzero(work.status == SCORED) if work.samples.errors else np.arange(len(work.status))
        if len(rows) == 0:
            work.features = np.empty((0, len(self.engine.spec.names)))
            return rows
        rows, codes = self._codes(work, rows)
        work.codes[rows] = codes
        if not work.samples.is_made:
            self.log_devices.release(codes.tolist())
        timestamps, values = work.samples.timestamps[rows], work.samples.values[rows]
        out_of_time = self._is_out_of_time(codes, timestamps)
        if self.counts:
            self._count_messages(codes, timestamps, values, out_of_time)
            work.samples.set_values(rows, values)
        if self.counters is not None and not out_of_time:
            values = self.counters.update(codes, timestamps, values)
        if out_of_time:
            features, status = self._update_one_by_one(codes, timestamps, values)
        else:
            features, status = self.engine.update(codes, timestamps, values)
        if self.counters is None or not out_of_time:
            self.recent.add(codes, timestamps, values, self.clock.newest)
        corrected = self._correct_clocks(codes, timestamps, work.samples.values[rows], features, status)
        work.status[rows] = status
        if status.any():
            scored = status == SCORED
            rows, codes, timestamps, features = rows[scored], codes[scored], timestamps[scored], features[scored]
        work.scored, work.features = rows, features
        recovered = self.clock.observe(codes, timestamps)
        lower(self.changed, codes, timestamps)
        if corrected:
            self.clock.update_time()
        self._end_quarantines()
        work.quarantined = self.quarantined[codes]
        return recovered

    def _reject_removed(self, work: Work) -> None:
        """Reject made samples of devices that were removed, or have sent metrics, since they were made."""
        samples = work.samples
        for row, name in enumerate(samples.devices):
            code = self.table.code(str(name))
            if code is None or code not in self.log_devices:
                work.status[row] = REJECTED
                samples.errors[row] = "a sample of a device that has been removed or sends metrics"
                samples.raw[row] = {"device": name, "timestamp": samples.stamps[row]}

    def _count_messages(
        self,
        codes: npt.NDArray[np.int64],
        timestamps: npt.NDArray[np.int64],
        values: npt.NDArray[np.float64],
        out_of_time: bool,
    ) -> None:
        """Set the counts of messages, except for samples ahead of the network: others will count these messages."""
        chosen = np.arange(len(codes))
        if out_of_time:
            limit = self.clock.time_with(codes, timestamps) + self.settings.time.future_limit
            chosen = chosen[timestamps <= limit]
        some = values[chosen]
        for counts in self.counts.values():
            counts.fill(codes[chosen], timestamps[chosen], some)
        values[chosen] = some

    def slices(self, samples: Samples, late: npt.NDArray[np.bool_], size: int) -> list[int]:
        """Return where to split the samples of a request, so that no slice takes long.

        A late sample is expensive: it scans the device's windows.

        Parameters
        ----------
        samples : Samples
        late : bool array
            See :meth:`late`.
        size : int
            Maximum rows of a slice.

        Returns
        -------
        list of int
            The first row of each slice, and the number of rows.
        """
        count = len(samples)
        rows = np.flatnonzero(late)
        if len(rows) == 0:
            return [*range(0, count, size), count]
        cost = np.full(count, 1.0 / size)
        for row in rows.tolist():
            code = self.table.code(str(samples.devices[row]))
            scanned = count if code is None else self.engine.samples(code) + count
            cost[row] += scanned * len(self.engine.spec.metrics) * _SCAN_COST
        bounds, total = [0], 0.0
        for row, one in enumerate(cost.tolist()):
            if total + one > 1.0 and row > bounds[-1]:
                bounds.append(row)
                total = 0.0
            total += one
        return [*bounds, count]

    def late(self, samples: Samples) -> npt.NDArray[np.bool_]:
        """Mark the samples that are older than the newest of their device, including those of this request."""
        times, get = samples.timestamps, self.table.code
        if (np.diff(times) >= 0).all() and (len(times) == 0 or times[0] >= self.clock.newest.max(initial=NEVER)):
            return np.zeros(len(times), dtype=np.bool_)
        newest: dict[str, int] = {}
        late = np.zeros(len(times), dtype=np.bool_)
        for row, (name, time) in enumerate(zip(samples.devices, times.tolist(), strict=True)):
            key = str(name)
            last = newest.get(key)
            if last is None:
                code = get(key)
                last = NEVER if code is None else int(self.clock.newest[code])
            late[row] = time < last
            newest[key] = max(last, time)
        return late

    def note_change(self, code: int) -> None:
        """Note that the next snapshot must contain a device, although its windows have not changed."""
        self.changed[code] = min(self.changed[code], self.clock.newest[code])

    def store_risks(self, work: Work) -> None:
        """Store the risk and the values of each device's newest sample; late samples are ignored."""
        rows, samples = work.scored, work.samples
        sent = work.codes[rows], samples.timestamps[rows], work.risks, np.ascontiguousarray(samples.values[rows])
        store_newest(self.risk, self.values, self.clock.newest, *sent)

    def change_spec(self, spec: FeatureSpec, counted: Sequence[Counted] = ()) -> None:
        """Change to other windows, statistics or counts of messages; the raw samples are retained.

        Parameters
        ----------
        spec : FeatureSpec
            Its metrics are the same, except for those that count messages.
        counted : sequence of Counted
            What is counted; counts of samples before are unknown where they were not counted.
        """
        # Everything that may fail comes before the first change.
        other = OtherMetrics(self.engine.spec.metrics, spec)
        engine = self.engine if spec == self.engine.spec else self._changed_engine(other, spec)
        counts = {columns.entry: self._changed_counts(columns, spec) for columns in counted}
        if other.changed:
            self._change_metrics(other, spec)
        self.engine, self.counts = engine, counts
        before, self.log_devices = self.log_devices, self._new_log_devices(spec, counted)
        for code in self.table.codes():
            self.log_devices.restore(code, before.save(code))
        self.log_devices.resume(before)

    def _changed_engine(self, other: OtherMetrics, spec: FeatureSpec) -> FeatureEngine:
        engine = FeatureEngine(spec, self.settings.time.allowed_lateness)
        for code in self.table.codes():
            restore_windows(engine, code, other.windows(self.engine.save(code)))
        return engine

    def _changed_counts(self, columns: Counted, spec: FeatureSpec) -> DeviceCounts:
        before = self.counts.get(columns.entry)
        return self._new_counts(columns, spec) if before is None else before.changed_to(columns, spec.metrics)

    def _change_metrics(self, other: OtherMetrics, spec: FeatureSpec) -> None:
        self.values, self.recent = other.columns(self.values), RecentSamples(spec.metrics)
        self.quarantine = {
            code: (other.windows(state), newest) for code, (state, newest) in self.quarantine.items()
        }
        self.jumps = {code: jump._replace(state=other.windows(jump.state)) for code, jump in self.jumps.items()}
        if self.counters is not None:
            self.counters.reorder(spec.metrics)
        self.write_in_full()

    def _new_counts(self, columns: Counted, spec: FeatureSpec) -> DeviceCounts:
        limits = self.settings.limits
        return DeviceCounts(columns, spec.metrics, limits.devices, limits.messages)

    def _new_log_devices(self, spec: FeatureSpec, counted: Sequence[Counted]) -> LogDevices:
        interval = max((columns.interval for columns in counted), default=0)
        names = {name for columns in counted for name in columns.names}
        return LogDevices(interval, self.engine.history, patient=any(name not in names for name in spec.metrics))

    def write_in_full(self) -> None:
        """Write all windows in the next snapshot, so that it does not need earlier ones, of other metrics."""
        self.changed[:] = self.full_in[:] = NEVER

    def drop(self, codes: Sequence[int]) -> None:
        """Remove devices."""
        self.dropped += [(code, str(self.table.names[code])) for code in codes]
        for code in codes:
            self.engine.forget(code)
            self.tracker.forget(code)
            if self.counters is not None:
                self.counters.forget(code)
            for counts in self.counts.values():
                counts.forget(code)
            self.lines.forget(code)
            self.log_devices.release([code])
            self._end_quarantine(code)
            self.jumps.pop(code, None)
            self._behind.pop(code, None)
        self.gone += [name for _, name in self.dropped[-len(codes) :]] if codes else []
        self.changed[codes] = self.full_in[codes] = NEVER
        self.table.drop(codes)
        self.table.evicted += len(codes)
        self.clock.forget(np.array(codes, dtype=np.int64))
        self.risk[codes] = self.values[codes] = np.nan

    def _codes(
        self, work: Work, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        samples = work.samples
        names = [str(samples.devices[row]) for row in rows.tolist()]
        if len(self.table) + len(names) > self.table.capacity:
            rows, names = self._within_capacity(work, rows, names)
            wanted = self.table.missing(names)
            self.drop(self.table.oldest(self.clock.arrival, wanted, names) if wanted else [])
        codes = self.table.assign(names)
        if samples.companies or samples.data_centers:
            companies = samples.companies or [None] * len(samples)
            centers = samples.data_centers or [None] * len(samples)
            for row, code in zip(rows.tolist(), codes.tolist(), strict=True):
                self.table.set_location(code, companies[row], centers[row])
        return rows, codes

    def _within_capacity(
        self, work: Work, rows: npt.NDArray[np.int64], names: list[str]
    ) -> tuple[npt.NDArray[np.int64], list[str]]:
        """Reject the samples of devices that exceed the capacity even if all others are evicted."""
        capacity = self.table.capacity
        admitted = dict.fromkeys(names)
        if len(admitted) <= capacity:
            return rows, names
        admitted = dict.fromkeys(list(admitted)[:capacity])
        for row, name in zip(rows.tolist(), names, strict=True):
            if name not in admitted:
                work.status[row] = REJECTED
                work.samples.errors[row] = f"more than {capacity} devices in one request (limits.devices)"
                work.samples.raw[row] = {"device": name, "timestamp": work.samples.stamps[row]}
        selected = [index for index, name in enumerate(names) if name in admitted]
        return rows[selected], [names[index] for index in selected]

    def _is_out_of_time(self, codes: npt.NDArray[np.int64], timestamps: npt.NDArray[np.int64]) -> bool:
        """Return whether the clock of any of these devices is ahead or has jumped forward."""
        if self.clock.now == NEVER:
            return False
        limit = self.clock.now + self.settings.time.future_limit
        return is_out_of_time(self.clock.newest, codes, timestamps, limit, self._far)

    def _update_one_by_one(
        self, codes: npt.NDArray[np.int64], timestamps: npt.NDArray[np.int64], values: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
        limit = self.clock.time_with(codes, timestamps) + self.settings.time.future_limit
        features = np.empty((len(codes), len(self.engine.spec.names)))
        status = np.empty(len(codes), dtype=np.uint8)
        for row, (code, timestamp) in enumerate(zip(codes.tolist(), timestamps.tolist(), strict=True)):
            if timestamp > limit and code not in self.quarantine:
                self.start_quarantine(code, self.engine.save(code), int(self.clock.newest[code]))
            self._note_jump(code, timestamp)
            features[row], status[row] = self._update_one(code, timestamp, values[row])
            if status[row] == LATE and self._was_ahead(code, limit):
                self._set_back(code, timestamp)
                features[row], status[row] = self._update_one(code, timestamp, values[row])
        return features, status

    def _update_one(
        self, code: int, timestamp: int, values: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], int]:
        if self.counters is not None:
            values = self.counters.update(np.array([code]), np.array([timestamp]), values[np.newaxis])[0]
        return self.engine.update_one(code, timestamp, values)

    def _was_ahead(self, code: int, limit: int) -> bool:
        newest = self.engine.newest(code)
        return newest is not None and newest > limit

    def _note_jump(self, code: int, timestamp: int) -> None:
        """Record that a device's time has jumped forward; in small networks also store its previous windows."""
        newest = self.engine.newest(code)
        if newest is None or timestamp <= newest + self._far:
            return
        before = self.jumps.get(code)
        if before is None or self.clock.sample_counts[code] - before.samples > FEW:
            state = self.engine.save(code) if len(self.table) <= FEW else b""
            self.jumps[code] = Jump(state, newest if state else NEVER, int(self.clock.sample_counts[code]))

    def _correct_clocks(
        self,
        codes: npt.NDArray[np.int64],
        timestamps: npt.NDArray[np.int64],
        values: npt.NDArray[np.float64],
        features: npt.NDArray[np.float64],
        status: npt.NDArray[np.uint8],
    ) -> bool:
        """Reset a device whose samples are late repeatedly: its newest time was wrong, not these samples.

        The samples since its last jump are outvoted by a larger number of consecutive late samples that are older
        by more than ``future_limit``.
        """
        if not self._behind and not status.any():
            return False
        late = status == LATE
        if self._behind:
            for code in set(codes[~late].tolist()) & self._behind.keys():
                del self._behind[code]
        corrected = set()
        for row in np.flatnonzero(late).tolist() if late.any() else ():
            code, timestamp = int(codes[row]), int(timestamps[row])
            if code not in corrected:
                if not self._is_outvoted(code, timestamp):
                    continue
                self._set_back(code, timestamp)
                corrected.add(code)
            features[row], status[row] = self._update_one(code, timestamp, values[row])
        return bool(corrected)

    def _is_outvoted(self, code: int, timestamp: int) -> bool:
        count, last = self._behind.get(code, (0, NEVER))
        newest = self.engine.newest(code)
        if newest is None or timestamp <= last or timestamp > newest - self.settings.time.future_limit:
            return False
        self._behind[code] = count + 1, timestamp
        jump = self.jumps.get(code)
        since = int(self.clock.sample_counts[code]) - (jump.samples if jump else 0)
        return count + 1 > max(since, KNOWN - 1)

    def _set_back(self, code: int, timestamp: int) -> None:
        """Restore the state of a device from before its clock was ahead: it was corrected to this time."""
        jump, saved = self.jumps.pop(code, None), self._end_quarantine(code)
        state, newest = saved or ((jump.state, jump.newest) if jump else (b"", NEVER))
        self._behind.pop(code, None)
        self.changed[code] = NEVER
        if saved is None:  # the samples ahead have also affected its alert
            self.tracker.forget(code)
            self.restarted.append(str(self.table.names[code]))
        if self.counters is not None:
            self.counters.forget(code)
        for counts in self.counts.values():
            counts.set_back(code, newest, timestamp)
        if state and newest != NEVER:
            restore_windows(self.engine, code, state)
        else:
            self.engine.forget(code)
            self.tracker.forget(code)
        self.clock.set_back(code, newest)

    def _end_quarantines(self) -> None:
        """End the quarantine of devices whose time the network has reached: their clocks were right."""
        limit = self.clock.now + self.settings.time.future_limit
        if self.quarantine:
            for code in np.flatnonzero(self.quarantined & (self.clock.newest <= limit)).tolist():
                self._end_quarantine(code)

    def start_quarantine(self, code: int, state: bytes, newest: int) -> None:
        """Store the state to which a device whose clock is ahead returns when the clock is corrected."""
        self.quarantine[code], self.quarantined[code] = (state, newest), True

    def clear_quarantine(self, code: int) -> None:
        """Clear quarantine and jump of a device."""
        self._end_quarantine(code)
        self.jumps.pop(code, None)

    def _end_quarantine(self, code: int) -> tuple[bytes, int] | None:
        self.quarantined[code] = False
        return self.quarantine.pop(code, None)
