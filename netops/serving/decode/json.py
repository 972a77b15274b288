"""JSON and NDJSON: a typed decoder per metric schema, which validates while parsing.

Usually all samples are valid and decoded in one pass. If that fails, each sample is decoded separately, so that
only malformed ones are rejected.
"""

import contextlib
import json
import math
import re
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Annotated, Any, Protocol, TypeAlias, TypeVar, cast

import msgspec
import numpy as np
import numpy.typing as npt

from netops.json_types import Json
from netops.serving.decode.times import Stamp, all_nanoseconds, nanoseconds
from netops.serving.decode.usual_names import as_in_files
from netops.serving.engine.samples import BodyError, Samples, rejected
from netops.telemetry.schema import IS_ERROR

_KEYS = ("timestamp", "device", "company", "data_center")
_SPACES = b" \t\r\n"
_ODD = re.compile(r'["\\\x00-\x1f]')
#: Values of ``is_error`` that mean failed.
_FAILED = (True, "true", "True", "1")
T = TypeVar("T")
#: The metrics of a sample; a single one is not in a tuple.
_Values: TypeAlias = "float | tuple[float | None, ...] | None"
#: Errors of JSON parsing; deep nesting raises RecursionError.
_BROKEN = (msgspec.DecodeError, ValueError, RecursionError)


class _Sample(Protocol):
    """A decoded sample; its metrics are ``m0``, ``m1`` and so on. A rejected one may have no time and no device."""

    timestamp: Stamp
    device: str | None
    company: str | None
    data_center: str | None
    is_error: object


class JsonReader:
    """Reads samples with the metrics of one schema; other keys are ignored.

    Parameters
    ----------
    metrics : sequence of str
        The metrics, in the order of the columns.
    batch : int
        Maximum samples in a body.
    name_length : int
        Maximum length of a device, company or data center name.

    Attributes
    ----------
    truth : bool
        Whether to read ``is_error``.
    """

    def __init__(self, metrics: Sequence[str], batch: int, name_length: int) -> None:
        self.metrics, self.batch, self.truth = tuple(metrics), batch, False
        # The decoder does not support keys with quotes, backslashes or control characters: these are renamed first.
        self._renamed = {name: f"metric:{row}" for row, name in enumerate(self.metrics) if _ODD.search(name)}
        self._type = _sample_type([self._renamed.get(name, name) for name in self.metrics], name_length)
        self._make: Callable[..., _Sample] = self._type
        self._one = msgspec.json.Decoder(self._type)
        self._many = msgspec.json.Decoder(list[self._type])  # type: ignore[name-defined]
        self._raw = msgspec.json.Decoder(list[msgspec.Raw])
        fields = [f"m{index}" for index in range(len(self.metrics))]
        self._values: Callable[[_Sample], _Values] = attrgetter(*fields)

    def read(self, body: object) -> Samples:
        """Read a JSON body: one sample, or a list of samples.

        Parameters
        ----------
        body : bytes, str or plain values
            The raw body, or a parsed one (from MLRun).

        Raises
        ------
        BodyError
            If the list is too long.
        """
        if not (body is None or isinstance(body, (bytes, bytearray, memoryview, str))):
            return self._read_parsed(body)
        body = body.encode("utf-8", "replace") if isinstance(body, str) else bytes(body or b"")
        if body.lstrip(_SPACES)[:1] != b"[":
            return self._read_one(body)
        if self._renamed:
            return self._read_separately(body)
        try:
            return self._columns(self._bounded(self._many.decode(body)), single=False)
        except _BROKEN:
            return self._read_separately(body)

    def _read_one(self, body: bytes) -> Samples:
        if not self._renamed:
            with contextlib.suppress(*_BROKEN):
                found = self._columns([self._one.decode(body)], single=True)
                found.raw = dict.fromkeys(found.errors, body)
                return found
        return self._collect([body], self._decode, single=True)

    def read_lines(self, body: bytes) -> Samples:
        """Read an NDJSON body: one sample per line; empty lines are skipped."""
        if not self._renamed:
            with contextlib.suppress(*_BROKEN):
                return self._columns(self._bounded(self._one.decode_lines(body)), single=False)
        lines = [line for line in body.split(b"\n") if line.strip(_SPACES)]
        return self._collect(self._bounded(lines), self._decode, single=False)

    def read_objects(self, bodies: Sequence[bytes]) -> Samples:
        """Read bodies with one sample each; an invalid one affects no other."""
        if not self._renamed:
            with contextlib.suppress(*_BROKEN):
                return self._columns([self._one.decode(body) for body in bodies], single=False)
        return self._collect(bodies, self._decode, single=False)

    def _read_parsed(self, body: object) -> Samples:
        items = self._bounded(body) if isinstance(body, list) else [body]
        return self._collect(items, self._convert, single=not isinstance(body, list))

    def _read_separately(self, body: bytes) -> Samples:
        try:
            return self._collect(self._bounded(self._raw.decode(body)), self._decode, single=False)
        except _BROKEN as error:
            parsed = _lenient(body)
            if parsed is None:
                return rejected(f"not JSON: {error}", body, len(self.metrics))
            return self._read_parsed(parsed)

    def _bounded(self, items: Sequence[T]) -> Sequence[T]:
        if len(items) > self.batch:
            raise BodyError(f"{len(items)} samples in one request; the limit is {self.batch}", 413)
        return items

    def _decode(self, item: bytes) -> _Sample:
        try:
            return self._convert(msgspec.json.decode(item)) if self._renamed else self._one.decode(item)
        except _BROKEN:
            parsed = _lenient(bytes(item))
            return self._convert(msgspec.json.decode(item) if parsed is None else parsed)

    def _convert(self, item: object) -> _Sample:
        if self._renamed and isinstance(item, dict):
            item = {self._renamed.get(key, key): value for key, value in item.items()}
        try:
            return msgspec.convert(item, self._type)
        except msgspec.ValidationError:
            usual = as_in_files(item, self.metrics)
            if usual is None:
                raise
            return msgspec.convert(usual, self._type)

    def _collect(self, items: Sequence[T], read: Callable[[T], _Sample], single: bool) -> Samples:
        """Read each item separately, so that only invalid ones are rejected."""
        samples: list[_Sample] = []
        errors: dict[int, str] = {}
        for row, item in enumerate(items):
            try:
                sample = read(item)
                nanoseconds(sample.timestamp)
            except _BROKEN as error:
                errors[row], sample = _clip(error), self._blank(item)
            samples.append(sample)
        columns = self._columns(samples, single, skip=errors)
        columns.errors |= errors
        columns.raw |= {row: items[row] for row in columns.errors}
        return columns

    def _blank(self, item: object) -> _Sample:
        """Return an empty sample with device and time of a rejected one, if readable, for the answer."""
        found = _lenient_keys(item)
        return self._make(timestamp=found.get("timestamp"), device=found.get("device"))

    def _columns(self, samples: Sequence[_Sample], single: bool, skip: dict[int, str] | None = None) -> Samples:
        stamps: list[Stamp | None] = [sample.timestamp for sample in samples]
        columns = Samples(
            [sample.device for sample in samples],
            stamps,
            _times(stamps, skip or {}),
            self._matrix(samples),
            single=single,
        )
        if any(sample.company or sample.data_center for sample in samples):
            columns.companies = [sample.company for sample in samples]
            columns.data_centers = [sample.data_center for sample in samples]
        if self.truth and any(sample.is_error is not None for sample in samples):
            columns.is_error = np.array([sample.is_error in _FAILED for sample in samples])
        if not np.isfinite(columns.values).all():
            columns.values[np.isinf(columns.values)] = np.nan
            self._reject_empty(columns, samples, skip or {})
        return columns

    def _matrix(self, samples: Sequence[_Sample]) -> npt.NDArray[np.float64]:
        rows = [self._values(sample) for sample in samples]
        return np.array(rows, dtype=np.float64).reshape(len(samples), len(self.metrics))

    def _reject_empty(self, columns: Samples, samples: Sequence[_Sample], skip: dict[int, str]) -> None:
        """Reject samples without any of the metrics; null counts as present."""
        for row in np.flatnonzero(np.isnan(columns.values).all(axis=1)).tolist():
            values = self._values(samples[row])
            if row not in skip and all(value is _ABSENT for value in _tuple(values)):
                columns.errors[row] = f"none of the metrics {', '.join(self.metrics[:8])} is there"
                columns.raw[row] = {key: getattr(samples[row], key) for key in _KEYS}


#: The value of an absent metric: a unique NaN object, compared by identity.
_ABSENT = float("nan")


def _sample_type(metrics: Sequence[str], name_length: int) -> type[_Sample]:
    name = Annotated[str, msgspec.Meta(max_length=name_length)]
    fields: list[tuple[str, object] | tuple[str, object, object]] = [
        ("timestamp", Stamp),
        ("device", Annotated[str, msgspec.Meta(min_length=1, max_length=name_length)]),
        ("company", name | None, None),
        ("data_center", name | None, None),
        (IS_ERROR, Any, None),
    ]
    fields += [(f"m{index}", float | None, _ABSENT) for index in range(len(metrics))]
    names = {f"m{index}": metric for index, metric in enumerate(metrics)}
    return cast(type[_Sample], msgspec.defstruct("Sample", fields, rename=names, gc=False))


def _tuple(values: _Values) -> tuple[float | None, ...]:
    return values if isinstance(values, tuple) else (values,)


def _times(stamps: Sequence[Stamp | None], skip: dict[int, str]) -> npt.NDArray[np.int64]:
    found = None if skip else all_nanoseconds(stamps)
    if found is not None:
        return found
    return np.array(
        [0 if row in skip or s is None else nanoseconds(s) for row, s in enumerate(stamps)], dtype=np.int64
    )


def _lenient(body: bytes) -> Json:
    """Parse JSON with NaN or Infinity, which many senders use; None if it has neither or is invalid."""
    if b"NaN" not in body and b"Infinity" not in body:
        return None
    try:
        return cast(Json, json.loads(body))
    except (ValueError, RecursionError):
        return None


def _lenient_keys(item: object) -> dict[str, object]:
    if not isinstance(item, dict):
        try:
            item = msgspec.json.decode(cast(bytes, item))
        except (*_BROKEN, TypeError):
            item = None
    item = item if isinstance(item, dict) else {}
    device, stamp = item.get("device"), item.get("timestamp")
    known: dict[str, object] = {}
    if isinstance(device, str):
        known["device"] = device[:128]
    if isinstance(stamp, (int, float, str)) and not isinstance(stamp, bool):
        sane = isinstance(stamp, str) or (math.isfinite(stamp) and abs(stamp) < 1 << 63)
        known["timestamp"] = stamp[:40] if isinstance(stamp, str) else stamp if sane else None
    return known


def _clip(error: Exception) -> str:
    return str(error)[:200]
