"""Restore the state of all devices from snapshots."""

import contextlib
import logging
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from netops.alerting.machine import STATE
from netops.errors import NetopsError
from netops.serving.decode.remote_write import with_metrics
from netops.serving.engine.fleet_state import UNCHANGED, restore_windows
from netops.serving.engine.other_metrics import OtherMetrics
from netops.serving.engine.snapshot import FILE, FRAME, MAGIC, DeviceRecord, Head, Saveable, Tail

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
_OLD_MAGIC = b"netops state 1\n"


class Restorable(Saveable, Protocol):
    """A runtime whose state is read from snapshots."""

    def reset(self) -> None:
        """Reset the state: no devices."""


class _Brief(msgspec.Struct):
    """The fields of a record that are needed to select devices."""

    name: str
    arrival: int
    since: int | None = None


_RECORDS: msgspec.msgpack.Decoder[Tail | list[DeviceRecord]] = msgspec.msgpack.Decoder(Tail | list[DeviceRecord])
_BRIEFS: msgspec.msgpack.Decoder[Tail | list[_Brief]] = msgspec.msgpack.Decoder(Tail | list[_Brief])


def read_snapshot(runtime: Restorable) -> bool:
    """Restore the saved state; return False if there is none.

    Raises
    ------
    NetopsError
        If a file is damaged or of another network; all files are renamed, and the state stays empty.
    """
    path = runtime.snapshots.path()
    if not path.exists() and not runtime.snapshots.earlier():
        return False
    try:
        head = _read(runtime)
    except (ValueError, StopIteration, struct.error, msgspec.DecodeError, NetopsError) as error:
        runtime.snapshots.set_aside()
        runtime.reset()
        raise NetopsError(f"{path}: cannot be read: {error}") from error
    runtime.snapshots.sequence = head.sequence
    runtime.replay.restore(head.replay_point)
    runtime.offset = head.offset
    return True


def network_of(folder: Path) -> str | None:
    """Return the network of the state in a folder; None if there is no readable state."""
    try:
        return msgspec.msgpack.decode(next(_frames(folder / FILE)), type=Head).network
    except (OSError, ValueError, StopIteration, msgspec.DecodeError):
        return None


def adopt_replicas(volume: Path, folder: Path, network: str) -> None:
    """Move replica states from the top of a volume (earlier versions) into the network's folder.

    States of other networks, and those in use by another server, are not moved.
    """
    for replica in sorted(volume.glob("replica-*")):
        if network_of(replica) == network:
            folder.mkdir(parents=True, exist_ok=True)
            # Two replicas may start at once: one of them does not find it.
            with contextlib.suppress(OSError):
                replica.rename(folder / replica.name)


def _read(runtime: Restorable) -> Head:
    files = _needed(runtime)
    full, arrivals = _survey(files)
    selected = _within_limit(arrivals, runtime.settings.limits.devices)
    runtime.state.gone += [name for name in arrivals if name not in selected]
    trackers: dict[int, bytes] = {}
    for sequence, (head, path) in files.items():
        _check(runtime, head)
        other = OtherMetrics(head.metrics, runtime.model.spec)
        records = 0
        for found in _decoded(path, _RECORDS):
            if isinstance(found, Tail):
                _check_count(records, found)
                if sequence == max(files):
                    _finish(runtime, head, found, other)
                continue
            records += len(found)
            for record in found:
                if record.name in selected and sequence >= full[record.name]:
                    _put(runtime, record, sequence, trackers, other)
    states = bytearray(STATE.itemsize * (max(trackers, default=-1) + 1))
    for code, state in trackers.items():
        states[code * STATE.itemsize : (code + 1) * STATE.itemsize] = state
    runtime.state.tracker.restore(bytes(states))
    return head


def _needed(runtime: Restorable) -> dict[int, tuple[Head, Path]]:
    """Return the files that the newest snapshot needs, in order."""
    found: dict[int, tuple[Head, Path]] = {}
    for path in (*runtime.snapshots.earlier().values(), runtime.snapshots.path()):
        if path.exists():
            head = msgspec.msgpack.decode(next(_frames(path)), type=Head)
            found[head.sequence] = head, path
    newest = max(found)
    tail = None
    for tail_or_records in _decoded(found[newest][1], _BRIEFS):
        tail = tail_or_records
    if not isinstance(tail, Tail):
        raise ValueError("it is truncated")
    first = newest if tail.needs is None else tail.needs
    missing = [number for number in range(first, newest + 1) if number not in found]
    if missing:
        raise ValueError(f"the earlier snapshot {missing[0]} is missing")
    return {number: found[number] for number in range(first, newest + 1)}


def _survey(files: dict[int, tuple[Head, Path]]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the last file with the full windows of each device, and the last arrival of each device."""
    full: dict[str, int] = {}
    arrivals: dict[str, int] = {}
    for sequence, (head, path) in files.items():
        _forget(full, arrivals, head.gone)
        for found in _decoded(path, _BRIEFS):
            if isinstance(found, Tail):
                _forget(full, arrivals, found.gone)
                continue
            for record in found:
                if record.since is None:
                    full[record.name] = sequence
                if record.name in full:
                    arrivals[record.name] = record.arrival
    return full, arrivals


def _forget(full: dict[str, int], arrivals: dict[str, int], gone: list[str]) -> None:
    for name in gone:
        full.pop(name, None)
        arrivals.pop(name, None)


def _within_limit(arrivals: dict[str, int], limit: int) -> set[str]:
    if len(arrivals) > limit:
        _LOG.warning(
            "the limit of %d devices is lower than before: dropped the %d least recently seen",
            limit,
            len(arrivals) - limit,
        )
    return set(sorted(arrivals, key=lambda name: arrivals[name])[-limit:])


def _check(runtime: Restorable, head: Head) -> None:
    sent, model = set(head.metrics) - set(head.counted), runtime.model
    is_same = head.metrics == list(model.spec.metrics) or sent == set(model.sent_metrics)
    if head.network != runtime.network or not is_same:
        raise NetopsError(f"it belongs to network {head.network} with the metrics {', '.join(head.metrics)}")


def _check_count(records: int, tail: Tail) -> None:
    if records != tail.devices:
        raise ValueError(f"{records} devices instead of {tail.devices}")


def _finish(runtime: Restorable, head: Head, tail: Tail, other: OtherMetrics) -> None:
    runtime.state.clock.now, runtime.state.clock.arrivals = head.now, head.arrivals
    runtime.joiner.restore(with_metrics(head.pending, other))
    runtime.shadow.restore(tail.shadow)
    runtime.active_alerts.restore(tail.alerts)
    if other.changed:
        runtime.state.write_in_full()


def _put(
    runtime: Restorable, record: DeviceRecord, sequence: int, trackers: dict[int, bytes], other: OtherMetrics
) -> None:
    state, windows = runtime.state, other.windows(record.windows)
    code = int(state.table.assign([record.name])[0])
    state.table.set_location(code, record.company, record.data_center)
    if record.since is None:
        restore_windows(state.engine, code, windows)
        state.full_in[code] = sequence
    else:
        state.engine.extend(code, record.since, windows)
    state.changed[code] = UNCHANGED
    if state.counters is not None:
        state.counters.restore(code, record.counters)
    trackers[code] = record.tracker.ljust(STATE.itemsize, b"\0")
    state.clock.restore_device(code, record.newest, record.arrival, record.silent, record.heard)
    state.risk[code] = record.risk
    state.clear_quarantine(code)
    if record.trial is not None:
        state.start_quarantine(code, other.windows(record.trial[0]), record.trial[1])
    if record.jump is not None:
        state.jumps[code] = record.jump._replace(state=other.windows(record.jump.state))
    for entry, counts in state.counts.items():
        counts.restore(code, record.counts.get(entry, b""))
    state.log_devices.restore(code, record.log_times)
    for kind in ("risk", "silent"):
        runtime.active_alerts.open.pop((kind, record.name), None)
    for alert in record.alerts:
        runtime.active_alerts.restore_open(alert)


def _decoded(path: Path, decoder: "msgspec.msgpack.Decoder[Tail | list[T]]") -> Iterator[Tail | list[T]]:
    """Decode the frames after the head; the last one must be the tail."""
    frames = _frames(path)
    next(frames)
    for frame in frames:
        found = decoder.decode(frame)
        yield found
        if isinstance(found, Tail):
            return
    raise ValueError("it is truncated")


def _frames(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        if file.read(len(MAGIC)) not in (MAGIC, _OLD_MAGIC):
            raise ValueError("not a state file")
        while head := file.read(FRAME.size):
            size, check = FRAME.unpack(head)
            body = file.read(size)
            if len(body) != size or zlib.crc32(body) != check:
                raise ValueError("a frame is damaged")
            yield body
