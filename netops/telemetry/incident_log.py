"""The log of incidents that comes beside telemetry: a CSV with a device, a start and an end."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pcsv

from netops.errors import NetopsError, closest
from netops.telemetry.columns import brief, first_of, refuse_twins
from netops.telemetry.incidents import merge
from netops.telemetry.schema import END, START
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.times import UnreadableValueError, parse_times

Int64 = npt.NDArray[np.int64]
#: The columns that may say what kind of incident it was.
KINDS = ("scenario", "event", "kind", "type")
#: The column that tells one incident from another when a log is read again.
ID = "id"
_OPEN = np.iinfo(np.int64).max


@dataclass(frozen=True)
class IncidentLog:
    """Incidents by device, in the order of the file.

    Attributes
    ----------
    where : str
        The file.
    devices, kinds : list of str
        Of each incident; the kind is empty where the file does not say.
    starts, ends : int64 arrays
        Nanoseconds; an incident without an end lasts for ever.
    ids : list of str or None
        What the column ``id`` names each, where there is one.
    """

    where: str
    devices: list[str]
    kinds: list[str]
    starts: Int64
    ends: Int64
    ids: list[str | None] = field(default_factory=list)

    def closed_ends(self) -> list[int | None]:
        """Give the ends; None for an incident that lasts."""
        return [None if end == _OPEN else int(end) for end in self.ends.tolist()]

    def refuse_unknown(self, known: set[str]) -> None:
        """Refuse incidents of devices that the telemetry does not know."""
        for row, device in enumerate(self.devices):
            if device not in known:
                few = known if len(known) <= 20 else sorted(known)[:20]
                raise NetopsError(
                    f"{self.where}: line {row + 2}: no telemetry of device '{device}'{closest(device, few)}"
                )

    def of(self, device: str) -> tuple[Int64, Int64]:
        """Give the incidents of one device, merged where they overlap."""
        rows = self._rows(device)
        return merge(self.starts[rows], self.ends[rows])

    def kind_at(self, device: str, start: int, end: int) -> str:
        """Name the kind of the first incident of a device that overlaps a span of time."""
        rows = [row for row in self._rows(device) if self.starts[row] < end and self.ends[row] > start]
        return self.kinds[min(rows, key=lambda row: self.starts[row])] if rows else ""

    def _rows(self, device: str) -> list[int]:
        return [row for row, name in enumerate(self.devices) if name == device]


def read_incidents(path: Path, settings: TelemetrySettings) -> IncidentLog:
    """Read a log of incidents.

    Raises
    ------
    NetopsError
        If it cannot be read, lacks a column, or holds a value that is no time; it names the column and the line.
    """
    table = _read(path)
    names = table.column_names
    device = _require(path, names, settings.device, "device")
    start, end = _require(path, names, (START,), START), _require(path, names, (END,), END)
    starts = _times(path, start, table.column(start).combine_chunks())
    ends = _ends(path, end, table.column(end).combine_chunks())
    for row in np.flatnonzero(ends <= starts)[:1]:
        raise NetopsError(f"{path}: line {row + 2}: the incident does not end after its start")
    kind = first_of(names, KINDS)
    kinds = [] if kind is None else [str(value or "") for value in table.column(kind).to_pylist()]
    devices = [str(value or "").strip() for value in table.column(device).to_pylist()]
    name = first_of(names, (ID,))
    ids = [] if name is None else [str(value) if value else None for value in table.column(name).to_pylist()]
    return IncidentLog(str(path), devices, kinds or [""] * len(devices), starts, ends, ids)


def _read(path: Path) -> pa.Table:
    if not path.is_file():
        raise NetopsError(f"{path}: no such file")
    try:
        names = pcsv.read_csv(path, parse_options=pcsv.ParseOptions(delimiter=_delimiter(path))).column_names
        refuse_twins(names, str(path))
        text: Any = dict.fromkeys(names, pa.string())
        options = pcsv.ConvertOptions(column_types=text, strings_can_be_null=True, null_values=[""])
        return pcsv.read_csv(
            path, parse_options=pcsv.ParseOptions(delimiter=_delimiter(path)), convert_options=options
        )
    except pa.ArrowInvalid as error:
        raise NetopsError(f"{path}: not a readable CSV file: {str(error).splitlines()[0]}") from None


def _delimiter(path: Path) -> str:
    with pa.input_stream(str(path), compression="detect") as stream:
        header = stream.read(1 << 16).split(b"\n", 1)[0]
    return max(",", ";", "\t", key=lambda mark: header.count(mark.encode()))


def _require(path: Path, names: list[str], wanted: tuple[str, ...], what: str) -> str:
    found = first_of(names, wanted)
    if found is None:
        raise NetopsError(
            f"{path}: no column of the {what} ({' or '.join(wanted)}); its columns are {brief(names)}"
        )
    return found


def _times(path: Path, name: str, column: pa.Array) -> Int64:
    try:
        return parse_times(_flat(column))[0]
    except UnreadableValueError as error:
        value = "an empty value" if error.value in (None, "") else repr(error.value)
        raise NetopsError(f"{path}: column '{name}', line {error.row + 2}: {value} is {error.problem}") from None


def _ends(path: Path, name: str, column: pa.Array) -> Int64:
    column = _flat(column)
    rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    ends = np.full(len(column), _OPEN)
    try:
        ends[rows] = parse_times(column.take(pa.array(rows)))[0]
    except UnreadableValueError as error:
        line = int(rows[error.row]) + 2
        raise NetopsError(f"{path}: column '{name}', line {line}: {error.value!r} is {error.problem}") from None
    return ends


def _flat(column: Any) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks else pa.array([], column.type)
    return column
