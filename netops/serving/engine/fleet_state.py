"""Everything that is known of the devices: their windows, alerts, clocks and places."""

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
from netops.serving.engine.clock import KNOWN, NEVER, NetworkClock
from netops.serving.engine.devices import DeviceTable
from netops.serving.engine.recent import RecentSamples
from netops.serving.engine.samples import Samples
from netops.serving.engine.work import Work
from netops.serving.settings import ServingSettings
from netops.telemetry.columns.counter_stream import CounterRates

#: Without a setting, a device is silent after this many of the shortest windows.
SILENT_WINDOWS = 5
#: With up to this many devices a network's time may be that of one wrong clock.
FEW = 3
#: Each sample and metric that a late sample walks over, as a fraction of what a part of a request may cost:
#: 50 ns of 10 ms.
_WALK = 5e-6
#: In place of an event time: nothing has changed.
UNCHANGED = np.iinfo(np.int64).max


class Jump(NamedTuple):
    """A device's windows and newest time before its time jumped forward, and how many samples it had sent."""

    state: bytes
    newest: int
    heard: int


def compile_kernels(spec: FeatureSpec, policy: AlertPolicy) -> None:
    """Have the kernels of a stream compiled, or read from disk, so that no request waits for it."""
    engine, codes = FeatureEngine(spec), np.zeros(1, dtype=np.int64)
    engine.update(codes, codes, np.zeros((1, len(spec.metrics))))
    engine.restore(0, engine.save(0))
    AlertTracker(policy).update(codes, codes, np.zeros(1))


def take_up(engine: FeatureEngine, code: int, state: bytes) -> None:
    """Give an engine the saved windows of a device, even if they reach back less far than its own.

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
        Windows, alerts, names and clocks, by device code.
    counters : CounterRates or None
        Turns the metrics that are counters into rates, as they were for training; None where there are none.
    trials : dict
        Code of a device whose clock runs ahead of its network → its windows as they were before, and its newest
        time then: what it goes back to when its clock is set right.
    risk : float64 array, by code
        The risk of each device's newest sample, NaN where it has none.
    values : float64 array, by code × metrics
        The newest sample of each device.
    recent : RecentSamples
        What was sent lately, to be compared with what the champion was trained on.
    """

    def __init__(
        self, spec: FeatureSpec, policy: AlertPolicy, settings: ServingSettings, counters: Sequence[str] = ()
    ) -> None:
        self.settings = settings
        capacity = settings.limits.devices
        silent_after = settings.time.silent_after or SILENT_WINDOWS * min(spec.windows)
        self.engine = FeatureEngine(spec, settings.time.allowed_lateness)
        self.counters = CounterRates(spec.metrics, counters) if counters else None
        self.tracker = AlertTracker(policy)
        self.table = DeviceTable(capacity)
        self.clock = NetworkClock(capacity, silent_after)
        self.trials: dict[int, tuple[bytes, int]] = {}
        self.on_trial = np.zeros(capacity, dtype=np.bool_)
        self.risk = np.full(capacity, np.nan)
        self.values = np.full((capacity, len(spec.metrics)), np.nan)
        self.recent = RecentSamples(spec.metrics)
        self.dropped: list[tuple[int, str]] = []
        self.restarted: list[str] = []
        #: For the snapshots: after which event time a device's windows have changed since the last one, the number
        #: of the last one that has them whole, and the devices dropped since.
        self.changed = np.full(capacity, NEVER, dtype=np.int64)
        self.whole_in = np.full(capacity, NEVER, dtype=np.int64)
        self.gone: list[str] = []
        #: Beyond this a device's windows are empty after a jump forward: nothing in them speaks for the new time.
        self._far = max(settings.time.future_limit, self.engine.history)
        self.jumps: dict[int, Jump] = {}
        self._behind: dict[int, tuple[int, int]] = {}

    def update(self, work: Work) -> npt.NDArray[np.int64]:
        """Take the samples of a request in: codes, statuses and feature vectors of ``work`` are set.

        Returns
        -------
        int64 array
            Devices that were silent and speak again.
        """
        rows = np.flatnonzero(work.status == SCORED) if work.samples.errors else np.arange(len(work.status))
        if len(rows) == 0:
            work.features = np.empty((0, len(self.engine.spec.names)))
            return rows
        rows, codes = self._codes(work, rows)
        work.codes[rows] = codes
        timestamps, values = work.samples.timestamps[rows], work.samples.values[rows]
        odd = self._is_odd(codes, timestamps)
        if self.counters is not None and not odd:
            values = self.counters.update(codes, timestamps, values)
        if odd:
            features, status = self._update_one_by_one(codes, timestamps, values)
        else:
            features, status = self.engine.update(codes, timestamps, values)
        if self.counters is None or not odd:
            self.recent.take(codes, timestamps, values, self.clock.newest)
        healed = self._heal(codes, timestamps, work.samples.values[rows], features, status)
        work.status[rows] = status
        kept = status == SCORED
        work.scored, work.features = rows[kept], features if kept.all() else features[kept]
        back = self.clock.hear(codes[kept], timestamps[kept])
        np.minimum.at(self.changed, codes[kept], timestamps[kept] - 1)
        if healed:
            self.clock.look()
        self._end_trials()
        work.on_trial = self.on_trial[codes[kept]]
        return back

    def slices(self, samples: Samples, late: npt.NDArray[np.bool_], size: int) -> list[int]:
        """Choose where to cut the samples of a request, so that no part takes long.

        A late sample costs a walk over the device's windows.

        Parameters
        ----------
        samples : Samples
        late : bool array
            See :meth:`late`.
        size : int
            Max rows of a part.

        Returns
        -------
        list of int
            The first row of each part, and the number of rows.
        """
        count = len(samples)
        rows = np.flatnonzero(late)
        if len(rows) == 0:
            return [*range(0, count, size), count]
        cost = np.full(count, 1.0 / size)
        for row in rows.tolist():
            code = self.table.code(str(samples.devices[row]))
            walked = count if code is None else self.engine.samples(code) + count
            cost[row] += walked * len(self.engine.spec.metrics) * _WALK
        bounds, total = [0], 0.0
        for row, one in enumerate(cost.tolist()):
            if total + one > 1.0 and row > bounds[-1]:
                bounds.append(row)
                total = 0.0
            total += one
        return [*bounds, count]

    def late(self, samples: Samples) -> npt.NDArray[np.bool_]:
        """Mark the samples that are older than the newest of their device, those of the same request included."""
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

    def keep_risks(self, work: Work) -> None:
        """Note the risks and the values of each device's newest sample; one that came late changes neither."""
        codes, rows = work.codes[work.scored], work.scored
        newest = work.samples.timestamps[rows] >= self.clock.newest[codes]
        self.risk[codes[newest]] = work.risks[newest]
        self.values[codes[newest]] = work.samples.values[rows[newest]]

    def with_spec(self, spec: FeatureSpec) -> None:
        """Go over to other windows or statistics of the same metrics, taking the raw samples along."""
        engine = FeatureEngine(spec, self.settings.time.allowed_lateness)
        for code in self.table.codes():
            take_up(engine, code, self.engine.save(code))
        self.engine = engine

    def drop(self, codes: Sequence[int]) -> None:
        """Forget devices."""
        self.dropped += [(code, str(self.table.names[code])) for code in codes]
        for code in codes:
            self.engine.forget(code)
            self.tracker.forget(code)
            if self.counters is not None:
                self.counters.forget(code)
            self._end_trial(code)
            self.jumps.pop(code, None)
            self._behind.pop(code, None)
        self.gone += [name for _, name in self.dropped[-len(codes) :]] if codes else []
        self.changed[codes] = self.whole_in[codes] = NEVER
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
        codes = self.table.take(names)
        if samples.companies or samples.data_centers:
            companies = samples.companies or [None] * len(samples)
            centers = samples.data_centers or [None] * len(samples)
            for row, code in zip(rows.tolist(), codes.tolist(), strict=True):
                self.table.move(code, companies[row], centers[row])
        return rows, codes

    def _within_capacity(
        self, work: Work, rows: npt.NDArray[np.int64], names: list[str]
    ) -> tuple[npt.NDArray[np.int64], list[str]]:
        """Reject the samples of devices for which there is no room even when all others are dropped."""
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
        kept = [index for index, name in enumerate(names) if name in admitted]
        return rows[kept], [names[index] for index in kept]

    def _is_odd(self, codes: npt.NDArray[np.int64], timestamps: npt.NDArray[np.int64]) -> bool:
        """Tell whether a clock runs ahead, or has jumped, by these samples or by earlier ones of the devices."""
        if self.clock.now == NEVER:
            return False
        newest = self.clock.newest[codes]
        limit = self.clock.now + self.settings.time.future_limit
        ahead = bool((timestamps > limit).any() or (newest > limit).any())
        return ahead or bool(((timestamps > newest + self._far) & (newest != NEVER)).any())

    def _update_one_by_one(
        self, codes: npt.NDArray[np.int64], timestamps: npt.NDArray[np.int64], values: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
        limit = self.clock.would_be(codes, timestamps) + self.settings.time.future_limit
        features = np.empty((len(codes), len(self.engine.spec.names)))
        status = np.empty(len(codes), dtype=np.uint8)
        for row, (code, timestamp) in enumerate(zip(codes.tolist(), timestamps.tolist(), strict=True)):
            if timestamp > limit and code not in self.trials:
                self.begin_trial(code, self.engine.save(code), int(self.clock.newest[code]))
            self._note_jump(code, timestamp)
            features[row], status[row] = self._update_one(code, timestamp, values[row])
            if status[row] == LATE and self._was_ahead(code, limit):
                self._set_back(code)
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
        """Note that a device's time has jumped forward; where few others tell the time, with what it had before."""
        newest = self.engine.newest(code)
        if newest is None or timestamp <= newest + self._far:
            return
        before = self.jumps.get(code)
        if before is None or self.clock.heard[code] - before.heard > FEW:
            state = self.engine.save(code) if len(self.table) <= FEW else b""
            self.jumps[code] = Jump(state, newest if state else NEVER, int(self.clock.heard[code]))

    def _heal(
        self,
        codes: npt.NDArray[np.int64],
        timestamps: npt.NDArray[np.int64],
        values: npt.NDArray[np.float64],
        features: npt.NDArray[np.float64],
        status: npt.NDArray[np.uint8],
    ) -> bool:
        """Believe a device whose samples are late again and again: then its newest time was wrong, not these.

        Its samples since it last jumped forward are outvoted when more have come, one after the other and none of
        them taken, from more than ``future_limit`` before.
        """
        late = status == LATE
        if self._behind:
            for code in set(codes[~late].tolist()) & self._behind.keys():
                del self._behind[code]
        healed = set()
        for row in np.flatnonzero(late).tolist() if late.any() else ():
            code, timestamp = int(codes[row]), int(timestamps[row])
            if code not in healed:
                if not self._is_outvoted(code, timestamp):
                    continue
                self._set_back(code)
                healed.add(code)
            features[row], status[row] = self._update_one(code, timestamp, values[row])
        return bool(healed)

    def _is_outvoted(self, code: int, timestamp: int) -> bool:
        count, last = self._behind.get(code, (0, NEVER))
        newest = self.engine.newest(code)
        if newest is None or timestamp <= last or timestamp > newest - self.settings.time.future_limit:
            return False
        self._behind[code] = count + 1, timestamp
        jump = self.jumps.get(code)
        since = int(self.clock.heard[code]) - (jump.heard if jump else 0)
        return count + 1 > max(since, KNOWN - 1)

    def _set_back(self, code: int) -> None:
        """Continue a device from where it was, after its fast clock has been corrected."""
        jump, trial = self.jumps.pop(code, None), self._end_trial(code)
        state, newest = trial or ((jump.state, jump.newest) if jump else (b"", NEVER))
        self._behind.pop(code, None)
        self.changed[code] = NEVER
        if trial is None:  # what was ahead has moved its alert too
            self.tracker.forget(code)
            self.restarted.append(str(self.table.names[code]))
        if self.counters is not None:
            self.counters.forget(code)
        if state and newest != NEVER:
            take_up(self.engine, code, state)
        else:
            self.engine.forget(code)
            self.tracker.forget(code)
        self.clock.set_back(code, newest)

    def _end_trials(self) -> None:
        """Accept a device whose clock was ahead, now that the network has reached its time."""
        limit = self.clock.now + self.settings.time.future_limit
        if self.trials:
            for code in np.flatnonzero(self.on_trial & (self.clock.newest <= limit)).tolist():
                self._end_trial(code)

    def begin_trial(self, code: int, state: bytes, newest: int) -> None:
        """Keep what a device whose clock runs ahead goes back to when it is set right."""
        self.trials[code], self.on_trial[code] = (state, newest), True

    def forget_trials(self, code: int) -> None:
        """Forget that a device's clock ran ahead or jumped."""
        self._end_trial(code)
        self.jumps.pop(code, None)

    def _end_trial(self, code: int) -> tuple[bytes, int] | None:
        self.on_trial[code] = False
        return self.trials.pop(code, None)
