"""Count the messages of devices for their samples as they arrive."""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.logs.records import Int8, Int32
from netops.logs.tally import NEVER, Counted, Found
from netops.serving.logs.messages import COUNTED, DUPLICATE, FULL, LATE

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Messages of a device that wait for its next sample.
WAITING = 10_000
#: Nanoseconds of a second: times without a fraction are not precise.
_SECOND = 10**9
_NO_SEVERITIES, _NO_KINDS = np.zeros(0, np.int8), np.zeros(0, np.int32)


class _Saved(msgspec.Struct, array_like=True):
    """A device in a snapshot (see ``DeviceCounts``).

    ``kinds`` are indexes in ``texts``, because the numbers of kinds are those of one model.
    """

    last: int
    latest: dict[str, int]
    times: list[int]
    severities: list[int]
    kinds: list[int]
    checks: list[int]
    texts: list[str]


_ENCODE, _DECODE = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(_Saved).decode


class _Waiting:
    """The messages of a device that no sample has counted yet, in order of arrival."""

    __slots__ = ("checks", "exact", "kinds", "restored", "severities", "times")

    def __init__(self) -> None:
        self.times: list[int] = []
        self.severities: list[int] = []
        self.kinds: list[int] = []
        self.checks: list[int] = []
        #: Time and checksum of the messages whose time is exact to a fraction of a second.
        self.exact: set[tuple[int, int]] = set()
        #: Messages that are in a restored snapshot and may be sent again.
        self.restored: Counter[tuple[int, int]] = Counter()

    def append(self, time: int, severity: int, kind: int, check: int) -> None:
        """Add a message."""
        self.times.append(time)
        self.severities.append(severity)
        self.kinds.append(kind)
        self.checks.append(check)
        if time % _SECOND:
            self.exact.add((time, check))

    def keep_after(self, until: int) -> None:
        """Remove the messages up to a time."""
        rows = [row for row, time in enumerate(self.times) if time > until]
        for name in ("times", "severities", "kinds", "checks"):
            column = getattr(self, name)
            setattr(self, name, [column[row] for row in rows])
        self.exact = {key for key in self.exact if key[0] > until}
        self.restored = Counter({key: left for key, left in self.restored.items() if key[0] > until and left})


class DeviceCounts:
    """The messages, or the events, of all devices.

    Parameters
    ----------
    columns : Counted
        What is counted.
    metrics : sequence of str
        The metrics of a sample, which contain those columns.
    devices : int
        Maximum number of devices, by small dense code.
    limit : int
        Maximum number of messages that wait for samples.

    Attributes
    ----------
    waiting : int
        Messages that wait for samples.
    """

    def __init__(self, columns: Counted, metrics: Sequence[str], devices: int, limit: int = 1_000_000) -> None:
        self.columns, self.waiting, self._limit = columns, 0, limit
        self._positions = np.array([metrics.index(name) for name in columns.names], np.int64)
        self._waiting: dict[int, _Waiting] = {}
        #: The time of the last sample, and of the last message of each kind whose age is a column.
        self._last = np.full(devices, NEVER)
        self._latest = np.full((devices, len(columns.since(_NO_SEVERITIES, _NO_KINDS))), NEVER)
        self._ages = columns.names[len(columns.names) - self._latest.shape[1] :]
        self._removed_until = NEVER

    def add(self, code: int, time: int, severity: int, kind: int, check: int, now: int = NEVER) -> int:
        """Add a message of a device.

        Parameters
        ----------
        code : int
            Of the device.
        time : int
            Nanoseconds.
        severity : int
        kind : int
            See ``Counted.kinds_of``.
        check : int
            Checksum of the text.
        now : int
            The network time: if there is no room, messages too old for the next samples are removed.

        Returns
        -------
        int
            Its status. Late: a sample of this time or later was counted. Duplicate: the same text has the same
            time, to a fraction of a second, or was in a restored snapshot; whole seconds may have a message twice.
        """
        if time + self.columns.delay <= self._last[code]:
            return LATE
        device = self._waiting.get(code)
        if device is not None and self._is_duplicate(device, time, check):
            return DUPLICATE
        if device is not None and len(device.times) >= WAITING:
            return FULL
        if self.waiting >= self._limit and not self._make_room(now):
            return FULL
        self.waiting += 1
        (self._waiting.get(code) or self._new(code)).append(time, severity, kind, check)
        return COUNTED

    def fill(self, codes: Integers, timestamps: Integers, values: Floats) -> None:
        """Set the counts of samples, in place.

        Counts that were sent are not replaced. Those of a sample that is not later than all before it of its device
        are unknown: its messages were counted for the later one.

        Parameters
        ----------
        codes, timestamps : int64 arrays, n
            In order of arrival.
        values : float64 array, n × metrics
        """
        for rows in _rounds(codes):
            some, times = codes[rows], timestamps[rows]
            is_new = times > self._last[some]
            rows, some, times = rows[is_new], some[is_new], times[is_new]
            counts = self._take(some, times)
            cells = rows[:, np.newaxis], self._positions
            values[cells] = np.where(np.isnan(values[cells]).all(axis=1, keepdims=True), counts, values[cells])

    def _take(self, codes: Integers, samples: Integers) -> Floats:
        """Count the messages of different devices up to a sample of each."""
        rows, times, severities, kinds = self._due(codes, samples)
        result = np.zeros((len(codes), len(self._positions)))
        counted = result[:, : len(self._positions) - self._latest.shape[1]]
        if len(rows):
            is_near = samples[rows] - times <= self.columns.reach
            found = Found(len(codes), rows[is_near], severities[is_near], kinds[is_near])
            counted.T[:] = self.columns.counts(found)
            for number, mark in enumerate(self.columns.since(severities, kinds)):
                np.maximum.at(self._latest[:, number], codes[rows[mark]], times[mark])
        latest = self._latest[codes]
        since = (samples[:, np.newaxis] - latest) / _SECOND
        result[:, counted.shape[1] :] = np.where(latest == NEVER, np.nan, since)
        self._last[codes] = samples
        return result

    def _due(self, codes: Integers, samples: Integers) -> tuple[Integers, Integers, Int8, Int32]:
        """Remove the messages up to a sample of each device; return row of the sample, time, severity and kind."""
        rows: list[int] = []
        times: list[int] = []
        severities: list[int] = []
        kinds: list[int] = []
        for row, (code, until) in enumerate(
            zip(codes.tolist(), (samples - self.columns.delay).tolist(), strict=True)
        ):
            device = self._waiting.get(code)
            if device is None:
                continue
            due = [number for number, time in enumerate(device.times) if time <= until]
            self.waiting -= len(due)
            rows += [row] * len(due)
            times += [device.times[number] for number in due]
            severities += [device.severities[number] for number in due]
            kinds += [device.kinds[number] for number in due]
            self._keep_after(code, device, until, len(due))
        delayed = np.array(times, np.int64) + self.columns.delay
        return np.array(rows, np.int64), delayed, np.array(severities, np.int8), np.array(kinds, np.int32)

    def _keep_after(self, code: int, device: _Waiting, until: int, due: int) -> None:
        if due == len(device.times):
            del self._waiting[code]
        elif due:
            device.keep_after(until)

    def forget(self, code: int) -> None:
        """Remove a device."""
        device = self._waiting.pop(code, None)
        self.waiting -= len(device.times) if device is not None else 0
        self._last[code] = self._latest[code] = NEVER

    def save(self, code: int) -> bytes:
        """Return the state of a device; empty if it has none."""
        device = self._waiting.get(code)
        if device is None:
            if self._last[code] == NEVER:
                return b""
            device = _Waiting()
        distinct = {kind: number for number, kind in enumerate(dict.fromkeys(device.kinds))}
        return _ENCODE(
            _Saved(
                int(self._last[code]),
                dict(zip(self._ages, self._latest[code].tolist(), strict=True)),
                device.times,
                device.severities,
                [distinct[kind] for kind in device.kinds],
                device.checks,
                [self.columns.text_of(kind) for kind in distinct],
            )
        )

    def restore(self, code: int, state: bytes) -> None:
        """Restore the state of a device, even of a model that counts other kinds.

        Raises
        ------
        NetopsError
            If it is damaged.
        """
        self.forget(code)
        if not state:
            return
        try:
            saved = _DECODE(state)
            self._restore(code, saved)
        except (msgspec.DecodeError, ValueError, IndexError) as error:
            raise NetopsError(f"the messages of a device are damaged: {error}") from None

    def _restore(self, code: int, saved: _Saved) -> None:
        self._last[code] = saved.last
        self._latest[code] = [saved.latest.get(name, NEVER) for name in self._ages]
        if not saved.times:
            return
        device, kinds = _Waiting(), self.columns.kinds_of(saved.texts)
        columns = saved.times, saved.severities, [kinds[number] for number in saved.kinds], saved.checks
        for message in zip(*columns, strict=True):
            device.append(*message)
        device.restored = Counter(zip(saved.times, saved.checks, strict=True))
        self._waiting[code] = device
        self.waiting += len(saved.times)

    def changed_to(self, columns: Counted, metrics: Sequence[str]) -> "DeviceCounts":
        """Return the same state for a model that counts other kinds."""
        other = DeviceCounts(columns, metrics, len(self._last), self._limit)
        for code in {*np.flatnonzero(self._last != NEVER).tolist(), *self._waiting}:
            other.restore(code, self.save(code))
        for code, device in other._waiting.items():
            device.restored = self._waiting[code].restored
        return other

    def set_back(self, code: int, newest: int, now: int) -> None:
        """Count messages after an earlier time again if the last sample was ahead of what is the time now."""
        if self._last[code] <= now:
            return
        self._last[code] = newest
        self._latest[code] = np.where(self._latest[code] > newest, NEVER, self._latest[code])

    def _new(self, code: int) -> _Waiting:
        device = self._waiting[code] = _Waiting()
        return device

    def _is_duplicate(self, device: _Waiting, time: int, check: int) -> bool:
        if device.restored and device.restored[time, check] > 0:
            device.restored[time, check] -= 1
            return True
        return bool(time % _SECOND) and (time, check) in device.exact

    def _make_room(self, now: int) -> bool:
        """Remove messages that are too old for the next samples, not more often than they can become so."""
        until = now - self.columns.reach
        if until < self._removed_until + self.columns.reach:
            return False
        self._removed_until = until
        for code in list(self._waiting):
            device = self._waiting[code]
            old = [row for row, time in enumerate(device.times) if time <= until]
            self._note_ages(code, device, old)
            self.waiting -= len(old)
            self._keep_after(code, device, until, len(old))
        return self.waiting < self._limit

    def _note_ages(self, code: int, device: _Waiting, rows: Sequence[int]) -> None:
        """Note the times of messages that are removed without a sample."""
        times = np.array([device.times[row] for row in rows], np.int64) + self.columns.delay
        severities = np.array([device.severities[row] for row in rows], np.int8)
        kinds = np.array([device.kinds[row] for row in rows], np.int32)
        for number, mark in enumerate(self.columns.since(severities, kinds)):
            self._latest[code, number] = times[mark].max(initial=self._latest[code, number])


def _rounds(codes: Integers) -> Iterator[Integers]:
    """Split rows so that no device is twice in a part: the first row of each device, then the second ones."""
    left = np.arange(len(codes))
    if len(codes) == 1:
        yield left
        return
    while len(left):
        _, first = np.unique(codes[left], return_index=True)
        first.sort()
        yield left[first]
        left = np.delete(left, first)
