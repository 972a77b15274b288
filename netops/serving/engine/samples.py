"""The samples of a request as columns, and the answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from netops.serving.decode.times import Stamp

SCORED, DUPLICATE, LATE, REJECTED = 0, 1, 2, 3
#: Names of the status codes, as in answers.
STATUSES = ("scored", "duplicate", "late", "rejected")
_CALIBRATED = "the calibrated risk; null from a model without calibration"
Fraction: TypeAlias = Annotated[float, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": 1})]


class Reason(msgspec.Struct, omit_defaults=True, gc=False):
    """A feature that raised the risk, its contribution in log-odds, and, if exact, its value in words."""

    feature: str
    contribution: float
    text: str = ""


class Answer(msgspec.Struct, omit_defaults=True, gc=False):
    """The answer to a sample; the first eight fields are always present."""

    device: str | None
    timestamp: Stamp | None
    status: Annotated[str, msgspec.Meta(extra_json_schema={"enum": STATUSES})]
    risk: Fraction | None
    alert: bool
    reasons: list[Reason]
    model: str | None
    probability: Annotated[Fraction | None, msgspec.Meta(description=_CALIBRATED)]
    error: str | None = None


@dataclass(slots=True)
class Samples:
    """The samples of a request in order, as columns of n rows.

    Attributes
    ----------
    devices : list of str or None
        None if the device of a sample could not be read.
    stamps : list
        The times as sent, returned in the answers.
    timestamps : int64 array
        Nanoseconds since the epoch; 0 in rejected rows.
    values : float64 array, n × metrics
        NaN if a metric is missing.
    companies, data_centers : list of str or None
        The location of the device; an empty list if no sample has one.
    errors : dict
        Row → reason of the rejection.
    raw : dict
        Rejected row → the raw input, for the dead-letter file.
    single : bool
        Whether one sample was sent as an object, not as a list.
    is_error : bool array or None
        Whether the device has failed, if that is sent and needed.
    share : float
        Fraction of the request: 1 unless it was split; the number of requests if they are processed together.
    offsets : list of int
        The message of each sample, in a partition of a stream; otherwise empty.
    metrics : tuple of str
        Names of the columns of ``values``; empty: those of the champion.
    is_made : bool
        Whether they were made for devices without metrics, not sent.
    """

    devices: list[str | None]
    stamps: list[Stamp | None]
    timestamps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    companies: list[str | None] = field(default_factory=list)
    data_centers: list[str | None] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)
    raw: dict[int, object] = field(default_factory=dict)
    single: bool = False
    is_error: npt.NDArray[np.bool_] | None = None
    share: float = 1.0
    offsets: list[int] = field(default_factory=list)
    metrics: tuple[str, ...] = ()
    is_made: bool = False

    def __len__(self) -> int:
        return len(self.devices)

    def set_values(self, rows: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> None:
        """Replace the values of some rows, of which there may be a read-only view of what was sent."""
        if not self.values.flags.writeable:
            self.values = self.values.copy()
        self.values[rows] = values

    def slices(self, size: int) -> Iterator["Samples"]:
        """Split into slices of ``size`` rows."""
        return self.cut([*range(0, len(self), size), len(self)])

    def cut(self, bounds: Sequence[int]) -> Iterator["Samples"]:
        """Split at these rows, which include the first and the end."""
        for start, stop in pairwise(bounds):
            rows = slice(start, stop)
            yield Samples(
                self.devices[rows],
                self.stamps[rows],
                self.timestamps[rows],
                self.values[rows],
                self.companies[rows],
                self.data_centers[rows],
                {row - start: error for row, error in self.errors.items() if start <= row < stop},
                {row - start: raw for row, raw in self.raw.items() if start <= row < stop},
                is_error=None if self.is_error is None else self.is_error[rows],
                share=(stop - start) / len(self),
                metrics=self.metrics,
                is_made=self.is_made,
                offsets=self.offsets[rows],
            )


def join(parts: Sequence[Samples]) -> Samples:
    """Join the samples of requests with the same metrics, which are processed together."""
    if len(parts) == 1:
        return parts[0]
    starts = [0, *accumulate(len(part) for part in parts)]
    numbered = list(zip(starts, parts, strict=False))

    def column(name: str, empty: object) -> list[Any]:
        """Return the column that some of the parts have."""
        if not any(len(getattr(part, name)) for part in parts):
            return []
        return [value for part in parts for value in getattr(part, name) or [empty] * len(part)]

    return Samples(
        [device for part in parts for device in part.devices],
        [stamp for part in parts for stamp in part.stamps],
        np.concatenate([part.timestamps for part in parts]),
        np.concatenate([part.values for part in parts]),
        column("companies", None),
        column("data_centers", None),
        {start + row: error for start, part in numbered for row, error in part.errors.items()},
        {start + row: raw for start, part in numbered for row, raw in part.raw.items()},
        is_error=joined_failures([(len(part), part.is_error) for part in parts]),
        share=sum(part.share for part in parts),
        metrics=parts[0].metrics,
    )


def joined_failures(
    parts: Sequence[tuple[int, npt.NDArray[np.bool_] | None]],
) -> npt.NDArray[np.bool_] | None:
    """Join lengths and ``is_error`` of several requests; if only some have it, the others count as healthy."""
    if all(is_error is None for _, is_error in parts):
        return None
    known = [np.zeros(length, dtype=np.bool_) if is_error is None else is_error for length, is_error in parts]
    return np.concatenate(known)


def reject_invalid_text(samples: Samples) -> None:
    """Reject samples with invalid names: a lone surrogate cannot be encoded in files and answers."""
    columns = [samples.devices, samples.companies, samples.data_centers]
    if all("".join(filter(None, column)).isascii() for column in columns if column):
        return
    for column in columns:
        for row, name in enumerate(column):
            if name is not None and not _is_text(name):
                samples.errors[row] = "device, company, data center: not valid text (a lone surrogate)"
                samples.raw.setdefault(row, {"device": name, "timestamp": samples.stamps[row]})
                column[row] = _readable(name)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _readable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


class BodyError(Exception):
    """A body that cannot be parsed; ``status`` is the HTTP status of the answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def rejected(message: str, raw: object, metrics: int) -> Samples:
    """Return one rejected row, for a body that cannot be split into samples."""
    return Samples(
        [None],
        [None],
        np.zeros(1, dtype=np.int64),
        np.full((1, metrics), np.nan),
        errors={0: message},
        raw={0: raw},
        single=True,
    )
