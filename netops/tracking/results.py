"""What a stage tells of its work as MLRun results, under the names that the summary of a run reads."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from netops.telemetry.columns import brief
from netops.telemetry.dataset import Dataset, Meta
from netops.telemetry.incident_logs.matching import LogSummary
from netops.telemetry.reading import ReadingReport


def log_telemetry(context: Any, dataset: Dataset) -> None:
    """Log what a telemetry dataset holds."""
    meta = dataset.meta
    context.log_results(
        {
            "rows": meta.samples,
            "devices": meta.devices,
            "metrics": list(meta.metrics),
            "incidents": meta.incidents,
            "interval_seconds": meta.interval_seconds,
            "left_out": len(meta.left_out),
        }
    )


def told(meta: Meta) -> Iterator[str]:
    """Report what was read and how, what became of the incident log, which columns are no metrics; a line each."""
    if reading := meta.details.get("reading"):
        yield from ReadingReport.from_dict(reading).lines()
    if log := meta.details.get("incident_log"):
        yield from LogSummary.from_dict(log).lines()
    columns = defaultdict(list)
    for column, why in meta.left_out.items():
        columns[why].append(column)
    for why, names in columns.items():
        yield f"left out, {why}: {brief(names)}"
    if counters := meta.details.get("counters"):
        yield f"counters, turned into rates per second: {brief(counters)}"
