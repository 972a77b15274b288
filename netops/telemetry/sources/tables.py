"""A table in a file as a telemetry source: determine the roles of its columns, convert it to the normal form."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc

from netops.compute.cluster import Cluster
from netops.errors import NetopsError
from netops.telemetry.columns.known_names import key_of
from netops.telemetry.columns.quantities import AmbiguousNumbersError, Notation, notation_of, nulls_as_none
from netops.telemetry.columns.roles import Layout, layout_of
from netops.telemetry.reading import SourceReport
from netops.telemetry.schema import DEVICE
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.sources.items import Item
from netops.telemetry.sources.legends import split_legends
from netops.telemetry.sources.normal import Normaliser, device_named_after, is_text
from netops.telemetry.sources.pivot import Pivot
from netops.telemetry.sources.raw import RawTable, Rows
from netops.telemetry.sources.reopened import ReopenedTable

LONG, IN_NAMES = "one row per metric", "device in the names of the columns"


class TableSource:
    """One table (see ``protocol.Source``).

    Parameters
    ----------
    table : RawTable
    layout : Layout
        The roles of its columns.
    settings : TelemetrySettings
    items : mapping
        Names of metrics in long form → device, if known, and metric.
    """

    def __init__(
        self, table: RawTable, layout: Layout, settings: TelemetrySettings, items: Mapping[str, Item]
    ) -> None:
        self.name, self._table, self._layout, self._settings = table.where, table, layout, settings
        self.ignored: dict[str, str] = {}
        self._items = items
        self._legends: dict[str, tuple[str, str]] = {}
        if not layout.devices and not layout.is_long:
            self._legends = _legends(layout, settings)
        self.report = SourceReport(
            table.where,
            table.format,
            time="+".join(layout.times),
            device=layout.device or "",
            not_devices=dict(layout.not_devices),
            notes=list(table.notes),
        )
        if layout.is_long and [key_of(name) for name in layout.metric_names] == ["itemid"]:
            self._need_items()
        if layout.is_long:
            self.report.metric_name = "+".join(layout.metric_names)
            self.report.shape = f"{LONG} ({'+'.join(layout.metric_names)}, {layout.value})"
        elif self._legends:
            self.report.shape = self.report.device = IN_NAMES

    def _need_items(self) -> None:
        """Raise for ids of items (each is a metric of one device) without a map of items."""
        if not self._items and not self._layout.devices:
            raise NetopsError(
                f"{self.name}: column '{self._layout.metric_names[0]}' contains ids of items; map them "
                "to names in a CSV with the columns itemid, host and name: --set telemetry.items=items.csv"
            )

    @property
    def size(self) -> int:
        """Total amount to read."""
        return self._table.size

    @property
    def done(self) -> int:
        """Amount that has been read."""
        return self._table.done

    @property
    def memory(self) -> int:
        """Estimated memory in bytes."""
        return self._table.memory

    def limit(self, metrics: int) -> None:
        """Limit the number of value columns: the same ones in every file."""
        values = self._layout.values
        if self._layout.is_long or len(values) <= metrics:
            return
        chosen = set(sorted(values, key=lambda name: crc32(name.encode()))[:metrics])
        selected = tuple(name for name in values if name in chosen)
        why = f"not examined: {metrics:,} of {len(values):,} columns are"
        passed = {name: why for name in values if name not in chosen}
        self._layout = replace(self._layout, values=selected, ignored=self._layout.ignored | passed)

    def look(self) -> None:
        """Try the first rows, so that errors are reported before work starts.

        Raises
        ------
        NetopsError
            As :meth:`batches`.
        """
        rows = self._table.first_rows()
        if not rows.num_rows:
            return
        only = replace(self._layout, flags={}, values=(), metric_names=(), value="")
        try:
            Normaliser(only, self.name, "", location=self._table.location, settings=self._settings)(rows)
        except NetopsError:
            # Later rows may resolve ambiguities of the first rows: which number is the day, which clock is set.
            next(self.batches(), None)

    def batches(self) -> Iterator[pa.Table]:
        """Yield the rows in batches; long form is read completely first."""
        layout = self._layout
        text = [*layout.times, *layout.devices, *layout.flags, *layout.metric_names]
        names = list(dict.fromkeys([*text, *([layout.value] if layout.value else []), *layout.values]))
        normalise = Normaliser(
            layout,
            self.name,
            device_named_after(Path(self.name)),
            location=self._table.location,
            settings=self._settings,
            quantities=self._quantities(names, text),
            nulls=self._table.nulls,
            report=self.report,
        )
        pivot = self._pivot() if layout.is_long else None
        for batch in self._table.read(names, text):
            table = normalise(batch)
            if pivot is not None:
                pivot.add(table)
            elif self._legends:
                yield from self._by_device(table)
            else:
                yield table
        normalise.finish()
        self.ignored = normalise.ignored
        if self._legends:
            self.ignored |= dict.fromkeys(
                (name for name in layout.values if name not in self._legends), "no device in its name"
            )
        if pivot is not None:
            yield from pivot.tables()

    def _pivot(self) -> Pivot:
        layout = self._layout
        labels = {name: (item.device, item.metric) for name, item in self._items.items()}
        wanted = self._settings.devices
        return Pivot(
            self.name, layout.metric_names, layout.value, wanted, bool(layout.devices), labels, self.report
        )

    def _by_device(self, table: pa.Table) -> Iterator[pa.Table]:
        """Yield the rows of each device with its name in column names."""
        devices: dict[str, dict[str, str]] = {}
        for column, (device, metric) in self._legends.items():
            devices.setdefault(device, {})[metric] = column
        selected = [name for name in table.column_names if name not in (DEVICE, *self._layout.values)]
        for device, columns in devices.items():
            part = {name: table.column(name) for name in selected}
            part |= {
                metric: table.column(column) for metric, column in columns.items() if column in table.column_names
            }
            found = pa.table(part).append_column(DEVICE, pa.repeat(device, table.num_rows))
            known = None
            for metric in columns:
                if metric in found.column_names:
                    here = pc.is_valid(found.column(metric))
                    known = here if known is None else pc.or_(known, here)
            yield found if known is None else found.filter(known)

    def _quantities(self, names: Sequence[str], text: Sequence[str]) -> dict[str, Notation]:
        """Find text columns whose values are numbers, and their notation."""
        values = [*self._layout.values, *([self._layout.value] if self._layout.value else [])]
        values = [name for name in values if name not in text]
        kinds = self._kinds(names, text)
        likely = [name for name in values if is_text(kinds[name]) and self._looks_like_numbers(name)]
        found: dict[str, Notation] = {}
        if not likely:
            return found
        chunks: dict[str, list[pa.Array]] = {name: [] for name in likely}
        for batch in self._table.scan(likely):
            for name in likely:
                column = batch.column(name).combine_chunks()
                part = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
                chunks[name].append(nulls_as_none(part.cast(pa.string()), self._table.nulls))
        for name in likely:
            try:
                notation = notation_of(chunks[name], self._settings.decimal)
            except AmbiguousNumbersError as error:
                raise NetopsError(
                    f"{self.name}: column '{name}', {self._table.location(error.row)}: {error.value!r} may have a "
                    "decimal comma or a thousands separator: --set telemetry.decimal=, or --set telemetry.decimal=."
                ) from None
            if notation is not None:
                found[name] = notation
                if str(notation):
                    self.report.quantities[name] = str(notation)
        return found

    def _kinds(self, names: Sequence[str], text: Sequence[str]) -> Mapping[str, pa.DataType]:
        types = getattr(self._table, "types", None)
        if types is not None:
            found: Mapping[str, pa.DataType] = types(names, text)
            return found
        schema = self._table.first_rows().schema
        return {name: schema.field(name).type for name in names}

    def _looks_like_numbers(self, name: str) -> bool:
        column = self._table.first_rows().column(name).combine_chunks()
        text = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        try:
            return (
                notation_of(
                    [nulls_as_none(text.cast(pa.string()), self._table.nulls)], self._settings.decimal or "."
                )
                is not None
            )
        except AmbiguousNumbersError:
            return True


def _legends(layout: Layout, settings: TelemetrySettings) -> dict[str, tuple[str, str]]:
    """Find the devices in column names, if most of them contain one."""
    found = split_legends(layout.values, settings.devices)
    return found if 2 * len(found) >= len(layout.values) else {}


def table_sources(
    tables: Sequence[RawTable],
    settings: TelemetrySettings,
    items: Mapping[str, Item],
    cluster: Cluster | None = None,
) -> list[TableSource]:
    """Determine the roles of the columns of tables; tables with the same columns together."""
    alike: dict[tuple[str, ...], list[RawTable]] = {}
    for table in tables:
        alike.setdefault(table.names, []).append(table)
    remote = [names for names, some in alike.items() if cluster and any(isinstance(t, ReopenedTable) for t in some)]
    found = dict(zip(remote, _layouts_on(cluster, [alike[names] for names in remote], settings), strict=True))
    layouts = {}
    for names, some in alike.items():
        layout = found[names] if names in found else _layout(some, settings)
        if isinstance(layout, NetopsError):
            raise layout
        layouts[names] = layout
    return [TableSource(table, layouts[table.names], settings, items) for table in tables]


def _layout(tables: Sequence[RawTable], settings: TelemetrySettings) -> Layout | NetopsError:
    """Determine the roles of the columns that some tables have; an error is returned."""
    try:
        return layout_of(tables[0].names, settings, tables[0].where, Rows(tables))
    except NetopsError as error:
        return error


def _layouts_on(
    cluster: Cluster | None, groups: Sequence[Sequence[RawTable]], settings: TelemetrySettings
) -> list[Layout | NetopsError]:
    """Let workers read what :func:`_layout` has to look at, where files are read as a whole."""
    return cluster.results(_layout, [(group, settings) for group in groups]) if cluster and groups else []
