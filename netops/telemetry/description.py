"""Readable summary of an ingestion, from the description of its dataset."""

from collections import defaultdict
from collections.abc import Iterator

from netops.errors import brief
from netops.telemetry.dataset import Meta
from netops.telemetry.incident_logs.matching import LogSummary
from netops.telemetry.reading import ReadingReport


def reading_lines(meta: Meta) -> Iterator[str]:
    """Report what was read and how, how the incident log was used, and what was excluded; one line each."""
    if reading := meta.details.get("reading"):
        yield from ReadingReport.from_dict(reading).lines()
    if log := meta.details.get("incident_log"):
        yield from LogSummary.from_dict(log).lines()


def decision_lines(meta: Meta) -> Iterator[str]:
    """Report which columns are not metrics and why, and which became rates; one line per reason."""
    for why, names in left_out_by_reason(meta).items():
        yield f"excluded, {why}: {brief(names)}"
    if counters := meta.details.get("counters"):
        yield f"counters, turned into rates per second: {brief(counters)}"


def left_out_by_reason(meta: Meta) -> dict[str, list[str]]:
    """Return the columns that are not metrics, by reason."""
    columns = defaultdict(list)
    for column, why in meta.left_out.items():
        columns[why].append(column)
    return dict(columns)
