"""First pass over the telemetry: sort and count rows, describe each column."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from netops.errors import NetopsError
from netops.telemetry.buckets import Buckets, Sorted, sort_rows
from netops.telemetry.columns.profile import Profile, profile
from netops.telemetry.dataset import Rows
from netops.telemetry.repeats import Repeats
from netops.telemetry.schema import DEVICE

Float64 = npt.NDArray[np.float64]


@dataclass
class Columns:
    """The columns of all sources: name → type, in the order of appearance; None while a column is always empty."""

    kinds: dict[str, pa.DataType | None] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)

    def admit(self, batch: pa.Table, where: str) -> pa.Table:
        """Register the columns of a batch and remove those without a value.

        Raises
        ------
        NetopsError
            If a column contains numbers in one batch and text in another.
        """
        empty = []
        for name, column in zip(batch.column_names, batch.columns, strict=True):
            known = self.kinds.setdefault(name, None)
            if column.null_count == len(column):
                empty.append(name)
            elif known is None:
                self.kinds[name] = column.type
            elif known != column.type:
                now, before = (("text", "numbers"), ("numbers", "text"))[pa.types.is_floating(column.type)]
                raise NetopsError(
                    f"{where}: column '{name}' contains {now} here, but {before} elsewhere in the telemetry"
                )
        return batch.drop_columns(empty)

    def of_kind(self, test: Callable[[pa.DataType], bool]) -> list[str]:
        """Return the columns of a type."""
        return [name for name, kind in self.kinds.items() if kind is not None and name != DEVICE and test(kind)]


@dataclass
class Survey:
    """Contents of the telemetry.

    Attributes
    ----------
    spans, lengths : dict
        Device → its first and last time, and its number of samples.
    profiles : dict
        Numeric column → statistics of its changes.
    texts : dict
        Text column → whether it stays the same on every device.
    repeats : Repeats
        Rows with the device and timestamp of another row, and how they were resolved.
    displaced, samples : int
        Rows that were out of order, and rows that remain.
    steps : list of pairs
        Median time between samples of a device, and its number of samples.
    """

    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)
    texts: dict[str, bool] = field(default_factory=dict)
    repeats: Repeats = field(default_factory=Repeats)
    displaced: int = 0
    samples: int = 0
    steps: list[tuple[int, int]] = field(default_factory=list)

    @property
    def interval(self) -> int:
        """Median time between two samples of a device, in nanoseconds (0 where there is one sample each)."""
        if not self.steps:
            return 0
        medians, weights = (np.array(column) for column in zip(*sorted(self.steps), strict=True))
        return int(medians[np.searchsorted(np.cumsum(weights), weights.sum() / 2)])


def survey(buckets: Buckets, columns: Columns) -> Survey:
    """Sort every bucket and describe all of them together."""
    texts = dict.fromkeys(columns.of_kind(pa.types.is_string), True)
    numeric = [name for name, kind in columns.kinds.items() if kind is None or pa.types.is_floating(kind)]
    found = Survey(profiles={name: Profile() for name in numeric}, texts=texts)
    for bucket in range(buckets.count):
        table = buckets.take(bucket)
        if table is not None:
            part = sort_rows(table)
            del table
            _add(found, part)
            buckets.keep(bucket, part.table)
    return found


def _add(found: Survey, part: Sorted) -> None:
    rows = part.rows
    found.repeats += part.repeats
    found.displaced += part.displaced
    found.samples += len(rows.timestamps)
    for index, device in enumerate(rows.devices):
        times = rows.timestamps[rows.offsets[index] : rows.offsets[index + 1]]
        found.spans[device], found.lengths[device] = (int(times[0]), int(times[-1])), len(times)
        if len(times) > 1:
            found.steps.append((int(np.median(np.diff(times))), len(times)))
    for name in part.table.column_names:
        if name in found.profiles:
            found.profiles[name] += profile(rows.offsets, rows.timestamps, numbers(part.table, name))
        elif found.texts.get(name):
            found.texts[name] = _is_static(part.table.column(name), rows)


def _is_static(column: pa.ChunkedArray, rows: Rows) -> bool:
    encoded = column.combine_chunks().dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy()
    return all(
        len(np.unique(codes[start:end][codes[start:end] >= 0])) <= 1
        for start, end in zip(rows.offsets[:-1], rows.offsets[1:], strict=True)
    )


def numbers(table: pa.Table, name: str) -> Float64:
    """Return a numeric column of a table, NaN where unknown; infinite values are unchanged."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    values: Float64 = table.column(name).to_numpy()
    return values
