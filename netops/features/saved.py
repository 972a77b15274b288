"""The state of a device as a plain buffer: a header, then its raw samples, little-endian.

The windows are computed again from the samples: the kernel's state depends only on them, so nothing is lost, and a
buffer serves an engine with other windows too. Baselines depend on earlier samples as well: those before the first
sample of the buffer follow the samples (version 2; without baselines, the version is 1).
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.features.baseline import BASELINE
from netops.features.kernel import LAST_TIME
from netops.features.spec import FeatureSpec

VERSION, WITHOUT_BASELINES = 2, 1

Buffer = bytes | bytearray | memoryview

# Magic, version, metrics, fingerprint of their names, samples, history in ns, checksum of what follows.
_HEADER = struct.Struct("<4sHH16sqqI")
_MAGIC, _MAGIC_ALL = b"NOFS", b"NOFA"
_HALF_LIFE = struct.Struct("<q")
_ALL, _ENTRY = struct.Struct("<4sHq"), struct.Struct("<qq")


class Saved(NamedTuple):
    """The saved state of a device.

    Attributes
    ----------
    times : int64 array, n
    values : float64 array, n × metrics
    history : int
        Minimum time range of the samples, if the device is old enough; ns.
    half_life : int
        Of the baselines, in ns; 0 if there are none.
    baselines : float64 array
        Those before the first sample; empty if there are none.
    """

    times: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    history: int
    half_life: int
    baselines: npt.NDArray[np.float64]


def pack(
    spec: FeatureSpec,
    history: int,
    times: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    half_life: int = 0,
    baselines: npt.NDArray[np.float64] | None = None,
) -> bytes:
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
    half_life : int
        Half-life of the baselines, ns.
    baselines : float64 array, optional
        The baselines before the first sample.
    """
    body = times.astype("<i8").tobytes() + values.astype("<f8").tobytes()
    metrics, version = len(spec.metrics), WITHOUT_BASELINES
    if baselines is not None:
        body, version = body + _HALF_LIFE.pack(half_life) + baselines.astype("<f8").tobytes(), VERSION
    return _HEADER.pack(_MAGIC, version, metrics, spec.fingerprint, len(times), history, zlib.crc32(body)) + body


def unpack(
    spec: FeatureSpec, history: int, buffer: Buffer
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Read the times and values that :func:`pack` wrote; see :func:`read`."""
    found = read(spec, history, buffer)
    return found.times, found.values


def read(spec: FeatureSpec, history: int, buffer: Buffer) -> Saved:
    """Read what :func:`pack` wrote.

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
    size, extra = samples * 8 * (1 + metrics), 0
    if version > WITHOUT_BASELINES:
        extra = _HALF_LIFE.size + BASELINE * metrics * 8
    if samples < 0 or len(body) != size + extra or zlib.crc32(body) != checksum:
        raise NetopsError("saved state: damaged; start the device again")
    times = np.frombuffer(body, "<i8", samples).astype(np.int64)
    values = np.frombuffer(body, "<f8", samples * metrics, samples * 8).astype(np.float64)
    if samples and not (times[0] >= 0 and times[-1] < LAST_TIME and (np.diff(times) > 0).all()):
        raise NetopsError("saved state: its times are not in order; start the device again")
    half_life = _HALF_LIFE.unpack_from(body, size)[0] if extra else 0
    baselines = np.frombuffer(
        body, "<f8", BASELINE * metrics if extra else 0, size + _HALF_LIFE.size if extra else 0
    )
    return Saved(times, values.reshape(samples, metrics), reach, half_life, baselines.astype(np.float64))


def pack_all(states: Iterable[tuple[int, bytes]]) -> bytes:
    """Write the states of many devices, each with its code."""
    entries = [_ENTRY.pack(device, len(state)) + state for device, state in states]
    return _ALL.pack(_MAGIC_ALL, WITHOUT_BASELINES, len(entries)) + b"".join(entries)


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
