"""Count the messages of devices for their samples as they arrive."""

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.logs.tally import Counted, Tally
from netops.serving.logs.messages import COUNTED, DUPLICATE, FULL, LATE

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Messages of a device that wait for its next sample.
WAITING = 10_000
#: Nanoseconds of a second: times without a fraction are not precise.
_SECOND = 10**9


class _Saved(msgspec.Struct, array_like=True):
    """A device in a snapshot; ``kinds`` are indexes in ``texts``: the numbers of kinds are those of one model."""

    tally: bytes
    times: list[int]
    severities: list[int]
    kinds: list[int]
    checks: list[int]
    texts: list[str]


_ENCODE, _DECODE = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(_Saved).decode


class _Device:
    """The messages of a device that no sample has counted yet, in order of arrival."""

    __slots__ = ("checks", "kinds", "restored", "severities", "tally", "times")

    def __init__(self, columns: Counted) -> None:
        self.tally = Tally(columns)
        self.times: list[int] = []
        self.severities: list[int] = []
        self.kinds: list[int] = []
        self.checks: list[int] = []
        #: Messages that are in a restored snapshot and may be sent again.
        self.restored: Counter[tuple[int, int]] = Counter()

    def keep(self, rows: Sequence[int]) -> None:
        """Remove all messages but these."""
        for name in ("times", "severities", "kinds", "checks"):
            column = getattr(self, name)
            setattr(self, name, [column[row] for row in rows])


class DeviceCounts:
    """The messages, or the events, of all devices.

    Parameters
    ----------
    columns : Counted
        What is counted.
    metrics : sequence of str
        The metrics of a sample, which contain those columns.
    """

    def __init__(self, columns: Counted, metrics: Sequence[str]) -> None:
        self.columns = columns
        self._positions = np.array([metrics.index(name) for name in columns.names], np.int64)
        self._devices: dict[int, _Device] = {}

    def add(self, code: int, time: int, severity: int, kind: int, check: int) -> int:
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

        Returns
        -------
        int
            Its status. Late: a sample of this time or later was counted. Duplicate: the same text has the same
            time, to a fraction of a second, or was in a restored snapshot; whole seconds may have a message twice.
        """
        device = self._devices.get(code) or self._new(code)
        if time + self.columns.delay <= device.tally.last:
            return LATE
        if device.restored and device.restored[time, check] > 0:
            device.restored[time, check] -= 1
            return DUPLICATE
        if time % _SECOND and self._is_known(device, time, check):
            return DUPLICATE
        if len(device.times) >= WAITING and not self._drop_old(device, time):
            return FULL
        device.times.append(time)
        device.severities.append(severity)
        device.kinds.append(kind)
        device.checks.append(check)
        return COUNTED

    def fill(self, codes: Integers, timestamps: Integers, values: Floats) -> None:
        """Set the counts of samples, in place.

        Counts that were sent are not replaced. Those of a sample that is not later than all before it of its device
        are unknown: its messages were counted for the later one.

        Parameters
        ----------
        codes, timestamps : int64 arrays, n
        values : float64 array, n × metrics
        """
        at = self._positions
        for row, (code, time) in enumerate(zip(codes.tolist(), timestamps.tolist(), strict=True)):
            counts = self._take(code, time)
            if counts is not None and np.isnan(values[row, at]).all():
                values[row, at] = counts

    def _take(self, code: int, time: int) -> Floats | None:
        device = self._devices.get(code) or self._new(code)
        if time <= device.tally.last:
            return None
        if device.times:
            self._move(device, time - self.columns.delay)
        return device.tally.take(np.array([time], np.int64))[0]

    def _move(self, device: _Device, until: int) -> None:
        """Move the messages up to a time into the tally."""
        rows = [row for row, time in enumerate(device.times) if time <= until]
        if not rows:
            return
        times, severities = np.array(device.times, np.int64)[rows], np.array(device.severities, np.int8)[rows]
        device.tally.add(times, severities, np.array(device.kinds, np.int32)[rows])
        device.keep([row for row, time in enumerate(device.times) if time > until])
        if device.restored:
            device.restored = Counter(
                {key: left for key, left in device.restored.items() if key[0] > until and left}
            )

    def forget(self, code: int) -> None:
        """Remove a device."""
        self._devices.pop(code, None)

    def save(self, code: int) -> bytes:
        """Return the state of a device; empty if it has none."""
        device = self._devices.get(code)
        if device is None:
            return b""
        distinct = {kind: number for number, kind in enumerate(dict.fromkeys(device.kinds))}
        kinds = [distinct[kind] for kind in device.kinds]
        texts = [self.columns.text_of(kind) for kind in distinct]
        return _ENCODE(_Saved(device.tally.save(), device.times, device.severities, kinds, device.checks, texts))

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
        except msgspec.DecodeError as error:
            raise NetopsError(f"the messages of a device are damaged: {error}") from None
        device = self._new(code)
        device.tally.restore(saved.tally)
        kinds = self.columns.kinds_of(saved.texts)
        device.times, device.severities, device.checks = saved.times, saved.severities, saved.checks
        device.kinds = [kinds[number] for number in saved.kinds]
        device.restored = Counter(zip(saved.times, saved.checks, strict=True))

    def changed_to(self, columns: Counted, metrics: Sequence[str]) -> "DeviceCounts":
        """Return the same state for a model that counts other kinds."""
        other = DeviceCounts(columns, metrics)
        for code in self._devices:
            other.restore(code, self.save(code))
            other._devices[code].restored = self._devices[code].restored
        return other

    def waiting(self, code: int) -> int:
        """Return the number of messages of a device that no sample has counted yet."""
        device = self._devices.get(code)
        return len(device.times) if device is not None else 0

    def _new(self, code: int) -> _Device:
        device = self._devices[code] = _Device(self.columns)
        return device

    def _is_known(self, device: _Device, time: int, check: int) -> bool:
        if time not in device.times:
            return False
        return (time, check) in zip(device.times, device.checks, strict=True)

    def _drop_old(self, device: _Device, time: int) -> bool:
        """Remove messages that are too old for the next sample; return whether there were any."""
        kept = [row for row, known in enumerate(device.times) if known > time - self.columns.reach]
        device.keep(kept)
        return len(kept) < WAITING
