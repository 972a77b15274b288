"""Map numeric ids of metrics in long form to names: Zabbix items."""

from dataclasses import dataclass
from pathlib import Path

from netops.errors import NetopsError, brief
from netops.telemetry.columns.known_names import first_of
from netops.telemetry.sources.content import look_at
from netops.telemetry.sources.csv import CsvTable, header_of
from netops.telemetry.sources.json import is_json, open_json

_IDS, _NAMES = ("itemid", "item_id", "id"), ("key_", "key", "name", "item_name", "metric", "metric_name")
_HOSTS = ("host", "hostname", "host_name", "device", "node", "hosts.host", "hosts.name")


@dataclass(frozen=True)
class Item:
    """A metric, and its device if it belongs to one."""

    device: str | None
    metric: str


def read_items(path: str) -> dict[str, Item]:
    """Read a map of items: CSV or JSON with ``itemid``, ``name`` (or ``key_``) and, optionally, ``host``.

    Raises
    ------
    NetopsError
        If the file is missing, or lacks a column.
    """
    if not path:
        return {}
    where = Path(path).expanduser()
    if not where.is_file():
        raise NetopsError(f"{path}: no such file (telemetry: items)")
    content = look_at(where)
    if is_json(content):
        table = open_json(content, ()).first_rows()
    else:
        csv = CsvTable(content, header_of(content))
        table = next(csv.scan(csv.names), csv.first_rows())
    names = table.column_names
    ids, metrics, hosts = (first_of(names, wanted) for wanted in (_IDS, _NAMES, _HOSTS))
    if ids is None or metrics is None:
        raise NetopsError(
            f"{path}: the columns itemid and name (and host) are required; its columns are {brief(names)}"
        )
    devices = table.column(hosts).to_pylist() if hosts else [None] * table.num_rows
    return {
        str(item): Item(str(device) if device else None, str(metric))
        for item, metric, device in zip(
            table.column(ids).to_pylist(), table.column(metrics).to_pylist(), devices, strict=True
        )
    }
