"""First pass over the telemetry: sort and count rows, describe each column."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from netops.errors import NetopsError
from netops.telemetry.buckets import Sorted
from netops.telemetry.columns.profile import Profile, profile
from netops.telemetry.dataset import Rows
from netops.telemetry.repeats import Repeats
from netops.telemetry.schema import DEVICE

Float64 = npt.NDArray[np.float64]


@dataclass
class Columns:
    """The columns of some sources.

    Attributes
    ----------
    kinds : dict
        Name → type, in the order of appearance; None while a column is always empty.
    ignored : dict
        Column → reason why it is not a metric.
    """

    kinds: dict[str, pa.DataType | None] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    _known: list[str] = field(default_factory=list)

    def admit(self, batch: pa.Table, where: str) -> pa.Table:
        """Register the columns of a batch and remove those without a value.

        Raises
        ------
        NetopsError
            If a column contains numbers in one batch and text in another.
        """
        empty = []
        for name, column in zip(batch.column_names, batch.columns, strict=True):
            self.kinds.setdefault(name, None)
            if column.null_count == len(column):
                empty.append(name)
            else:
                self._admit(name, column.type, where)
        return batch.drop_columns(empty)

    def add(self, later: "Columns", where: str) -> None:
        """Register the columns of a later source, as :meth:`admit` would have done batch by batch.

        Raises
        ------
        NetopsError
            As :meth:`admit`.
        """
        for name in later.kinds:
            self.kinds.setdefault(name, None)
        for name in later._known:
            self._admit(name, later.kinds[name], where)
        self.ignored |= later.ignored

    def _admit(self, name: str, kind: pa.DataType, where: str) -> None:
        known = self.kinds[name]
        if known is None:
            self.kinds[name] = kind
            self._known.append(name)
        elif known != kind:
            now, before = (("text", "numbers"), ("numbers", "text"))[pa.types.is_floating(kind)]
            raise NetopsError(
                f"{where}: column '{name}' contains {now} here, but {before} elsewhere in the telemetry"
            )

    def of_kind(self, test: Callable[[pa.DataType], bool]) -> list[str]:
        """Return the columns of a type."""
        return [name for name, kind in self.kinds.items() if kind is not None and name != DEVICE and test(kind)]

    def in_order(self, table: pa.Table) -> pa.Table:
        """Return the columns of a table in the order of appearance, whatever its batches were."""
        return table.select([name for name in self.kinds if name in table.column_names])


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

    @classmethod
    def of(cls, columns: Columns) -> "Survey":
        """Begin without a row."""
        texts = dict.fromkeys(columns.of_kind(pa.types.is_string), True)
        numeric = [name for name, kind in columns.kinds.items() if kind is None or pa.types.is_floating(kind)]
        return cls(profiles={name: Profile() for name in numeric}, texts=texts)

    def __iadd__(self, other: "Survey") -> "Survey":
        self.spans |= other.spans
        self.lengths |= other.lengths
        for name, seen in other.profiles.items():
            self.profiles[name] += seen
        self.texts = {name: static and other.texts[name] for name, static in self.texts.items()}
        self.repeats += other.repeats
        self.displaced, self.samples = self.displaced + other.displaced, self.samples + other.samples
        self.steps += other.steps
        return self

    @property
    def interval(self) -> int:
        """Median time between two samples of a device, in nanoseconds (0 where there is one sample each)."""
        if not self.steps:
            return 0
        medians, weights = (np.array(column) for column in zip(*sorted(self.steps), strict=True))
        return int(medians[np.searchsorted(np.cumsum(weights), weights.sum() / 2)])


def survey(part: Sorted, columns: Columns) -> Survey:
    """Describe the rows of a bucket; the sum of all buckets describes the telemetry."""
    found = Survey.of(columns)
    rows = part.rows
    found.repeats, found.displaced, found.samples = part.repeats, part.displaced, len(rows.timestamps)
    for index, device in enumerate(rows.devices):
        times = rows.timestamps[rows.offsets[index] : rows.offsets[index + 1]]
        found.spans[device], found.lengths[device] = (int(times[0]), int(times[-1])), len(times)
        if len(times) > 1:
            found.steps.append((int(np.median(np.diff(times))), len(times)))
    for name in part.table.column_names:
        if name in found.profiles:
            found.profiles[name] = profile(rows.offsets, rows.timestamps, numbers(part.table, name))
        elif name in found.texts:
            found.texts[name] = _is_static(part.table.column(name), rows)
    return found


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
