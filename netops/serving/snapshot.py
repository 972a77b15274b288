"""The state of all devices on disk, written part by part and put in place at once.

A snapshot need not show all devices at the same instant: each device is whole in itself, and samples sent again
from the replay point on are duplicates to the devices that hold them already. So requests are served between two
parts, and no request waits longer than one part takes.

The file: a magic line, then frames of length, CRC-32 and a MessagePack map; the last one says that it is the last.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from netops.alerting.machine import STATE
from netops.errors import NetopsError
from netops.serving.alert_store import Alert
from netops.serving.bodies.remote_write import Waiting
from netops.serving.clock import NEVER
from netops.serving.fleet_state import take_up

if TYPE_CHECKING:
    from netops.serving.runtime import Runtime

FILE = "state.bin"
_MAGIC = b"netops state 1\n"
_FRAME = struct.Struct("<II")
#: Devices in a part: about 5 ms of work with an hour of each.
_PART = 50


class DeviceRecord(msgspec.Struct):
    """One device in a snapshot."""

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


class Head(msgspec.Struct):
    """What a snapshot is of."""

    network: str
    metrics: list[str]
    now: int
    arrivals: int
    replay_point: int
    pending: list[Waiting]


class Tail(msgspec.Struct):
    """The last frame: a snapshot without it is not whole. It holds the comparison with a shadow, if any,
    and the alerts that the alert store could not take."""

    devices: int
    shadow: bytes = b""
    alerts: list[Alert] = []


class SnapshotWriter:
    """Writes one snapshot; finished, it takes the place of the last one; if it is not, nothing is left of it."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._path = runtime.folder / FILE
        self._draft = self._path.with_name(f".{FILE}.{os.getpid()}.tmp")
        self._point = replay_point(runtime)
        self._written: set[str] = set()
        self._report: dict[str, Any] | None = None

    def __enter__(self) -> "SnapshotWriter":
        self._file = self._draft.open("wb")
        self._file.write(_MAGIC)
        return self

    def parts(self) -> Iterator[bytes]:
        """Give the parts one after the other; the state may change in between."""
        runtime = self._runtime
        yield _frame(
            Head(
                runtime.network,
                list(runtime.model.spec.metrics),
                runtime.state.clock.now,
                runtime.state.clock.arrivals,
                self._point,
                runtime.joiner.save(),
            )
        )
        codes = runtime.state.table.codes()
        for start in range(0, len(codes), _PART):
            yield self._part(codes[start : start + _PART])
        self._report = runtime.shadow.report()
        yield _frame(Tail(len(self._written), runtime.shadow.save(), runtime.book.unsaved()))

    def write(self, part: bytes) -> None:
        """Write one part; may run in another thread."""
        self._file.write(part)

    def finish(self) -> None:
        """Put the snapshot in place; may run in another thread, for the disk may take its time."""
        self._file.flush()
        os.fsync(self._file.fileno())
        os.replace(self._draft, self._path)
        self._runtime.replay_point = self._point
        self._runtime.shadow.write(self._report)

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._file.close()
        self._draft.unlink(missing_ok=True)

    def _part(self, codes: list[int]) -> bytes:
        state, book = self._runtime.state, self._runtime.book
        trackers = state.tracker.save()
        records = []
        for code in codes:
            name = state.table.names[code]
            if name is None or name in self._written:
                continue
            self._written.add(name)
            opened = [book.open[kind, name] for kind in ("risk", "silent") if (kind, name) in book.open]
            records.append(
                DeviceRecord(
                    name,
                    *state.table.places[code],
                    state.engine.save(code),
                    state.counters.save(code) if state.counters is not None else b"",
                    trackers[code * STATE.itemsize : (code + 1) * STATE.itemsize],
                    int(state.clock.newest[code]),
                    int(state.clock.arrival[code]),
                    bool(state.clock.silent[code]),
                    float(state.risk[code]),
                    state.trials.get(code),
                    opened,
                )
            )
        return _frame(records)


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


def read_snapshot(runtime: "Runtime") -> bool:
    """Take up the state that was saved; False where none was.

    Raises
    ------
    NetopsError
        If the file is damaged or of another network; it is renamed, and the state stays empty.
    """
    path = runtime.folder / FILE
    if not path.exists():
        return False
    try:
        frames = _frames(path)
        head = msgspec.msgpack.decode(next(frames), type=Head)
        _check(runtime, head, path)
        records, devices = _read_records(runtime, frames, head)
        if records != devices:
            raise ValueError(f"{records} devices instead of {devices}")
    except (ValueError, StopIteration, struct.error, msgspec.DecodeError, NetopsError) as error:
        path.replace(path.with_suffix(".damaged"))
        runtime.reset()
        raise NetopsError(f"{path}: cannot be read: {error}") from error
    runtime.replay_point = head.replay_point
    return True


def network_of(folder: Path) -> str | None:
    """Read which network the state in a folder is of; None where there is none that can be read."""
    try:
        return msgspec.msgpack.decode(next(_frames(folder / FILE)), type=Head).network
    except (OSError, ValueError, StopIteration, msgspec.DecodeError):
        return None


def _check(runtime: "Runtime", head: Head, path: Path) -> None:
    if head.network != runtime.network or head.metrics != list(runtime.model.spec.metrics):
        raise NetopsError(f"it is of network {head.network} with the metrics {', '.join(head.metrics)}")


def _read_records(runtime: "Runtime", frames: Iterator[bytes], head: Head) -> tuple[int, int]:
    trackers = bytearray()
    decoder = msgspec.msgpack.Decoder(Tail | list[DeviceRecord])
    count, expected = 0, -1
    for frame in frames:
        found = decoder.decode(frame)
        if isinstance(found, Tail):
            expected = found.devices
            runtime.shadow.restore(found.shadow)
            runtime.book.put_unsaved(found.alerts)
            break
        for record in found[: runtime.settings.limits.devices - count]:
            _put(runtime, record, trackers)
        count += len(found)
    state = runtime.state
    state.tracker.restore(bytes(trackers))
    state.clock.now, state.clock.arrivals = head.now, head.arrivals
    runtime.joiner.restore(head.pending)
    return count, expected


def _put(runtime: "Runtime", record: DeviceRecord, trackers: bytearray) -> None:
    state = runtime.state
    code = int(state.table.take([record.name])[0])
    state.table.move(code, record.company, record.data_center)
    take_up(state.engine, code, record.windows)
    if state.counters is not None:
        state.counters.restore(code, record.counters)
    trackers.extend(record.tracker.ljust(STATE.itemsize, b"\0"))
    state.clock.recall(code, record.newest, record.arrival, record.silent)
    state.risk[code] = record.risk
    if record.trial is not None:
        state.begin_trial(code, *record.trial)
    for alert in record.alerts:
        runtime.book.put(alert)


def _frame(value: Any) -> bytes:
    body = msgspec.msgpack.encode(value)
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def _frames(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError("not a state file")
        while head := file.read(_FRAME.size):
            size, check = _FRAME.unpack(head)
            body = file.read(size)
            if len(body) != size or zlib.crc32(body) != check:
                raise ValueError("a part is damaged")
            yield body
