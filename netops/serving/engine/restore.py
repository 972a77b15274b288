"""The state of all devices read back from the snapshots that hold it."""

import logging
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from netops.alerting.machine import STATE
from netops.errors import NetopsError
from netops.features import saved
from netops.serving.engine.fleet_state import UNCHANGED, take_up
from netops.serving.engine.snapshot import FILE, FRAME, MAGIC, DeviceRecord, Head, Tail

if TYPE_CHECKING:
    from netops.serving.engine.runtime import Runtime

_LOG = logging.getLogger(__name__)
_OLD_MAGIC = b"netops state 1\n"


class _Brief(msgspec.Struct):
    """As much of a record as is needed to choose the devices."""

    name: str
    arrival: int
    since: int | None = None


def read_snapshot(runtime: "Runtime") -> bool:
    """Take up the state that was saved; False where none was.

    Raises
    ------
    NetopsError
        If a file is damaged or of another network; all are renamed, and the state stays empty.
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
    return True


def network_of(folder: Path) -> str | None:
    """Read which network the state in a folder is of; None where there is none that can be read."""
    try:
        return msgspec.msgpack.decode(next(_frames(folder / FILE)), type=Head).network
    except (OSError, ValueError, StopIteration, msgspec.DecodeError):
        return None


def _read(runtime: "Runtime") -> Head:
    files = _needed(runtime)
    wholes, arrivals = _survey(files)
    kept = _within_limit(arrivals, runtime.settings.limits.devices)
    runtime.state.gone += [name for name in arrivals if name not in kept]
    trackers: dict[int, bytes] = {}
    for sequence, (head, path) in files.items():
        _check(runtime, head)
        records = 0
        for found in _decoded(path, Tail | list[DeviceRecord]):
            if isinstance(found, Tail):
                _finish(runtime, head, found, records, is_last=sequence == max(files))
                continue
            records += len(found)
            for record in found:
                if record.name in kept and sequence >= wholes[record.name]:
                    _put(runtime, record, sequence, trackers)
    states = bytearray(STATE.itemsize * (max(trackers, default=-1) + 1))
    for code, state in trackers.items():
        states[code * STATE.itemsize : (code + 1) * STATE.itemsize] = state
    runtime.state.tracker.restore(bytes(states))
    return head


def _needed(runtime: "Runtime") -> dict[int, tuple[Head, Path]]:
    """Find the files that the newest snapshot needs, in their order."""
    found: dict[int, tuple[Head, Path]] = {}
    for path in (*runtime.snapshots.earlier().values(), runtime.snapshots.path()):
        if path.exists():
            head = msgspec.msgpack.decode(next(_frames(path)), type=Head)
            found[head.sequence] = head, path
    newest = max(found)
    tail = None
    for tail_or_records in _decoded(found[newest][1], Tail | list[_Brief]):
        tail = tail_or_records
    if not isinstance(tail, Tail):
        raise ValueError("it breaks off")
    first = newest if tail.needs is None else tail.needs
    missing = [number for number in range(first, newest + 1) if number not in found]
    if missing:
        raise ValueError(f"the earlier snapshot {missing[0]} is missing")
    return {number: found[number] for number in range(first, newest + 1)}


def _survey(files: dict[int, tuple[Head, Path]]) -> tuple[dict[str, int], dict[str, int]]:
    """Tell which file holds each device's whole windows last, and when each device was last heard of."""
    wholes: dict[str, int] = {}
    arrivals: dict[str, int] = {}
    for sequence, (head, path) in files.items():
        _forget(wholes, arrivals, head.gone)
        for found in _decoded(path, Tail | list[_Brief]):
            if isinstance(found, Tail):
                _forget(wholes, arrivals, found.gone)
                continue
            for record in found:
                if record.since is None:
                    wholes[record.name] = sequence
                if record.name in wholes:
                    arrivals[record.name] = record.arrival
    return wholes, arrivals


def _forget(wholes: dict[str, int], arrivals: dict[str, int], gone: list[str]) -> None:
    for name in gone:
        wholes.pop(name, None)
        arrivals.pop(name, None)


def _within_limit(arrivals: dict[str, int], limit: int) -> set[str]:
    if len(arrivals) > limit:
        _LOG.warning(
            "the limit of %d devices is lower than before: %d are dropped, those not heard of for longest",
            limit,
            len(arrivals) - limit,
        )
    return set(sorted(arrivals, key=lambda name: arrivals[name])[-limit:])


def _check(runtime: "Runtime", head: Head) -> None:
    if head.network != runtime.network or head.metrics != list(runtime.model.spec.metrics):
        raise NetopsError(f"it is of network {head.network} with the metrics {', '.join(head.metrics)}")


def _finish(runtime: "Runtime", head: Head, tail: Tail, records: int, is_last: bool) -> None:
    if records != tail.devices:
        raise ValueError(f"{records} devices instead of {tail.devices}")
    if is_last:
        runtime.state.clock.now, runtime.state.clock.arrivals = head.now, head.arrivals
        runtime.joiner.restore(head.pending)
        runtime.shadow.restore(tail.shadow)
        runtime.book.restore(tail.alerts)


def _put(runtime: "Runtime", record: DeviceRecord, sequence: int, trackers: dict[int, bytes]) -> None:
    state = runtime.state
    code = int(state.table.take([record.name])[0])
    state.table.move(code, record.company, record.data_center)
    if record.since is None:
        take_up(state.engine, code, record.windows)
        state.whole_in[code] = sequence
    else:
        _continue(state.engine, code, record.since, record.windows)
    state.changed[code] = UNCHANGED
    if state.counters is not None:
        state.counters.restore(code, record.counters)
    trackers[code] = record.tracker.ljust(STATE.itemsize, b"\0")
    state.clock.recall(code, record.newest, record.arrival, record.silent, record.heard)
    state.risk[code] = record.risk
    state.forget_trials(code)
    if record.trial is not None:
        state.begin_trial(code, *record.trial)
    if record.jump is not None:
        state.jumps[code] = record.jump
    for kind in ("risk", "silent"):
        runtime.book.open.pop((kind, record.name), None)
    for alert in record.alerts:
        runtime.book.put(alert)


def _continue(engine: Any, code: int, since: int, windows: bytes) -> None:
    """Add to a device's windows what changed after ``since``."""
    times, values = saved.unpack(engine.spec, 0, windows)
    newest = engine.newest(code)
    if newest is not None and newest > since:
        before, known = saved.unpack(engine.spec, 0, engine.save(code))
        kept = before <= since
        times, values = np.concatenate([before[kept], times]), np.concatenate([known[kept], values])
        engine.forget(code)
    engine.update(np.full(len(times), code, dtype=np.int64), times, values)


def _decoded(path: Path, kind: Any) -> Iterator[Any]:
    """Decode what follows the head; the tail comes last, and must be there."""
    decoder = msgspec.msgpack.Decoder(kind)
    frames = _frames(path)
    next(frames)
    for frame in frames:
        found = decoder.decode(frame)
        yield found
        if isinstance(found, Tail):
            return
    raise ValueError("it breaks off")


def _frames(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        if file.read(len(MAGIC)) not in (MAGIC, _OLD_MAGIC):
            raise ValueError("not a state file")
        while head := file.read(FRAME.size):
            size, check = FRAME.unpack(head)
            body = file.read(size)
            if len(body) != size or zlib.crc32(body) != check:
                raise ValueError("a part is damaged")
            yield body
