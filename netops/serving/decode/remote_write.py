"""Prometheus remote write (1.0): snappy-compressed protobuf, one series per metric and device.

The metrics of a device at one timestamp are separate series, often in separate requests, because Prometheus shards
by series. :class:`Joiner` joins them by event time.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from netops.config.durations import MINUTE
from netops.serving.decode.compressed import unsnap
from netops.serving.decode.protobuf import Budget, TooManyFieldsError, fields, signed
from netops.serving.decode.times import LATEST
from netops.serving.engine.clock import NEVER
from netops.serving.engine.other_metrics import OtherMetrics
from netops.serving.engine.samples import BodyError, Samples

#: Labels with the device name; the first one present is used.
DEVICE_LABELS = ("device", "node", "host", "instance")
#: Prometheus' staleness marker: a NaN with this payload.
_STALE = 0x7FF0000000000002
#: Maximum timestamps of a device that wait to be joined.
_ROWS = 1000
#: Maximum fields of a request per allowed value: a series with one value and twenty labels has 64.
_FIELDS = 64


class Point(NamedTuple):
    """A value of a series."""

    device: str
    timestamp: int
    metric: str
    value: float
    company: str | None
    data_center: str | None


def read_remote_write(body: bytes, limit: int, batch: int, name_length: int) -> list[Point]:
    """Read a remote-write request.

    Parameters
    ----------
    body : bytes
        The compressed body.
    limit : int
        Maximum decompressed bytes.
    batch : int
        Maximum number of values.
    name_length : int
        Maximum length of a label value; longer ones are ignored or truncated.

    Raises
    ------
    BodyError
        If it is not a valid request, or exceeds a limit.
    """
    budget = Budget(_FIELDS * batch)
    try:
        points: list[Point] = []
        for number, series in fields(memoryview(unsnap(body, limit)), budget):
            if number == 1 and isinstance(series, memoryview):
                points += _series(series, name_length, len(points), batch, budget)
        return points
    except TooManyFieldsError:
        raise BodyError(f"more than {_FIELDS * batch} fields in one request", 413) from None
    except (ValueError, struct.error, UnicodeDecodeError) as error:
        raise BodyError(f"not a remote-write request: {error}") from None


def _series(series: memoryview, name_length: int, before: int, batch: int, budget: Budget) -> Iterable[Point]:
    labels: dict[str, str] = {}
    values: list[tuple[int, float]] = []
    for number, part in fields(series, budget):
        if number == 1 and isinstance(part, memoryview):
            name, value = _label(part, budget)
            labels[name] = value
        elif number == 2 and isinstance(part, memoryview):
            if before + len(values) >= batch:
                raise BodyError(f"more than {batch} values in one request", 413)
            values.append(_value(part, budget))
    device = next((labels[name] for name in DEVICE_LABELS if labels.get(name)), None)
    metric = labels.get("__name__")
    if device is None or metric is None or len(device) > name_length:
        return []
    location = tuple((labels.get(key) or "")[:name_length] or None for key in ("company", "data_center"))
    return [Point(device, stamp, metric, value, *location) for stamp, value in values if 0 <= stamp <= LATEST]


def _label(part: memoryview, budget: Budget) -> tuple[str, str]:
    texts = {number: bytes(text).decode() for number, text in fields(part, budget) if isinstance(text, memoryview)}
    return texts.get(1, ""), texts.get(2, "")


def _value(part: memoryview, budget: Budget) -> tuple[int, float]:
    stamp, value = 0, 0.0
    for number, found in fields(part, budget):
        if number == 1 and isinstance(found, memoryview):
            stale = struct.unpack("<Q", found)[0] == _STALE
            value = float("nan") if stale else struct.unpack("<d", found)[0]
        elif number == 2 and isinstance(found, int):
            stamp = signed(found) * 1_000_000
    return stamp, value if abs(value) != float("inf") else float("nan")


#: A row that waits to be joined: device, time, values, indices of the present metrics, company, data center.
Waiting = tuple[str, int, list[float], list[int], str | None, str | None]


def with_metrics(waiting: Iterable[Waiting], other: OtherMetrics) -> list[Waiting]:
    """Convert waiting rows to other metrics."""
    return [
        (device, stamp, other.row(values), other.indexes(named), company, data_center)
        for device, stamp, values, named, company, data_center in waiting
    ]


@dataclass(slots=True)
class _Row:
    values: list[float]
    named: set[int] = field(default_factory=set)
    location: tuple[str | None, str | None] = (None, None)


class Joiner:
    """Joins the metrics of a device and timestamp until all have arrived, or the device's time has advanced.

    Parameters
    ----------
    metrics : sequence of str
        The columns of the samples.
    wait : int
        Event time (ns) after which an incomplete row is returned.
    devices : int
        Maximum number of waiting devices; beyond it, the longest waiting one is returned first.
    ahead : int
        Maximum time (ns) ahead of the network time that counts as progress of a device. Samples further ahead are
        joined too, but do not complete other rows.
    expected : sequence of str, optional
        The metrics that complete a row; default: all.
    """

    def __init__(
        self,
        metrics: tuple[str, ...],
        wait: int,
        devices: int,
        ahead: int = 10 * MINUTE,
        expected: Sequence[str] | None = None,
    ) -> None:
        self.metrics, self.wait, self.devices, self.ahead = metrics, wait, devices, ahead
        self._indices = {name: index for index, name in enumerate(metrics)}
        self._expected = {self._indices[name] for name in (metrics if expected is None else expected)}
        self._open: dict[str, dict[int, _Row]] = {}

    def add(self, points: Iterable[Point], now: int = NEVER) -> Samples:
        """Add values; return the completed rows.

        Parameters
        ----------
        points : iterable of Point
        now : int
            The network time (ns); ``NEVER`` if unknown: then the earliest waiting timestamp is used.
        """
        touched: dict[str, None] = {}
        for point in points:
            if (index := self._indices.get(point.metric)) is not None:
                row = self._row(point)
                row.values[index] = point.value
                row.named.add(index)
                touched[point.device] = None
        now = now if now != NEVER else self.pending() or 0
        done = [row for device in touched for row in self._finished(device, now)]
        while len(self._open) > self.devices:
            done += self._pop(next(iter(self._open)), lambda _stamp, _row: True)
        return self._samples(done)

    def save(self) -> list[Waiting]:
        """Return the waiting rows, for a snapshot."""
        return [
            (device, stamp, row.values, sorted(row.named), *row.location)
            for device, rows in self._open.items()
            for stamp, row in rows.items()
        ]

    def restore(self, waiting: Iterable[Waiting]) -> None:
        """Restore what :meth:`save` returned."""
        for device, stamp, values, named, company, data_center in waiting:
            if len(values) == len(self.metrics):
                row = _Row(list(values), set(named), (company, data_center))
                self._open.setdefault(device, {})[stamp] = row

    def drain(self) -> Samples:
        """Return all waiting rows."""
        return self._samples([row for device in list(self._open) for row in self._pop(device, lambda *_: True)])

    def pending(self) -> int | None:
        """Return the earliest waiting timestamp (ns), or None."""
        return min((stamp for rows in self._open.values() for stamp in rows), default=None)

    def _row(self, point: Point) -> _Row:
        rows = self._open.setdefault(point.device, {})
        row = rows.setdefault(point.timestamp, _Row([float("nan")] * len(self.metrics)))
        row.location = (point.company, point.data_center)
        return row

    def _finished(self, device: str, now: int) -> list[tuple[str, int, _Row]]:
        limit = now + self.ahead
        known = max((stamp for stamp in self._open[device] if stamp <= limit), default=NEVER)
        newest = max(self._open[device])

        def is_done(stamp: int, row: _Row) -> bool:
            progress = known if stamp <= limit else newest
            return row.named >= self._expected or stamp <= progress - self.wait

        done = self._pop(device, is_done)
        waiting = self._open.get(device, ())
        if len(waiting) > _ROWS:
            last = sorted(waiting)[len(waiting) - _ROWS]
            done += self._pop(device, lambda stamp, _row: stamp < last)
        return done

    def _pop(self, device: str, is_done: "Callable[[int, _Row], bool]") -> list[tuple[str, int, _Row]]:
        rows = self._open[device]
        done = [(device, stamp, rows.pop(stamp)) for stamp in sorted(rows) if is_done(stamp, rows[stamp])]
        if not rows:
            del self._open[device]
        return done

    def _samples(self, done: list[tuple[str, int, _Row]]) -> Samples:
        stamps = [stamp for _, stamp, _ in done]
        return Samples(
            [device for device, _, _ in done],
            list(stamps),
            np.array(stamps, dtype=np.int64),
            np.array([row.values for _, _, row in done], dtype=np.float64).reshape(len(done), len(self.metrics)),
            companies=[row.location[0] for _, _, row in done],
            data_centers=[row.location[1] for _, _, row in done],
        )
