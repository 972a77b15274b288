"""Convert long form (one row per metric) into one row per device and time."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from netops.errors import NetopsError, brief
from netops.telemetry.columns.roles import quoted
from netops.telemetry.dataset import TIME_TYPE
from netops.telemetry.reading import SourceReport
from netops.telemetry.schema import DEVICE, TIMESTAMP
from netops.telemetry.sources.legends import split_legends

Int64 = npt.NDArray[np.int64]
_ROWS_A_BATCH = 4_000_000
_SAME = "rows set aside, of a metric, device and time that had one already"
_EMPTY = "rows set aside, without the name of a metric"


class Names:
    """Number texts in the order of appearance."""

    def __init__(self) -> None:
        self.numbers: dict[str | None, int] = {}

    def of(self, column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.int32]:
        """Return the number of each row's text; -1 if there is none."""
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if isinstance(array, pa.ChunkedArray):
            array = array.chunk(0) if array.num_chunks else pa.array([], pa.string())
        encoded = array.dictionary_encode()
        known = [self.numbers.setdefault(text, len(self.numbers)) for text in encoded.dictionary.to_pylist()]
        codes = encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
        return np.array([*known, -1], np.int32)[codes]

    @property
    def texts(self) -> list[str]:
        """The texts by number."""
        return [text or "" for text in self.numbers]


class Pivot:
    """Collect the rows of one file in long form.

    Parameters
    ----------
    where : str
        The file, for errors.
    metric_names : sequence of str
        The columns whose combination is the name of the metric.
    value : str
    wanted : sequence of str
        Names of the device label, in metrics named like ``cpu{instance="r1"}``.
    has_device : bool
        Whether there is a device column.
    labels : mapping
        Replacement names of metrics, such as those of Zabbix items → device (or None) and metric.
    report : SourceReport
    """

    def __init__(
        self,
        where: str,
        metric_names: Sequence[str],
        value: str,
        wanted: Sequence[str],
        has_device: bool,
        labels: Mapping[str, tuple[str | None, str]],
        report: SourceReport,
    ) -> None:
        self._where, self._metric_names, self._value = where, metric_names, value
        self._wanted, self._has_device, self._labels, self._report = wanted, has_device, labels, report
        self._devices, self._metrics = Names(), Names()
        self._parts: list[tuple[npt.NDArray[np.int32], Int64, npt.NDArray[np.int32], npt.NDArray[np.float64]]] = []
        self._others: dict[str, tuple[Names, list[npt.NDArray[np.int32]]]] = {}
        self._flags: dict[str, list[npt.NDArray[np.bool_]]] = {}

    def add(self, table: pa.Table) -> None:
        """Add the rows of a batch in the normal form."""
        names = [table.column(name).combine_chunks() for name in self._metric_names]
        metric = (
            names[0]
            if len(names) == 1
            else pc.binary_join_element_wise(*(pc.fill_null(name, "") for name in names), "_")
        )
        times = table.column(TIMESTAMP).cast(TIME_TYPE).cast(pa.int64()).to_numpy()
        values = table.column(self._value).to_numpy()
        self._parts.append((self._devices.of(table.column(DEVICE)), times, self._metrics.of(metric), values))
        known = {TIMESTAMP, DEVICE, self._value, *self._metric_names}
        for name in table.column_names:
            column = table.column(name)
            if name not in known and pa.types.is_string(column.type):
                codes, chunks = self._others.setdefault(name, (Names(), []))
                chunks.append(codes.of(column))
            elif name not in known and pa.types.is_boolean(column.type):
                self._flags.setdefault(name, []).append(column.to_numpy())

    def tables(self) -> Iterator[pa.Table]:
        """Yield all rows with one column per metric, in batches.

        Raises
        ------
        NetopsError
            If rows of one metric, device and time differ in their values.
        """
        devices, times, metrics, values = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        self._parts = []
        named = metrics >= 0
        self._report.drop(_EMPTY, int((~named).sum()), "", "")
        device_names, metric_names, devices, metrics = self._resolved(devices, metrics)
        order = np.lexsort((metrics, times, devices))
        order = order[named[order]]
        devices, times, metrics, values = devices[order], times[order], metrics[order], values[order]
        others = {
            name: (codes.texts, np.concatenate(chunks)[order]) for name, (codes, chunks) in self._others.items()
        }
        flags = {name: np.concatenate(chunks)[order] for name, chunks in self._flags.items()}
        fresh_row = np.append(True, (np.diff(devices) != 0) | (np.diff(times) != 0))[: len(order)]
        fresh = fresh_row | np.append(True, np.diff(metrics) != 0)[: len(order)]
        self._refuse_conflicts(fresh, values, others, metric_names)
        rows = np.cumsum(fresh_row) - 1
        starts = np.flatnonzero(fresh_row)
        step = max(1, _ROWS_A_BATCH // max(1, len(metric_names)))
        for begin in range(0, len(starts), step):
            low = starts[begin]
            high = starts[begin + step] if begin + step < len(starts) else len(order)
            keep = np.flatnonzero(fresh[low:high]) + low
            first = starts[begin : begin + step]
            matrix = np.full((len(metric_names), len(first)), np.nan)
            matrix[metrics[keep], rows[keep] - begin] = values[keep]
            columns = {
                TIMESTAMP: pa.array(times[first]).cast(TIME_TYPE),
                DEVICE: pa.array(device_names).take(pa.array(devices[first])),
            }
            for name, flag in flags.items():
                columns[name] = pa.array(np.logical_or.reduceat(flag[low:high], first - low))
            for name, (texts, codes) in others.items():
                columns[name] = pa.array(texts, pa.string()).take(pa.array(codes[first], mask=codes[first] < 0))
            columns |= {name: pa.array(matrix[index]) for index, name in enumerate(metric_names)}
            yield pa.table(columns)

    def _resolved(self, devices: Int64, metrics: Int64) -> tuple[list[str], list[str], Int64, Int64]:
        """Rename metrics by the map of items, and remove devices from their names."""
        texts, hosts = self._metrics.texts, self._devices.texts
        meant: dict[str, tuple[str | None, str]] = {
            name: self._labels[name] for name in texts if name in self._labels
        }
        if not self._has_device:
            meant |= split_legends((name for name in texts if name not in meant), self._wanted)
        if not meant:
            return hosts, texts, devices, metrics
        if self._labels and (missing := [name for name in texts if name not in meant]):
            raise NetopsError(f"{self._where}: items that are not in telemetry: items: {brief(missing)}")
        if any(meant.get(name, (None, ""))[0] is None for name in texts) and not self._has_device:
            without = [name for name in texts if meant.get(name, (None, ""))[0] is None]
            raise NetopsError(f"{self._where}: no device in the names of some metrics: {brief(without)}")
        new_devices, new_metrics = {name: index for index, name in enumerate(hosts)}, dict[str, int]()
        to_device, to_metric = [], []
        for name in texts:
            device, metric = meant.get(name, (None, name))
            to_device.append(-1 if device is None else new_devices.setdefault(device, len(new_devices)))
            to_metric.append(new_metrics.setdefault(metric, len(new_metrics)))
        chosen = np.array(to_device)[metrics]
        devices = np.where(chosen >= 0, chosen, devices)
        return list(new_devices), list(new_metrics), devices, np.array(to_metric)[metrics]

    def _refuse_conflicts(
        self,
        fresh: npt.NDArray[np.bool_],
        values: npt.NDArray[np.float64],
        others: Mapping[str, tuple[list[str], npt.NDArray[np.int32]]],
        metrics: Sequence[str],
    ) -> None:
        again = np.flatnonzero(~fresh)
        if not len(again):
            return
        leader = np.maximum.accumulate(np.where(fresh, np.arange(len(fresh)), 0))[again]
        differ = ~((values[again] == values[leader]) | np.isnan(values[again]))
        self._report.drop(_SAME, len(again), "", "")
        if np.count_nonzero(differ) <= 0.01 * len(fresh):
            return
        candidates = [name for name, (_, codes) in others.items() if np.mean(codes[again] != codes[leader]) > 0.95]
        what = (
            f"{self._where}: {np.count_nonzero(differ):,} of {len(fresh):,} rows have the metric, device and time "
        )
        what += "of another row, but another value"
        if not candidates:
            raise NetopsError(f"{what}; no column distinguishes them")
        if self._has_device:
            setting = quoted("telemetry.metric_name", "+".join([*self._metric_names, candidates[0]]))
        else:
            setting = quoted("telemetry.device", candidates[0])
        distinct = len(set(others[candidates[0]][0]))
        raise NetopsError(f"{what}; '{candidates[0]}' ({distinct} values) distinguishes them: --set {setting}")
