"""Datasets on disk: a folder of Parquet files, sharded by device, with a description.

``part-*.parquet`` hold the samples, sorted by device and time, each device in one file only; ``_incidents.parquet``
the incidents; ``_verdicts.parquet``, if any, the operators' feedback on alerts; ``_meta.json``, written
last, the description. A folder without it is incomplete. Telemetry reserved for testing is in a
subfolder ``_test``, which is a dataset itself.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from netops.errors import NetopsError
from netops.files import atomic_path, read_json, write_json
from netops.telemetry.schema import DEVICE, END, SOURCE, START, TIMESTAMP

if TYPE_CHECKING:
    from netops.features.spec import SpecValues

TIME_TYPE = pa.timestamp("ns", tz="UTC")
DEVICE_TYPE = pa.dictionary(pa.int32(), pa.string())
INCIDENTS_SCHEMA = pa.schema([(DEVICE, pa.string()), (START, TIME_TYPE), (END, TIME_TYPE)])
#: A verdict on an alert of a device: when the alert opened, when the risk had come down, when the alert ended, and
#: when the device was repaired (null if unknown).
VERDICTS_SCHEMA = pa.schema(
    [
        (DEVICE, pa.string()),
        ("opened", TIME_TYPE),
        ("calm_since", TIME_TYPE),
        ("ended", TIME_TYPE),
        ("repaired_at", TIME_TYPE),
        ("verdict", pa.string()),
        (SOURCE, pa.string()),
        ("by", pa.string()),
        ("alert", pa.string()),
    ]
)

_META, _INCIDENTS, _VERDICTS = "_meta.json", "_incidents.parquet", "_verdicts.parquet"
TEST = "_test"
#: The source of telemetry that was generated.
GENERATED = "generated"


@dataclass(frozen=True)
class Meta:
    """What a dataset holds.

    Attributes
    ----------
    metrics, attributes : tuple of str
        The metric columns and the static attribute columns.
    samples, devices, incidents : int
        Counts.
    interval_seconds : float
        Median time between two samples of a device.
    source : str
        Description of where the telemetry comes from.
    left_out : dict
        Column → reason why it is not a metric.
    features : dict or None
        The declaration of the features (``FeatureSpec.to_dict()``), for a dataset of feature vectors.
    details : dict
        Other information: the generator's configuration, the seed, counts of excluded rows.
    """

    metrics: tuple[str, ...]
    attributes: tuple[str, ...]
    samples: int
    devices: int
    incidents: int
    interval_seconds: float
    source: str
    left_out: dict[str, str] = field(default_factory=dict)
    features: "SpecValues | None" = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """A finished dataset on disk."""

    path: Path
    meta: Meta

    @classmethod
    def open(cls, path: Path) -> "Dataset":
        """Open a dataset.

        Raises
        ------
        NetopsError
            If the folder is missing or was not finished.
        """
        if not path.is_dir():
            raise NetopsError(f"{path}: no such folder")
        if not (path / _META).is_file():
            raise NetopsError(f"{path}: not a finished dataset ({_META} is missing); create it again")
        raw = read_json(path / _META)
        known = {f.name for f in dataclasses.fields(Meta)}
        lists = {key: tuple(raw[key]) for key in ("metrics", "attributes")}
        return cls(path, Meta(**{k: v for k, v in raw.items() if k in known} | lists))

    @property
    def test(self) -> "Dataset | None":
        """The telemetry reserved for testing, if any."""
        return Dataset.open(self.path / TEST) if (self.path / TEST).is_dir() else None

    @property
    def parts(self) -> list[Path]:
        """The Parquet files, in order."""
        return sorted(self.path.glob("part-*.parquet"))

    def tables(self, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """Read file by file."""
        for part in self.parts:
            yield pq.read_table(part, columns=columns)

    def incidents(self) -> pa.Table:
        """Read the incidents: device, start, end and further columns."""
        path = self.path / _INCIDENTS
        return pq.read_table(path) if path.is_file() else INCIDENTS_SCHEMA.empty_table()

    def verdicts(self) -> pa.Table:
        """Read the operators' feedback on alerts (``VERDICTS_SCHEMA``)."""
        path = self.path / _VERDICTS
        return pq.read_table(path) if path.is_file() else VERDICTS_SCHEMA.empty_table()


def part_path(folder: Path, number: int) -> Path:
    """Return the name of a file: ``part-00007.parquet``."""
    return folder / f"part-{number:05d}.parquet"


def write_part(folder: Path, number: int, table: pa.Table) -> None:
    """Write one file atomically; its rows must be sorted by device and time."""
    write_samples(part_path(folder, number), table)


def write_samples(path: Path, table: pa.Table) -> None:
    """Write what becomes a file of a dataset, atomically, in a folder that exists."""
    with atomic_path(path, parents=False) as draft:
        # Telemetry hardly compresses: plain columns are written and read fastest.
        plain = [name for name in table.column_names if pa.types.is_dictionary(table.schema.field(name).type)]
        pq.write_table(table, draft, compression="lz4", use_dictionary=plain, write_statistics=plain)


def finish(folder: Path, meta: Meta, incidents: pa.Table, verdicts: pa.Table | None = None) -> Dataset:
    """Write incidents, verdicts and description: the dataset is finished afterwards."""
    with atomic_path(folder / _INCIDENTS) as draft:
        pq.write_table(incidents, draft)
    if verdicts is None or not verdicts.num_rows:
        (folder / _VERDICTS).unlink(missing_ok=True)
    else:
        with atomic_path(folder / _VERDICTS) as draft:
            pq.write_table(verdicts, draft)
    write_json(folder / _META, dataclasses.asdict(meta))
    return Dataset(folder, meta)


def reopen(dataset: Dataset) -> None:
    """Mark a dataset as unfinished until :func:`finish` is called again."""
    (dataset.path / _META).unlink()


@dataclass(frozen=True)
class Rows:
    """The keys of a sorted table as arrays.

    Attributes
    ----------
    devices : list of str
        The devices in the order of their rows.
    offsets : int64 array, len(devices) + 1
        Device i owns the rows offsets[i]:offsets[i + 1].
    timestamps : int64 array
        Nanoseconds since the epoch, UTC.
    """

    devices: list[str]
    offsets: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]


def rows_of(table: pa.Table) -> Rows:
    """Return the keys of a table."""
    column = table.column(DEVICE).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], DEVICE_TYPE)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    codes = column.indices.to_numpy(zero_copy_only=False)
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    names = column.dictionary.to_pylist()
    offsets = np.append(starts, len(codes)).astype(np.int64)
    return Rows([names[codes[s]] for s in starts], offsets, timestamps_of(table))


def timestamps_of(table: pa.Table) -> npt.NDArray[np.int64]:
    """Return the times of a table, in nanoseconds since the epoch."""
    return table.column(TIMESTAMP).cast(TIME_TYPE).cast(pa.int64()).to_numpy()


def matrix_of(table: pa.Table, columns: list[str]) -> npt.NDArray[np.float64]:
    """Return numeric columns of a table: rows × columns, C order, NaN for null."""
    matrix = np.empty((table.num_rows, len(columns)))
    for index, name in enumerate(columns):
        matrix[:, index] = table.column(name).to_numpy()
    return matrix
