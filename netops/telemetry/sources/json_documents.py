"""Convert JSON responses of monitoring tools into plain records."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import msgspec

#: A record of one of the tools below; what they nest is read where the format is known.
Record: TypeAlias = dict[str, Any]
Records = list[Record]

_LISTS = (
    "samples",
    "result",
    "results",
    "records",
    "Records",
    "rows",
    "items",
    "data",
    "value",
    "values",
    "telemetry",
)


def records_of(document: object) -> tuple[Records, str] | None:
    """Find the records in a document.

    Returns
    -------
    records, format or None
        None if there are none; and a description of the format.
    """
    if isinstance(document, list):
        return ([flat(item) for item in document], "JSON") if _are_objects(document) else None
    if not isinstance(document, dict):
        return None
    for name, fits, make in _SHAPES:
        if fits(document):
            return list(make(document)), name
    lists = [key for key in _LISTS if _are_objects(document.get(key))]
    if lists:
        return [flat(item) for item in document[lists[0]]], "JSON"
    return [flat(document)], "JSON"


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def flat(record: Record) -> Record:
    """Flatten a record: ``{"host": {"name": "r1"}}`` is ``host.name``; Telegraf's records get short names."""
    if isinstance(record.get("fields"), dict) and isinstance(record.get("tags"), dict):
        named = {f"{record.get('name', 'value')}_{key}": value for key, value in record["fields"].items()}
        return {"timestamp": record.get("timestamp"), **record["tags"], **named}
    if "metric_name" in record and isinstance(record.get("dimensions"), dict) and "timestamp" in record:
        return _streamed(record)
    found: Record = {}
    for key, value in record.items():
        if isinstance(value, dict):
            found |= {f"{key}.{inner}": item for inner, item in flat(value).items()}
        elif isinstance(value, list):
            found[key] = msgspec.json.encode(value).decode()
        else:
            found[key] = value
    return found


def _streamed(record: Record) -> Record:
    """Read a record of a CloudWatch metric stream."""
    value = record.get("value")
    if isinstance(value, dict):
        value = value["sum"] / value["count"] if value.get("count") else None
    device = "/".join(str(part) for part in record["dimensions"].values()) or record.get("namespace")
    return {
        "timestamp": record["timestamp"],
        "device": device,
        "metric_name": record["metric_name"],
        "value": value,
    }


def _is_prometheus(document: Record) -> bool:
    data = document.get("data")
    return isinstance(data, dict) and data.get("resultType") in ("matrix", "vector") and "result" in data


def _prometheus(document: Record) -> Iterator[Record]:
    for series in document["data"]["result"]:
        labels = dict(series["metric"])
        inside = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
        for time, value in series.get("values") or [series["value"]]:
            yield {"timestamp": time, "series": f"{{{inside}}}", "value": _number(value)}


def _escaped(value: str) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"')


def _number(value: str | float) -> str | float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _cloudwatch_data(document: Record) -> Iterator[Record]:
    results = document["MetricDataResults"]
    labels = [str(result.get("Label") or result.get("Id")) for result in results]
    split = all(" " in label for label in labels)
    for result, label in zip(results, labels, strict=True):
        device, _, metric = label.rpartition(" ") if split else ("", "", label)
        for time, value in zip(result.get("Timestamps", []), result.get("Values", []), strict=True):
            yield {
                "timestamp": time,
                **({"device": device} if split else {}),
                "metric_name": metric,
                "value": value,
            }


def _cloudwatch_statistics(document: Record) -> Iterator[Record]:
    for point in document["Datapoints"]:
        some = next((key for key in ("Average", "Sum", "Maximum", "Minimum", "SampleCount") if key in point), None)
        value = point[some] if some else None
        yield {"timestamp": point.get("Timestamp"), "metric_name": document["Label"], "value": value}


def _is_azure(document: Record) -> bool:
    value = document.get("value")
    return _are_objects(value) and all("timeseries" in item and "name" in item for item in document["value"])


def _azure(document: Record) -> Iterator[Record]:
    for metric in document["value"]:
        name = metric["name"]["value"] if isinstance(metric["name"], dict) else metric["name"]
        before = (
            str(metric.get("id", ""))
            .split("/providers/Microsoft.Insights")[0]
            .split("/providers/microsoft.insights")[0]
        )
        device = before.rstrip("/").rsplit("/", 1)[-1] or str(metric.get("resourceGroup", ""))
        for series in metric["timeseries"]:
            labels = [f"{found['name']['value']}={found['value']}" for found in series.get("metadatavalues", [])]
            full = f"{name}{{{','.join(labels)}}}" if labels else name
            for point in series["data"]:
                value = next(
                    (point[key] for key in ("average", "total", "maximum", "minimum", "count") if key in point),
                    None,
                )
                yield {"timestamp": point["timeStamp"], "device": device, "metric_name": full, "value": value}


def _is_xport(document: Record) -> bool:
    meta = document.get("meta")
    return (
        isinstance(meta, dict)
        and {"start", "step", "legend"} <= set(meta)
        and isinstance(document.get("data"), list)
    )


def _xport(document: Record) -> Iterator[Record]:
    start, step, legend = (document["meta"][key] for key in ("start", "step", "legend"))
    for index, values in enumerate(document["data"]):
        values = values if isinstance(values, list) else [values]
        yield {"timestamp": int(start) + index * int(step), **dict(zip(legend, values, strict=False))}


def _is_search(document: Record) -> bool:
    hits = document.get("hits")
    return isinstance(hits, dict) and _are_objects(hits.get("hits")) and "_source" in hits["hits"][0]


def _is_split(document: Record) -> bool:
    return {"columns", "data"} <= set(document) <= {"columns", "data", "index"}


def _split(document: Record) -> Iterator[Record]:
    for values in document["data"]:
        yield dict(zip(document["columns"], values, strict=True))


def _is_columns(document: Record) -> bool:
    """Return whether it contains a table by column, as pandas writes it: ``{"cpu": {"0": 41.5, "1": 40.2}, …}``."""
    columns = list(document.values())
    if len(columns) < 2 or not all(isinstance(column, dict) for column in columns):
        return False
    rows = columns[0].keys()
    return all(row.isdigit() for row in rows) and all(column.keys() == rows for column in columns)


def _columns(document: Record) -> Iterator[Record]:
    for row in next(iter(document.values())):
        yield {name: column[row] for name, column in document.items()}


_SHAPES: tuple[tuple[str, Callable[[Record], bool], Callable[[Record], Iterator[Record]]], ...] = (
    ("JSON of Prometheus", _is_prometheus, _prometheus),
    ("JSON of CloudWatch", lambda d: _are_objects(d.get("MetricDataResults")), _cloudwatch_data),
    ("JSON of CloudWatch", lambda d: "Label" in d and _are_objects(d.get("Datapoints")), _cloudwatch_statistics),
    ("JSON of Azure Monitor", _is_azure, _azure),
    ("JSON of rrdtool xport", _is_xport, _xport),
    ("JSON of Elasticsearch", _is_search, lambda d: (flat(hit["_source"]) for hit in d["hits"]["hits"])),
    ("JSON", _is_split, _split),
    ("JSON", _is_columns, _columns),
)
