"""The state of all devices on disk: snapshots that hold what has changed, put in place at once.

A snapshot need not show all devices at the same instant: each device is whole in itself, and samples sent again
from the replay point on are duplicates to the devices that hold them already. So requests are served between two
parts, and no request waits longer than one part takes.

The windows of many devices are much to write, and little of them is new. So a snapshot holds of most devices the
samples since the one before, and of some the whole windows, in turn; earlier ones are kept as long as the whole
windows of a device are in one of them. With few devices each snapshot is whole.

The file: a magic line, then frames of length, CRC-32 and a MessagePack map; the last one says that it is the last.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
import numpy as np

from netops.alerting.machine import STATE
from netops.serving.alerts.store import Alert
from netops.serving.decode.remote_write import Waiting
from netops.serving.engine.clock import KNOWN, NEVER
from netops.serving.engine.fleet_state import UNCHANGED, Jump

if TYPE_CHECKING:
    from netops.serving.engine.runtime import Runtime

FILE = "state.bin"
MAGIC = b"netops state 2\n"
FRAME = struct.Struct("<II")
#: Time (s) that making a part may take, and most devices in it.
_PART_SECONDS, _PART = 0.004, 200
#: Devices whose whole windows are in each snapshot: this many, or more where there are many devices.
_WHOLE, _TURNS = 256, 16


class DeviceRecord(msgspec.Struct):
    """One device in a snapshot; ``windows`` holds its samples after ``since``, all of them where that is None."""

    name: str
    company: str | None
    data_center: str | None
    windows: bytes
    counters: bytes
    tracker: bytes
    newest: int
    arrival: int
    silent: bool
    risk: float
    trial: tuple[bytes, int] | None
    alerts: list[Alert]
    since: int | None = None
    heard: int = KNOWN
    jump: Jump | None = None


class Head(msgspec.Struct):
    """What a snapshot is of; ``gone`` names the devices dropped since the one before."""

    network: str
    metrics: list[str]
    now: int
    arrivals: int
    replay_point: int
    pending: list[Waiting]
    sequence: int = 0
    gone: list[str] = []


class Tail(msgspec.Struct):
    """The last frame, without which a snapshot is incomplete.

    It holds the comparison with a shadow, if any, the alerts that the alert store could not take or that have
    expired, the first snapshot that is needed beside it, and the devices dropped while it was written.
    """

    devices: int
    shadow: bytes = b""
    alerts: list[Alert] = []
    needs: int | None = None
    gone: list[str] = []


class Snapshots:
    """The snapshots in a state folder.

    Parameters
    ----------
    folder : Path
        Drafts that a killed server has left in it are removed: whoever makes this holds the folder's lock.

    Attributes
    ----------
    sequence : int
        Of the newest; -1 where there is none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.sequence = folder, -1
        for draft in folder.glob(f".{FILE}.*.tmp"):
            draft.unlink()

    def path(self, sequence: int | None = None) -> Path:
        """Name the file of the newest snapshot, or of an earlier one."""
        return self.folder / (FILE if sequence is None else f"state.{sequence}.bin")

    def earlier(self) -> dict[int, Path]:
        """Find the earlier snapshots, by their sequence."""
        found = {path.suffixes[0][1:]: path for path in self.folder.glob("state.*.bin")}
        return {int(number): path for number, path in sorted(found.items()) if number.isdigit()}

    def put(self, draft: Path, sequence: int, needs: int) -> None:
        """Put a finished draft in place; keep the earlier ones that it needs."""
        if needs <= self.sequence and self.path().exists():
            os.replace(self.path(), self.path(self.sequence))
        os.replace(draft, self.path())
        _sync(self.folder)
        self.sequence = sequence
        for number, path in self.earlier().items():
            if number < needs or number >= sequence:
                path.unlink()

    def set_aside(self) -> None:
        """Rename all of them: they cannot be read."""
        for path in (self.path(), *self.earlier().values()):
            if path.exists():
                path.replace(path.with_suffix(".damaged"))


class SnapshotWriter:
    """Writes one snapshot; if it is not finished, nothing is left of it, and the next one has what changed."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime, self._snapshots = runtime, runtime.snapshots
        self._draft = self._snapshots.folder / f".{FILE}.{os.getpid()}-{uuid4().hex}.tmp"
        self._sequence = self._snapshots.sequence + 1
        self._point = NEVER
        self._gone: list[str] = []
        self._taken: dict[int, tuple[str, int, int]] = {}
        self._needs = self._sequence
        self._report: dict[str, Any] | None = None
        self._is_finished = False

    def __enter__(self) -> "SnapshotWriter":
        self._file = self._draft.open("wb")
        self._file.write(MAGIC)
        runtime = self._runtime
        runtime.replay.begin()
        self._point = replay_point(runtime)
        self._gone, runtime.state.gone = runtime.state.gone, []
        return self

    def parts(self) -> Iterator[bytes]:
        """Give the parts one after the other; the state may change in between."""
        runtime = self._runtime
        state = runtime.state
        yield _frame(
            Head(
                runtime.network,
                list(runtime.model.spec.metrics),
                state.clock.now,
                state.clock.arrivals,
                self._point,
                runtime.joiner.save(),
                self._sequence,
                self._gone,
            )
        )
        yield from self._devices()
        self._report = runtime.shadow.report()
        codes = np.array(state.table.codes(), dtype=np.int64)
        held = state.whole_in[codes]
        # A device that has come since is in none yet: the next snapshot has it, and replay brings it until then.
        self._needs = int(held[held >= 0].min(initial=self._sequence))
        shadow, unsaved = runtime.shadow.save(), runtime.book.to_restore()
        yield _frame(Tail(len(self._taken), shadow, unsaved, self._needs, state.gone))

    def write(self, part: bytes) -> None:
        """Write one part; may run in another thread."""
        self._file.write(part)

    def finish(self) -> None:
        """Put the snapshot in place; may run in another thread, for the disk may take its time."""
        runtime = self._runtime
        self._file.flush()
        os.fsync(self._file.fileno())
        runtime.replay.finishing(self._point)
        self._snapshots.put(self._draft, self._sequence, self._needs)
        self._is_finished = True
        runtime.replay.finished(self._point)
        runtime.shadow.write(self._report)

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._file.close()
        self._draft.unlink(missing_ok=True)
        if not self._is_finished:
            self._give_back()

    def _give_back(self) -> None:
        state = self._runtime.state
        state.gone = self._gone + state.gone
        for code, (name, changed, whole_in) in self._taken.items():
            if state.table.code(name) == code:
                state.changed[code] = min(state.changed[code], changed)
                state.whole_in[code] = whole_in

    def _devices(self) -> Iterator[bytes]:
        state = self._runtime.state
        codes = state.table.codes()
        whole = self._chosen(codes)
        records: list[DeviceRecord] = []
        trackers, since = state.tracker.save(), perf_counter()
        for code in codes:
            name = state.table.names[code]
            if name is not None and self._is_due(code, name, code in whole):
                records.append(self._record(code, name, code in whole, trackers))
            if len(records) == _PART or perf_counter() - since > _PART_SECONDS:
                yield _frame(records)
                records, trackers, since = [], state.tracker.save(), perf_counter()
        yield _frame(records)

    def _chosen(self, codes: list[int]) -> set[int]:
        """Choose the devices whose windows are written whole: those whose last whole ones are the oldest."""
        wanted = max(_WHOLE, -(-len(codes) // _TURNS))
        known = np.array(codes, dtype=np.int64)
        return set(known[np.argsort(self._runtime.state.whole_in[known], kind="stable")[:wanted]].tolist())

    def _is_due(self, code: int, name: str, whole: bool) -> bool:
        """Tell whether a device has changed; what is open of it may have changed without a sample."""
        book = self._runtime.book
        changed = self._runtime.state.changed[code] != UNCHANGED
        return whole or bool(changed) or ("risk", name) in book.open or ("silent", name) in book.open

    def _record(self, code: int, name: str, whole: bool, trackers: bytes) -> DeviceRecord:
        state, book = self._runtime.state, self._runtime.book
        changed, whole_in = int(state.changed[code]), int(state.whole_in[code])
        self._taken[code] = name, changed, whole_in
        # Whose windows no snapshot has yet has changed since NEVER.
        whole = whole or changed == NEVER
        state.changed[code] = UNCHANGED
        if whole:
            state.whole_in[code] = self._sequence
        return DeviceRecord(
            name,
            *state.table.places[code],
            state.engine.save(code, None if whole else changed),
            state.counters.save(code) if state.counters is not None else b"",
            trackers[code * STATE.itemsize : (code + 1) * STATE.itemsize],
            int(state.clock.newest[code]),
            int(state.clock.arrival[code]),
            bool(state.clock.silent[code]),
            float(state.risk[code]),
            state.trials.get(code),
            [book.open[kind, name] for kind in ("risk", "silent") if (kind, name) in book.open],
            None if whole else changed,
            int(state.clock.heard[code]),
            state.jumps.get(code),
        )


def replay_point(runtime: "Runtime") -> int:
    """Tell the event time (ns) from which samples are to be sent again after a crash, were the state saved now.

    Whatever a device heard of lately has sent up to here is in the state, but for samples that are more out of
    order than is allowed; so is whatever still waits to be joined.
    """
    clock = runtime.state.clock
    times = clock.newest[: len(runtime.state.table.names)]
    lately = clock.lately()
    times = times[: len(lately)][lately & (times[: len(lately)] != NEVER)]
    point = int(times.min()) if len(times) else NEVER
    waiting = runtime.joiner.pending()
    point = point if waiting is None else min(point, waiting - 1)
    return max(point - runtime.settings.time.allowed_lateness, NEVER)


def _frame(value: Any) -> bytes:
    body = msgspec.msgpack.encode(value)
    return FRAME.pack(len(body), zlib.crc32(body)) + body


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
