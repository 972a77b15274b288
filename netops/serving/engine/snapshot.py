"""Snapshots of the state of all devices: incremental, and replaced atomically.

A snapshot need not show all devices at the same time: each device is consistent in itself, and samples sent again
from the replay point are duplicates for devices that already have them. Requests are therefore served between two
frames, and no request waits longer than writing one frame takes.

The windows of many devices are large, and little in them changes. A snapshot therefore contains the new samples of
most devices, and the full windows of some devices in turn; earlier snapshots are retained while needed for the
full windows of a device. With few devices each snapshot is full.

The file has a magic line, then frames of length, CRC-32 and MessagePack data; the last frame is the tail.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Protocol
from uuid import uuid4

import msgspec
import numpy as np

from netops.alerting.machine import STATE
from netops.serving.alerts.active import ActiveAlerts
from netops.serving.alerts.store import Alert
from netops.serving.decode.remote_write import Joiner, Waiting
from netops.serving.engine.champion import ServedModel
from netops.serving.engine.clock import KNOWN, NEVER
from netops.serving.engine.fleet_state import UNCHANGED, FleetState, Jump
from netops.serving.engine.replay_point import ReplayPoint
from netops.serving.settings import ServingSettings
from netops.serving.shadow.report import ShadowReport
from netops.serving.shadow.scoring import Shadow

FILE = "state.bin"
MAGIC = b"netops state 2\n"
FRAME = struct.Struct("<II")
#: Maximum time (s) to build a frame, and maximum devices per frame.
_PART_SECONDS, _PART = 0.004, 200
#: Number of devices with full windows per snapshot: at least _WHOLE, and at least 1/_TURNS of all.
_WHOLE, _TURNS = 256, 16


class DeviceRecord(msgspec.Struct, omit_defaults=True):
    """A device in a snapshot; ``windows`` are its samples after ``since``, or all samples if that is None."""

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
    #: ``logs`` and ``events`` → messages that no sample has counted yet.
    counts: dict[str, bytes] = {}
    #: First and last message of a device without metrics.
    log_times: tuple[int, int] | None = None


class Head(msgspec.Struct):
    """The head of a snapshot.

    ``gone`` are the devices dropped since the previous one, ``counted`` the metrics that count messages.
    """

    network: str
    metrics: list[str]
    now: int
    arrivals: int
    replay_point: int
    pending: list[Waiting]
    sequence: int = 0
    gone: list[str] = []
    counted: list[str] = []
    #: The next message of a stream's partition; all earlier ones are in the state. None without a stream.
    offset: int | None = None


class Tail(msgspec.Struct):
    """The last frame, without which a snapshot is incomplete.

    It contains the comparison with a shadow, if any, the alerts that could not be stored or that have expired, the
    first earlier snapshot that is needed, and the devices dropped while the snapshot was written.
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
        The state folder, which the caller has locked. Drafts of a killed server in it are removed.

    Attributes
    ----------
    sequence : int
        Number of the newest snapshot; -1 if there is none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.sequence = folder, -1
        for draft in folder.glob(f".{FILE}.*.tmp"):
            draft.unlink()

    def path(self, sequence: int | None = None) -> Path:
        """Return the file of the newest snapshot, or of an earlier one."""
        return self.folder / (FILE if sequence is None else f"state.{sequence}.bin")

    def earlier(self) -> dict[int, Path]:
        """Return the earlier snapshots by sequence number."""
        found = {path.suffixes[0][1:]: path for path in self.folder.glob("state.*.bin")}
        return {int(number): path for number, path in sorted(found.items()) if number.isdigit()}

    def put(self, draft: Path, sequence: int, needs: int) -> None:
        """Rename a finished draft to its final name; retain the earlier snapshots that it needs."""
        if needs <= self.sequence and self.path().exists():
            os.replace(self.path(), self.path(self.sequence))
        os.replace(draft, self.path())
        _sync(self.folder)
        self.sequence = sequence
        for number, path in self.earlier().items():
            if number < needs or number >= sequence:
                path.unlink()

    def set_aside(self) -> None:
        """Rename all snapshots, because they cannot be read."""
        for path in (self.path(), *self.earlier().values()):
            if path.exists():
                path.replace(path.with_suffix(".damaged"))


class Saveable(Protocol):
    """The content of a snapshot of a runtime."""

    network: str
    settings: ServingSettings
    model: ServedModel
    state: FleetState
    joiner: Joiner
    active_alerts: ActiveAlerts
    shadow: Shadow
    snapshots: Snapshots
    replay: ReplayPoint
    offset: int | None


class SnapshotWriter:
    """Writes a snapshot. If it is not finished, the draft is deleted and the next one includes the changes."""

    def __init__(self, runtime: Saveable) -> None:
        self._runtime, self._snapshots = runtime, runtime.snapshots
        self._draft = self._snapshots.folder / f".{FILE}.{os.getpid()}-{uuid4().hex}.tmp"
        self._sequence = self._snapshots.sequence + 1
        self._point = NEVER
        self._gone: list[str] = []
        self._taken: dict[int, tuple[str, int, int]] = {}
        self._needs = self._sequence
        self._report: ShadowReport | None = None
        self._is_finished = False

    def __enter__(self) -> "SnapshotWriter":
        self._file = self._draft.open("wb")
        self._file.write(MAGIC)
        runtime = self._runtime
        runtime.replay.start()
        self._point = replay_point(runtime)
        self._gone, runtime.state.gone = runtime.state.gone, []
        return self

    def parts(self) -> Iterator[bytes]:
        """Yield the frames one by one; the state may change in between."""
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
                [name for counts in state.counts.values() for name in counts.columns.names],
                runtime.offset,
            )
        )
        yield from self._devices()
        codes = np.array(state.table.codes(), dtype=np.int64)
        held = state.full_in[codes]
        # A device that is new since then is in no snapshot yet; until the next one, replay restores it.
        self._needs = int(held[held >= 0].min(initial=self._sequence))
        shadow, unsaved = runtime.shadow.save(), runtime.active_alerts.for_snapshot()
        self._report = runtime.shadow.report()
        yield _frame(Tail(len(self._taken), shadow, unsaved, self._needs, state.gone))

    def write(self, part: bytes) -> None:
        """Write one frame; may run in another thread."""
        self._file.write(part)

    def finish(self) -> None:
        """Rename the snapshot to its final name; may run in another thread, because the disk may be slow."""
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
            self._restore_changes()

    def _restore_changes(self) -> None:
        state = self._runtime.state
        state.gone = self._gone + state.gone
        for code, (name, changed, full_in) in self._taken.items():
            if state.table.code(name) == code:
                state.changed[code] = min(state.changed[code], changed)
                state.full_in[code] = full_in

    def _devices(self) -> Iterator[bytes]:
        state = self._runtime.state
        codes = state.table.codes()
        full = self._chosen(codes)
        records: list[DeviceRecord] = []
        trackers, since = state.tracker.save(), perf_counter()
        for code in codes:
            name = state.table.names[code]
            if name is not None and self._is_due(code, name, code in full):
                records.append(self._record(code, name, code in full, trackers))
            if len(records) == _PART or perf_counter() - since > _PART_SECONDS:
                yield _frame(records)
                records, trackers, since = [], state.tracker.save(), perf_counter()
        yield _frame(records)

    def _chosen(self, codes: list[int]) -> set[int]:
        """Return the devices to write with full windows: those whose last full windows are oldest."""
        wanted = max(_WHOLE, -(-len(codes) // _TURNS))
        known = np.array(codes, dtype=np.int64)
        return set(known[np.argsort(self._runtime.state.full_in[known], kind="stable")[:wanted]].tolist())

    def _is_due(self, code: int, name: str, full: bool) -> bool:
        """Return whether to write a device: it has changed, or has open alerts, which may have changed."""
        alerts = self._runtime.active_alerts
        changed = self._runtime.state.changed[code] != UNCHANGED
        return full or bool(changed) or ("risk", name) in alerts.open or ("silent", name) in alerts.open

    def _record(self, code: int, name: str, full: bool, trackers: bytes) -> DeviceRecord:
        state, alerts = self._runtime.state, self._runtime.active_alerts
        changed, full_in = int(state.changed[code]), int(state.full_in[code])
        self._taken[code] = name, changed, full_in
        # A device in no snapshot has ``changed == NEVER``.
        full = full or changed == NEVER
        state.changed[code] = UNCHANGED
        if full:
            state.full_in[code] = self._sequence
        return DeviceRecord(
            name,
            *state.table.locations[code],
            state.engine.save(code, None if full else changed),
            state.counters.save(code) if state.counters is not None else b"",
            trackers[code * STATE.itemsize : (code + 1) * STATE.itemsize],
            int(state.clock.newest[code]),
            int(state.clock.arrival[code]),
            bool(state.clock.silent[code]),
            float(state.risk[code]),
            state.quarantine.get(code),
            [alerts.open[kind, name] for kind in ("risk", "silent") if (kind, name) in alerts.open],
            None if full else changed,
            int(state.clock.sample_counts[code]),
            state.jumps.get(code),
            {entry: saved for entry, counts in state.counts.items() if (saved := counts.save(code))},
            state.log_devices.save(code),
        )


def replay_point(runtime: Saveable) -> int:
    """Return the event time (ns) after which samples must be sent again if the state is saved now.

    All earlier samples of recently seen devices are in the state, except those that are more out of order than
    allowed. Values that wait to be joined count as not yet in the state.
    """
    clock = runtime.state.clock
    times = clock.newest[: len(runtime.state.table.names)]
    recent = clock.recently_seen()
    times = times[: len(recent)][recent & (times[: len(recent)] != NEVER)]
    point = int(times.min()) if len(times) else NEVER
    waiting = runtime.joiner.pending()
    point = point if waiting is None else min(point, waiting - 1)
    return max(point - runtime.settings.time.allowed_lateness, NEVER)


def _frame(value: object) -> bytes:
    body = msgspec.msgpack.encode(value)
    return FRAME.pack(len(body), zlib.crc32(body)) + body


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
