"""Compare champion and shadow on live samples, with bounded memory."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from netops.alerting.machine import STATE
from netops.alerting.policy import AlertPolicy
from netops.alerting.tracker import OPENED, RENEWED, AlertTracker
from netops.kernels import kernel
from netops.serving.engine.clock import NEVER
from netops.serving.engine.devices import DeviceTable
from netops.serving.shadow.parts import ROLES, ComparedPart

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

#: Bins of the risk histograms, equal in width over 0..1.
BINS = 20
#: Maximum alerts per role, and incidents, stored for the assessment.
MAX_EVENTS = 5_000


class Saved(msgspec.Struct):
    """A comparison in a snapshot; arrays are raw buffers, with devices in the order of ``devices``."""

    versions: tuple[str, str]
    since: int
    until: int
    samples: int
    difference: float
    healthy: int
    truth: bool
    counts: list[bytes]
    alerts: list[list[tuple[str, int]]]
    incidents: list[tuple[str, int, int]]
    devices: list[str]
    trackers: list[bytes]
    places: list[bytes]
    skipped: int = 0


class Named(Protocol):
    """The names of device codes."""

    @property
    def names(self) -> Sequence[str | None] | Mapping[int, str | None]:
        """Code → name."""


class Comparison:
    """Compares two models on the same samples, each with its own alert state machine.

    Parameters
    ----------
    versions : tuple of str
        Versions of champion and challenger.
    policies : tuple of AlertPolicy
        Alert policy of each.
    horizon : int
        Horizon of the champion in nanoseconds, used to assess the alerts of both.

    Attributes
    ----------
    skipped : int
        Samples that the champion alone has scored: the challenger did not keep up, or their device was dropped.
    """

    def __init__(self, versions: tuple[str, str], policies: tuple[AlertPolicy, AlertPolicy], horizon: int) -> None:
        self.versions, self.policies, self.horizon = versions, policies, horizon
        self.since = self.until = NEVER
        self.samples, self.difference, self.healthy, self.truth = 0, 0.0, 0, False
        self.skipped = 0
        self.histograms = np.zeros((2, BINS), np.int64)
        self.reached = np.zeros((2, 2), np.int64)  # [champion at its threshold, challenger at its threshold]
        self.opened, self.shared = np.zeros(2, np.int64), np.zeros(2, np.int64)
        self.trackers = [AlertTracker(policy) for policy in policies]
        self.alerts: list[deque[tuple[str, int]]] = [deque(maxlen=MAX_EVENTS) for _ in ROLES]
        self.incidents: deque[tuple[str, int, int]] = deque(maxlen=MAX_EVENTS)
        self._open, self._shared = np.zeros((2, 0), np.bool_), np.zeros((2, 0), np.bool_)
        self._newest, self._failed_since = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def add(
        self,
        table: Named,
        codes: Integers,
        timestamps: Integers,
        risks: tuple[Floats, Floats],
        live: Flags,
        is_error: Flags | None,
    ) -> None:
        """Add samples that both have scored.

        Parameters
        ----------
        table : Named
            The names of the device codes.
        codes, timestamps : int64 array, k
        risks : tuple of float64 arrays, k
            Risks of champion and challenger.
        live : bool array, k
            The samples that may alert.
        is_error : bool array, k, or None
            Whether the device has failed, if the sender provides it.
        """
        if len(codes) == 0:
            return
        self._allocate(int(codes.max()) + 1)
        self.since = int(timestamps.min()) if self.since == NEVER else self.since
        self.until = max(self.until, int(timestamps.max()))
        self._count(risks)
        self._alert(table, codes[live], timestamps[live], [role[live] for role in risks])
        self._observe(table, codes, timestamps, is_error)

    def _count(self, risks: tuple[Floats, Floats]) -> None:
        self.samples += len(risks[0])
        self.difference += float(np.abs(risks[0] - risks[1]).sum())
        bins = [np.minimum((role * BINS).astype(np.int64), BINS - 1) for role in risks]
        self.histograms += np.stack([np.bincount(indices, minlength=BINS) for indices in bins])
        high = [role >= policy.threshold for role, policy in zip(risks, self.policies, strict=True)]
        self.reached += np.bincount(2 * high[0] + high[1], minlength=4).reshape(2, 2)

    def _alert(self, table: Named, codes: Integers, timestamps: Integers, risks: list[Floats]) -> None:
        events = []
        for role, (tracker, own) in enumerate(zip(self.trackers, risks, strict=True)):
            found = tracker.update(codes, timestamps, own)
            events += [(int(e["row"]), role, int(e["device"]), int(e["kind"]), int(e["at"])) for e in found]
        for _, role, code, kind, at in sorted(events):
            opened = kind in (OPENED, RENEWED)
            self._open[role, code], self._shared[role, code] = opened, False
            if opened:
                self.opened[role] += 1
                self.alerts[role].append((str(table.names[code]), at))
                if self._open[1 - role, code]:
                    self._count_shared(code)

    def _count_shared(self, code: int) -> None:
        """Count, once per alert, that both models had an open alert for the same device."""
        for role in (0, 1):
            self.shared[role] += not self._shared[role, code]
            self._shared[role, code] = True

    def _observe(self, table: Named, codes: Integers, timestamps: Integers, is_error: Flags | None) -> None:
        self.truth |= is_error is not None
        failed = np.zeros(len(codes), np.bool_) if is_error is None else is_error
        ended = np.empty((len(codes), 3), np.int64)
        state = (self._newest, self._failed_since)
        healthy, count = _observe(codes, timestamps, failed, *state, self.horizon, ended)
        self.healthy += healthy
        for code, start, end in ended[:count].tolist():
            self.incidents.append((str(table.names[code]), start, end))

    def forget(self, codes: Iterable[int]) -> None:
        """Remove devices; their codes may be reused."""
        for code in codes:
            for tracker in self.trackers:
                tracker.forget(code)
            if code < len(self._newest):
                self._open[:, code] = self._shared[:, code] = False
                self._newest[code] = self._failed_since[code] = NEVER

    def part(self, table: DeviceTable, recorded: Sequence[tuple[str, int, int]] = ()) -> ComparedPart:
        """Return the comparison as plain values.

        Parameters
        ----------
        recorded : sequence of (device, start, end)
            Recorded incidents, in nanoseconds; used if the samples have no ``is_error``.
        """
        failing = np.flatnonzero(self._failed_since != NEVER).tolist()
        ongoing = [(str(table.names[code]), int(self._failed_since[code]), self.until + 1) for code in failing]
        return ComparedPart(
            self.versions,
            self.horizon,
            self.since,
            self.until,
            self.samples,
            self.skipped,
            self.difference,
            self.healthy,
            self.histograms.tolist(),
            self.reached.tolist(),
            self.opened.tolist(),
            self.shared.tolist(),
            [list(alerts) for alerts in self.alerts],
            [*self.incidents, *ongoing] if self.truth else list(recorded) or None,
        )

    def save(self, table: DeviceTable, waiting: int = 0) -> bytes:
        """Return the comparison as bytes; ``waiting`` samples are not in it, and will not be."""
        codes = np.array(table.codes(), dtype=np.int64)
        self._allocate(int(codes.max(initial=-1)) + 1)
        saved = Saved(
            self.versions,
            self.since,
            self.until,
            self.samples,
            self.difference,
            self.healthy,
            self.truth,
            [array.tobytes() for array in (self.histograms, self.reached, self.opened, self.shared)],
            [list(alerts) for alerts in self.alerts],
            list(self.incidents),
            [str(table.names[code]) for code in codes.tolist()],
            [_states(tracker, codes).tobytes() for tracker in self.trackers],
            [array[..., codes].tobytes() for array in (self._open, self._shared, self._newest, self._failed_since)],
            self.skipped + waiting,
        )
        return msgspec.msgpack.encode(saved)

    def restore(self, buffer: bytes, table: DeviceTable) -> bool:
        """Restore what :meth:`save` returned; return False, without changes, if it is of other models.

        Raises
        ------
        ValueError, msgspec.DecodeError
            If the buffer is damaged.
        """
        saved = msgspec.msgpack.decode(buffer, type=Saved)
        if saved.versions != self.versions:
            return False
        names = ("since", "until", "samples", "difference", "healthy", "truth", "skipped")
        for name in names:
            setattr(self, name, getattr(saved, name))
        for array, counts in zip(
            (self.histograms, self.reached, self.opened, self.shared), saved.counts, strict=True
        ):
            array[...] = np.frombuffer(counts, np.int64).reshape(array.shape)
        for own, stored in zip(self.alerts, saved.alerts, strict=True):
            own.extend(stored)
        self.incidents.extend(saved.incidents)
        self._restore_devices(saved, table)
        return True

    def _restore_devices(self, saved: Saved, table: DeviceTable) -> None:
        found = [table.code(name) for name in saved.devices]
        known = np.array([index for index, code in enumerate(found) if code is not None], dtype=np.int64)
        codes = np.array([found[index] for index in known.tolist()], dtype=np.int64)
        count, room = len(saved.devices), int(codes.max(initial=-1)) + 1
        self._allocate(room)
        for tracker, buffer in zip(self.trackers, saved.trackers, strict=True):
            states = np.zeros(room, dtype=STATE)
            states[codes] = np.frombuffer(buffer, STATE)[known]
            tracker.restore(states.tobytes())
        is_open, met, newest, failed = saved.places
        self._open[:, codes] = np.frombuffer(is_open, np.bool_).reshape(2, count)[:, known]
        self._shared[:, codes] = np.frombuffer(met, np.bool_).reshape(2, count)[:, known]
        self._newest[codes] = np.frombuffer(newest, np.int64)[known]
        self._failed_since[codes] = np.frombuffer(failed, np.int64)[known]

    def _allocate(self, devices: int) -> None:
        missing = devices - len(self._newest)
        if missing > 0:
            missing = max(missing, len(self._newest))
            never = np.full(missing, NEVER, np.int64)
            self._newest = np.concatenate([self._newest, never])
            self._failed_since = np.concatenate([self._failed_since, never])
            closed = np.zeros((2, missing), np.bool_)
            self._open, self._shared = (np.concatenate([old, closed], axis=1) for old in (self._open, self._shared))


def _states(tracker: AlertTracker, codes: Integers) -> npt.NDArray[np.void]:
    known = np.frombuffer(tracker.save(), STATE)
    states = np.zeros(max(len(known), int(codes.max(initial=-1)) + 1), dtype=STATE)
    states[: len(known)] = known
    return states[codes]


@kernel
def _observe(codes, timestamps, failed, newest, failed_since, max_gap, ended):  # type: ignore[no-untyped-def]
    """Return the healthy time and the number of ended incidents; samples out of order are ignored."""
    healthy, count = 0, 0
    for row in range(len(codes)):
        code, time = codes[row], timestamps[row]
        before = newest[code]
        if time <= before:
            continue
        newest[code] = time
        if failed[row]:
            if failed_since[code] == -1:
                failed_since[code] = time
        elif failed_since[code] != -1:
            ended[count, 0], ended[count, 1], ended[count, 2] = code, failed_since[code], time
            failed_since[code] = -1
            count += 1
        elif before != -1 and time - before <= max_gap:
            healthy += time - before
    return healthy, count
