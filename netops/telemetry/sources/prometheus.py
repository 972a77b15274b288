"""Telemetry from Prometheus: one PromQL query per metric, evaluated step by step over a time range.

An address is ``prometheus+http://host:9090``, optionally with ``?start=…&end=…&history=7d&step=30s``.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from netops.config.durations import SECOND, parse_duration
from netops.errors import NetopsError, UsageError, closest
from netops.telemetry.dataset import TIME_TYPE
from netops.telemetry.schema import DEVICE, IS_ERROR, TIMESTAMP
from netops.telemetry.settings import PrometheusSettings, TelemetrySettings
from netops.telemetry.sources.promql import QueryApi, TooMuchError
from netops.telemetry.times.parsing import parse_times
from netops.telemetry.times.unreadable import UnreadableValueError

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

_VALUES_A_PAGE = 500_000
_POINTS_A_PAGE = 10_000  # Prometheus returns at most 11,000 per series
_PARAMETERS = ("start", "end", "history", "step")


def open_prometheus(address: str, settings: TelemetrySettings) -> "PrometheusSource":
    """Open an address of Prometheus.

    Raises
    ------
    UsageError
        If no PromQL is configured, or the address contains an unknown parameter or an invalid time.
    NetopsError
        If the server cannot be reached, or refuses a query.
    """
    return PrometheusSource(address, settings.prometheus)


@dataclass(frozen=True)
class _Span:
    """The timestamps at which queries are evaluated, in nanoseconds."""

    start: int
    step: int
    points: int

    def pages(self, points: int) -> Iterator["_Span"]:
        for first in range(0, self.points, points):
            yield _Span(self.start + first * self.step, self.step, min(points, self.points - first))

    @property
    def end(self) -> int:
        return self.start + (self.points - 1) * self.step


class PrometheusSource:
    """One Prometheus server over a time range (see ``protocol.Source``)."""

    def __init__(self, address: str, settings: PrometheusSettings) -> None:
        url, parameters = _split(address)
        if not settings.metrics:
            raise UsageError(f"{address}: no PromQL is configured under telemetry: prometheus: metrics")
        self._settings, self._api = settings, QueryApi(url, settings.timeout / SECOND)
        self.name = self._api.url
        with ExitStack() as unless_refused:
            unless_refused.callback(self._api.close)
            self._span = _span(parameters, settings, self._api, self.name)
            last = self._span.end / SECOND
            series = max(self._api.count(query, last) for query in settings.metrics.values())
            unless_refused.pop_all()
        self.ignored: dict[str, str] = {}
        self.size, self.done = self._span.points, 0
        self.memory = 8 * self._span.points * max(1, series) * len(settings.metrics)
        self._page = max(1, min(_POINTS_A_PAGE, _VALUES_A_PAGE // max(1, series)))

    def batches(self) -> Iterator[pa.Table]:
        """Read it in pages of time."""
        some = False
        with closing(self._api):
            for page in self._span.pages(self._page):
                for table in self._read(page):
                    some = True
                    yield table
                self.done += page.points
        if not some:
            first, last = (
                np.datetime64(t, "ns").astype("datetime64[s]") for t in (self._span.start, self._span.end)
            )
            raise NetopsError(f"{self.name}: no query has a value from {first} to {last} (UTC)")

    def _read(self, page: _Span) -> Iterator[pa.Table]:
        try:
            table = self._table(page)
        except TooMuchError:
            if page.points == 1:
                raise
            for half in page.pages(-(-page.points // 2)):
                yield from self._read(half)
        else:
            if table.num_rows:
                yield table

    def _table(self, page: _Span) -> pa.Table:
        metrics = {name: self._series(name, query, page) for name, query in self._settings.metrics.items()}
        label = self._series("label", self._settings.label, page) if self._settings.label else {}
        devices = sorted({device for series in (*metrics.values(), label) for device in series})
        nothing = np.full(page.points, np.nan)
        values = {name: _stack(series, devices, nothing) for name, series in metrics.items()}
        failing = _stack(label, devices, nothing) > 0
        # A device that is down has no metrics, but its incident is known.
        rows = np.flatnonzero(failing | np.any([~np.isnan(column) for column in values.values()], axis=0))
        columns = {
            TIMESTAMP: pa.array((page.start + np.arange(page.points) * page.step)[rows % page.points]).cast(
                TIME_TYPE
            ),
            DEVICE: pa.array(np.array(devices, object)[rows // page.points], pa.string()),
            **{name: pa.array(column[rows], from_pandas=True) for name, column in values.items()},
        }
        return pa.table(columns | ({IS_ERROR: failing[rows]} if self._settings.label else {}))

    def _series(self, name: str, query: str, page: _Span) -> dict[str, Float64]:
        values = self._evaluate(name, query, page)
        if self._settings.staleness is None:
            return values
        taken = self._evaluate(name, f"timestamp({query})", page)
        instants = (page.start + np.arange(page.points) * page.step) / SECOND
        for device, held in values.items():
            age = instants - taken.get(device, instants)
            held[age > self._settings.staleness / SECOND] = np.nan
        return values

    def _evaluate(self, name: str, query: str, page: _Span) -> dict[str, Float64]:
        start, step = page.start / SECOND, page.step / SECOND
        found: dict[str, Float64] = {}
        for series in self._api.range(query, start, page.end / SECOND, step):
            device = self._device(name, series["metric"], found)
            times, texts = zip(*series["values"], strict=True)
            indices = np.round((np.array(times, np.float64) - start) / step).astype(np.int64)
            found[device] = np.full(page.points, np.nan)
            found[device][indices] = np.array(texts, np.float64)
        return found

    def _device(self, name: str, labels: Mapping[str, str], found: Mapping[str, Float64]) -> str:
        wanted = self._settings.device
        if wanted not in labels:
            raise NetopsError(
                f"{self.name}: metric '{name}': a series has no label '{wanted}'"
                f"{closest(wanted, labels) if labels else ''}; keep it in the PromQL: by ({wanted})"
            )
        device = labels[wanted]
        if device in found:
            raise NetopsError(
                f"{self.name}: metric '{name}': several series of device '{device}' (labels {', '.join(labels)}); "
                f"make one of them in the PromQL: sum by ({wanted}) (…)"
            )
        return device


def _split(address: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(address)
    parameters = dict(parse_qsl(parts.query))
    for name in parameters:
        if name not in _PARAMETERS:
            raise UsageError(f"{address}: unknown parameter '{name}'{closest(name, _PARAMETERS)}")
    scheme = parts.scheme.removeprefix("prometheus+")
    return urlunsplit((scheme, parts.netloc, parts.path, "", "")), parameters


def _span(parameters: Mapping[str, str], settings: PrometheusSettings, api: QueryApi, where: str) -> _Span:
    """Align the timestamps to multiples of the step, so that every call uses the same ones."""
    step = parse_duration(parameters["step"]) if "step" in parameters else settings.step
    history = parse_duration(parameters["history"]) if "history" in parameters else settings.history
    end = _instant(parameters["end"], where) if "end" in parameters else round(api.now() * SECOND)
    start = _instant(parameters["start"], where) if "start" in parameters else end - history
    first, last = -(-start // step), end // step
    if first >= last:
        raise UsageError(f"{where}: the time range from start to end is shorter than one step")
    return _Span(first * step, step, last - first + 1)


def _instant(text: str, where: str) -> int:
    try:
        return int(parse_times(pa.array([text]))[0][0])
    except UnreadableValueError as error:
        raise UsageError(f"{where}: {text!r} is {error.problem}") from None


def _stack(series: Mapping[str, Float64], devices: Sequence[str], nothing: Float64) -> Float64:
    return np.concatenate([series.get(device, nothing) for device in devices] or [np.empty(0)])
