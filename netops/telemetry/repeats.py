"""Rows with equal device and time: duplicates, parts of one row, or rows of different entities."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from netops.errors import NetopsError
from netops.telemetry.columns.known_names import METRIC_NAMES, WEAK_METRIC_NAMES, key_of
from netops.telemetry.columns.roles import quoted
from netops.telemetry.schema import DEVICE, TIMESTAMP, is_error_column

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

#: Above this fraction of conflicting rows, a device is several entities, whatever its number of rows.
_OF_A_DEVICE = 0.1
_DISTINGUISHING = 0.95
_LOOKED_AT = 200_000
_HOUR = 3_600_000_000_000


@dataclass
class Repeats:
    """Counts of rows with equal device and time; two counts can be added.

    Attributes
    ----------
    same : int
        Rows without new values: dropped.
    merged : int
        Rows with values that the others lack: combined with them.
    conflicting : int
        Rows with other values: dropped, the first of each device and time is used.
    worst : tuple of float and str
        The largest fraction of the rows of one device that conflict, and its name.
    hours : set of int
        Hours of the day of the first conflicts.
    example : str
    groups, distinguishing, values : int, dict and dict
        Number of conflicting rows; column → number of rows that it distinguishes; column → number of values.
    """

    same: int = 0
    merged: int = 0
    conflicting: int = 0
    worst: tuple[float, str] = (0.0, "")
    hours: set[int] = field(default_factory=set)
    example: str = ""
    rows: int = 0
    distinguishing: dict[str, int] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)

    def __iadd__(self, other: "Repeats") -> "Repeats":
        self.same, self.merged = self.same + other.same, self.merged + other.merged
        self.conflicting, self.rows = self.conflicting + other.conflicting, self.rows + other.rows
        self.worst, self.example = max(self.worst, other.worst), self.example or other.example
        self.hours |= other.hours
        for name, count in other.distinguishing.items():
            self.distinguishing[name] = self.distinguishing.get(name, 0) + count
            self.values[name] = max(self.values.get(name, 0), other.values[name])
        return self

    def refuse_conflicts(
        self, samples: int, limit: float, device: str | None, where: str, metric_name: str = ""
    ) -> None:
        """Raise if too many rows conflict.

        Parameters
        ----------
        samples : int
            Rows that were not dropped.
        limit : float
            Maximum fraction of conflicting rows.
        device : str or None
            The columns that identify the device, joined by ``+``; None if a file is one device.
        where : str
            Name of the telemetry, for errors.
        metric_name : str
            The columns that name the metric, joined by ``+``, where there is one row per metric.

        Raises
        ------
        NetopsError
            Names the columns that distinguish the rows, and the setting.
        """
        total = samples + self.same + self.merged + self.conflicting
        many = self.conflicting > limit * total or (
            self.worst[0] > max(limit, _OF_A_DEVICE) and self.conflicting > 1
        )
        if not many or limit >= 1:
            return
        what = f"{self.conflicting:,} of {total:,} rows have the device and time of another row but other values"
        what += f" (first: {self.example})" if self.example else ""
        if device is None:
            what = "no device column was found, yet " + what
        candidates = sorted(
            (name for name, count in self.distinguishing.items() if count >= _DISTINGUISHING * self.rows),
            key=self._rank,
        )
        if not candidates:
            zone = (
                "; if their clock has daylight saving time, name its zone: --set telemetry.timezone=Europe/Berlin"
            )
            hint = zone if len(self.hours) == 1 and self.conflicting < total // 5 else ""
            raise NetopsError(
                f"{where}: {what}; no column distinguishes them{hint}; "
                "--set telemetry.max_conflicts=1 keeps the first of each"
            )
        first, others = candidates[0], ", ".join(f"'{name}' ({self.values[name]:,})" for name in candidates[1:4])
        more = f"; so do {others}" if others else ""
        setting = quoted("telemetry.device", f"{device}+{first}" if device else first)
        if metric_name or (device and _names_metrics(first)):
            setting = quoted("telemetry.metric_name", f"{metric_name}+{first}" if metric_name else first)
        raise NetopsError(
            f"{where}: {what}; '{first}' ({self.values[first]:,} values) distinguishes them: --set {setting}{more}"
        )

    def _rank(self, name: str) -> tuple[int, int]:
        return (0 if _names_metrics(name) else 1), self.values[name]


def _names_metrics(name: str) -> bool:
    return key_of(name) in {key_of(known) for known in (*METRIC_NAMES, *WEAK_METRIC_NAMES)}


def combine(
    table: pa.Table, order: Int64, codes: Int64, first: Bool, names: Sequence[str]
) -> tuple[pa.Table, Repeats]:
    """Combine rows with equal device and time.

    Parameters
    ----------
    table : pyarrow.Table
        Rows in the order of arrival.
    order : int64 array, n
        Sorts them by device and time (stable).
    codes : int64 array, n
        The device of each row, in that order.
    first : bool array, n
        Whether a row, in that order, is the first of its device and time.
    names : sequence of str
        The devices by code.

    Returns
    -------
    table, repeats
        The first row of each device and time, completed with values of the others.
    """
    group = np.cumsum(first) - 1
    starts = np.flatnonzero(first)
    shared = np.flatnonzero(np.bincount(group)[group] > 1)
    owner = group[shared]
    conflict, adds = np.zeros(len(shared), bool), np.zeros(len(shared), bool)
    columns, rows = {}, order[starts]
    for name in table.column_names:
        column = table.column(name)
        take = rows
        if name not in (DEVICE, TIMESTAMP):
            codes_of, known = _comparable(column, order[shared])
            leader = _first_known(owner, known)
            is_text = pa.types.is_string(column.type)
            if not is_text:
                # Texts may differ if each row has its own metrics, such as the component that it describes.
                conflict |= known & (codes_of != codes_of[leader])
            late = known & (leader == np.arange(len(shared))) & ~first[shared]
            adds |= late & (not is_text)
            if late.any():
                take = rows.copy()
                take[owner[late]] = order[shared[late]]
        columns[name] = column.take(pa.array(take))
    later = ~first[shared]
    conflict &= later
    adds &= later & ~conflict
    found = Repeats(int((later & ~conflict & ~adds).sum()), int(adds.sum()), int(conflict.sum()))
    if found.conflicting:
        _describe(found, table, order, codes, shared, owner, conflict, names)
    return pa.table(columns), found


def _comparable(column: pa.ChunkedArray, rows: Int64) -> tuple[npt.NDArray[np.float64], Bool]:
    """Return codes of the values of some rows (equal values have equal codes), and which are known."""
    some = column.take(pa.array(rows))
    if pa.types.is_floating(some.type):
        values = some.to_numpy()
        return values, ~np.isnan(values)
    if pa.types.is_boolean(some.type):
        known = some.is_valid().to_numpy()
        return some.fill_null(False).to_numpy().astype(np.float64), known
    encoded = some.combine_chunks()
    encoded = encoded if pa.types.is_dictionary(encoded.type) else encoded.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes.astype(np.float64), codes >= 0


def _first_known(owner: Int64, known: Bool) -> Int64:
    """Return for each row the first row of its group with a known value (the row itself if there is none)."""
    indices = np.arange(len(owner))
    begins = np.flatnonzero(np.diff(owner, prepend=-1))
    best = np.minimum.reduceat(np.where(known, indices, len(owner)), begins) if len(owner) else indices
    spread = np.repeat(best, np.diff(np.append(begins, len(owner))))
    return np.where(spread < len(owner), spread, indices)


def _describe(
    found: Repeats,
    table: pa.Table,
    order: Int64,
    codes: Int64,
    shared: Int64,
    owner: Int64,
    conflict: Bool,
    names: Sequence[str],
) -> None:
    """Find the device with most conflicts, an example, and the columns that distinguish the rows."""
    of_device = np.bincount(codes[shared[conflict]], minlength=len(names))
    part = of_device / np.maximum(1, np.bincount(codes, minlength=len(names)))
    worst = int(np.argmax(part))
    found.worst = float(part[worst]), names[worst]
    index = int(np.flatnonzero(conflict)[0])
    time = table.column(TIMESTAMP)[int(order[shared[index]])].value
    when = np.datetime_as_string(np.datetime64(time, "ns"), unit="s")
    found.example = f"{names[codes[shared[index]]]} at {when}Z"
    some = order[shared[np.flatnonzero(conflict)[:10_000]]]
    times = table.column(TIMESTAMP).take(pa.array(some)).cast(pa.int64()).to_numpy()
    found.hours = set((times // _HOUR % 24).tolist())
    chosen = np.flatnonzero(np.isin(owner, np.unique(owner[conflict])))[:_LOOKED_AT]
    groups, rows = owner[chosen], order[shared[chosen]]
    found.rows = len(rows)
    for name in table.column_names:
        kind = table.schema.field(name).type
        if name in (DEVICE, TIMESTAMP) or is_error_column(name) or pa.types.is_boolean(kind):
            continue
        values, known = _comparable(table.column(name), rows)
        if pa.types.is_floating(kind) and not (values[known] == np.floor(values[known])).all():
            continue
        distinct, value = np.unique(values[known], return_inverse=True)
        found.distinguishing[name] = len(np.unique(groups[known] * (len(distinct) + 1) + value))
        found.values[name] = len(distinct)
