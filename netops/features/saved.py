"""The state of a device as a plain buffer: a header, then its raw samples, little-endian.

The windows are computed again from the samples: the kernel's state depends only on them, so nothing is lost, and a
buffer serves an engine with other windows too.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.features.kernel import LAST_TIME
from netops.features.spec import FeatureSpec

VERSION = 1

Buffer = bytes | bytearray | memoryview

# Magic, version, metrics, fingerprint of their names, samples, history in ns, checksum of what follows.
_HEADER = struct.Struct("<4sHH16sqqI")
_MAGIC, _MAGIC_ALL = b"NOFS", b"NOFA"
_ALL, _ENTRY = struct.Struct("<4sHq"), struct.Struct("<qq")


def pack(spec: FeatureSpec, history: int, times: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> bytes:
    """Write the samples of a device, oldest first.

    Parameters
    ----------
    spec : FeatureSpec
        Names the metrics.
    history : int
        Minimum time range of the samples, if the device is old enough; ns.
    times : int64 array, n
        Nanoseconds since the epoch.
    values : float64 array, n × metrics
    """
    body = times.astype("<i8").tobytes() + values.astype("<f8").tobytes()
    metrics = len(spec.metrics)
    return _HEADER.pack(_MAGIC, VERSION, metrics, spec.fingerprint, len(times), history, zlib.crc32(body)) + body


def unpack(
    spec: FeatureSpec, history: int, buffer: Buffer
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Read what :func:`pack` wrote: times and values.

    Raises
    ------
    NetopsError
        If the buffer is damaged, of other metrics, of a later version, or covers less than ``history``.
    """
    if len(buffer) < _HEADER.size:
        raise NetopsError("saved state: truncated; start the device again")
    magic, version, metrics, fingerprint, samples, reach, checksum = _HEADER.unpack_from(buffer)
    body = memoryview(buffer)[_HEADER.size :]
    if magic != _MAGIC:
        raise NetopsError("saved state: not the state of a device")
    if version > VERSION:
        raise NetopsError(f"saved state: version {version} is newer than this program, which supports {VERSION}")
    if fingerprint != spec.fingerprint or metrics != len(spec.metrics):
        raise NetopsError("saved state: the metrics differ from those of the features; start the device again")
    if reach < history:
        raise NetopsError("saved state: covers less than the longest window; start the device again")
    if samples < 0 or len(body) != samples * 8 * (1 + metrics) or zlib.crc32(body) != checksum:
        raise NetopsError("saved state: damaged; start the device again")
    times = np.frombuffer(body, "<i8", samples).astype(np.int64)
    values = np.frombuffer(body, "<f8", samples * metrics, samples * 8).astype(np.float64)
    if samples and not (times[0] >= 0 and times[-1] < LAST_TIME and (np.diff(times) > 0).all()):
        raise NetopsError("saved state: its times are not in order; start the device again")
    return times, values.reshape(samples, metrics)


def pack_all(states: Iterable[tuple[int, bytes]]) -> bytes:
    """Write the states of many devices, each with its code."""
    entries = [_ENTRY.pack(device, len(state)) + state for device, state in states]
    return _ALL.pack(_MAGIC_ALL, VERSION, len(entries)) + b"".join(entries)


def unpack_all(buffer: Buffer) -> Iterator[tuple[int, memoryview]]:
    """Read what :func:`pack_all` wrote: code and state.

    Raises
    ------
    NetopsError
        If the buffer is truncated, not a saved state, or of a later version.
    """
    view = memoryview(buffer)
    if len(view) < _ALL.size or bytes(view[:4]) != _MAGIC_ALL:
        raise NetopsError("saved states: not the states of an engine")
    _, version, entries = _ALL.unpack_from(view)
    if version > VERSION:
        raise NetopsError(f"saved states: version {version} is newer than this program, which supports {VERSION}")
    at = _ALL.size
    for _ in range(entries):
        if len(view) < at + _ENTRY.size:
            raise NetopsError("saved states: truncated")
        device, length = _ENTRY.unpack_from(view, at)
        at += _ENTRY.size
        if length < 0 or device < 0 or len(view) < at + length:
            raise NetopsError("saved states: truncated")
        yield device, view[at : at + length]
        at += length
