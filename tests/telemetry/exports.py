"""Exports in the shapes in which monitoring tools write them: two devices, two metrics, a sample a minute."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

START, SAMPLES = 1_767_571_200, 40  # 2026-01-05T00:00:00Z
VALUES = np.random.default_rng(0).normal(50, 5, (SAMPLES, 4)).round(3)
#: The series: metric and device of each column of the values.
SERIES = (("cpu", "r1"), ("cpu", "r2"), ("mem", "r1"), ("mem", "r2"))


def iso(row: int) -> str:
    return f"2026-01-05T00:{row:02d}:00Z"


def epoch(row: int) -> int:
    return START + 60 * row


def cells() -> list[tuple[int, str, str, float]]:
    """Return row, metric, device and value of each sample."""
    return [(row, *SERIES[k], VALUES[row, k]) for row in range(SAMPLES) for k in range(4)]


def grafana_joined(path: Path) -> None:
    legends = ['"{}{{instance=""{}"", job=""node""}}"'.format(*series) for series in SERIES]
    rows = [",".join(map(str, (f'"{iso(row)}"', *VALUES[row]))) for row in range(SAMPLES)]
    path.write_text("\n".join([",".join(['"Time"', *legends]), *rows]) + "\n", encoding="utf-8-sig")


def grafana_rows(path: Path) -> None:
    rows = [f'"{m}{{instance=""{d}""}}";{iso(row)};{value}' for row, m, d, value in cells()]
    path.write_text("\n".join(["sep=;", "Series;Time;Value", *rows]) + "\n")


def prometheus(path: Path) -> None:
    result = [
        {
            "metric": {"__name__": metric, "instance": device, "job": "node"},
            "values": [[epoch(row), str(VALUES[row, k])] for row in range(SAMPLES)],
        }
        for k, (metric, device) in enumerate(SERIES)
    ]
    path.write_text(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}))


def influxdb(path: Path) -> None:
    head = [
        "#group,false,false,true,true,false,false,true,true,true",
        "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string,string",
        "#default,_result,,,,,,,,",
        ",result,table,_start,_stop,_time,_value,_field,_measurement,host",
    ]
    lines: list[str] = []
    for k, (metric, device) in enumerate(SERIES):
        span = f"{iso(0)},2026-01-05T01:00:00Z"
        rows = [f",,{k},{span},{iso(row)},{VALUES[row, k]},{metric},system,{device}" for row in range(SAMPLES)]
        lines += [*head, *rows, ""]
    path.write_text("\r\n".join(lines) + "\r\n", newline="")


def telegraf(path: Path) -> None:
    samples = [
        {
            "fields": {metric: VALUES[row, k + at] for k, metric in ((0, "cpu"), (2, "mem"))},
            "name": "system",
            "tags": {"host": device},
            "timestamp": epoch(row),
        }
        for row in range(SAMPLES)
        for at, device in enumerate(("r1", "r2"))
    ]
    path.write_text("\n".join(map(json.dumps, samples)))


def zabbix(path: Path) -> None:
    items = [f"{23000 + k},{device},{metric}" for k, (metric, device) in enumerate(SERIES)]
    (path.parent / "items.csv").write_text("\n".join(["itemid,host,key_", *items]) + "\n")
    rows = [f"{23000 + k},{epoch(row)},{VALUES[row, k]},{row}" for row in range(SAMPLES) for k in range(4)]
    path.write_text("\n".join(["itemid,clock,value,ns", *rows]) + "\n")


def cacti(path: Path) -> None:
    path.mkdir()
    for at, device in enumerate(("r1", "r2")):
        head = [
            '"Title:","Traffic"',
            '"Vertical Label:","bits per second"',
            '"Step:","60"',
            '""',
            '"Date","cpu","mem"',
        ]
        rows = [
            f'"{iso(row)[:16].replace("T", " ")}","{VALUES[row, at]}","{VALUES[row, 2 + at]}"'
            for row in range(SAMPLES)
        ]
        (path / f"{device}.csv").write_text("\n".join([*head, *rows]) + "\n")


def librenms(path: Path) -> None:
    path.mkdir()
    for at, device in enumerate(("r1", "r2")):
        data = [[VALUES[row, at], VALUES[row, 2 + at]] for row in range(SAMPLES)]
        meta = {"start": START, "step": 60, "end": epoch(SAMPLES), "legend": ["cpu", "mem"]}
        (path / f"{device}.json").write_text(json.dumps({"about": "RRDtool xport", "meta": meta, "data": data}))


def sar(path: Path) -> None:
    lines: list[str] = []
    for k, column in ((0, "cpu"), (2, "mem")):
        lines.append(f"# hostname;interval;timestamp;{column}")
        for row in range(SAMPLES):
            time = iso(row).replace("T", " ").replace("Z", " UTC")
            lines += [f"{device};60;{time};{VALUES[row, k + at]}" for at, device in enumerate(("r1", "r2"))]
        lines.append("r1;-1;2026-01-05 00:50:00 UTC;LINUX-RESTART\t(4 CPU)")
    path.write_text("\n".join(lines) + "\n")


def perfmon(path: Path) -> None:
    counters = [rf'"\\{device}\{metric}"' for metric, device in SERIES]
    head = ",".join(['"(PDH-CSV 4.0) (W. Europe Standard Time)(-60)"', *counters])
    rows = [
        ",".join([f'"01/05/2026 01:{row:02d}:00.000"', *(f'"{v}"' for v in VALUES[row])]) for row in range(SAMPLES)
    ]
    path.write_text("\r\n".join([head, *rows]) + "\r\n", encoding="utf-16", newline="")


def cloudwatch(path: Path) -> None:
    results = [
        {
            "Id": f"m{k}",
            "Label": f"{device} {metric}",
            "Timestamps": [iso(row).replace("Z", "+00:00") for row in range(SAMPLES)][::-1],
            "Values": VALUES[::-1, k].tolist(),
            "StatusCode": "Complete",
        }
        for k, (metric, device) in enumerate(SERIES)
    ]
    path.write_text(json.dumps({"MetricDataResults": results, "Messages": []}, indent=4))


def cloudwatch_stream(path: Path) -> None:
    records = [
        {
            "metric_stream_name": "all",
            "namespace": "AWS/EC2",
            "metric_name": metric,
            "dimensions": {"InstanceId": device},
            "timestamp": 1000 * epoch(row),
            "value": {"max": value, "min": value, "sum": 4 * value, "count": 4.0},
            "unit": "Percent",
        }
        for row, metric, device, value in cells()
    ]
    path.write_text("\n".join(map(json.dumps, records)))


def azure(path: Path) -> None:
    """What ``az monitor metrics list`` prints, one resource a file."""
    path.mkdir()
    for device in ("r1", "r2"):
        resource = f"/subscriptions/1/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/{device}"
        value = [
            {
                "id": f"{resource}/providers/Microsoft.Insights/metrics/{metric}",
                "name": {"value": metric, "localizedValue": metric},
                "timeseries": [
                    {
                        "metadatavalues": [],
                        "data": [{"timeStamp": iso(row), "average": VALUES[row, k]} for row in range(SAMPLES)],
                    }
                ],
            }
            for k, (metric, owner) in enumerate(SERIES)
            if owner == device
        ]
        (path / f"{device}.json").write_text(json.dumps({"cost": 0, "interval": "PT1M", "value": value}))


def log_analytics(path: Path) -> None:
    """What the portal of Azure exports of the table AzureMetrics."""
    head = "TimeGenerated [UTC],Resource,MetricName,Total,Count,Maximum,Minimum,Average,UnitName"
    rows = [
        f'"1/5/2026, 12:{row:02d}:00.000 AM",{device},{metric},{value},1,{value},{value},{value},Percent'
        for row, metric, device, value in cells()
    ]
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8-sig")


#: File of the command in docs/own-data.md → what writes it.
EXPORTS: dict[str, Callable[[Path], None]] = {
    "range.json": prometheus,
    "panel.csv": grafana_joined,
    "series.csv": grafana_rows,
    "query.csv": influxdb,
    "metrics.out.jsonl": telegraf,
    "history.csv": zabbix,
    "cacti/": cacti,
    "xport/": librenms,
    "sar.csv": sar,
    "perfmon.csv": perfmon,
    "metric-data.json": cloudwatch,
    "stream.jsonl": cloudwatch_stream,
    "azure/": azure,
    "AzureMetrics.csv": log_analytics,
}
