"""The steps of an ingestion over all rows, in this process: read, survey, write."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from netops.progress import Progress
from netops.telemetry.buckets import Buckets, buckets_for, sort_rows
from netops.telemetry.columns.survey import Columns, Survey, survey
from netops.telemetry.dataset import write_part
from netops.telemetry.parts import Part, Plan
from netops.telemetry.reading import ReadingReport
from netops.telemetry.sources.protocol import Source

READING, WRITING = "telemetry read", "telemetry written"


@dataclass
class Here:
    """Read sources into buckets, and turn each bucket into a file of the dataset."""

    draft: Path
    sources: Sequence[Source]
    progress: Progress

    def __post_init__(self) -> None:
        self._buckets = Buckets(self.draft, buckets_for(sum(source.memory for source in self.sources)))

    def read(self, report: ReadingReport) -> Columns:
        """Distribute all rows over buckets by device; return their columns."""
        columns, before, total = Columns(), 0, sum(source.size for source in self.sources)
        for source in self.sources:
            for batch in source.batches():
                self._buckets.add(columns.admit(batch, source.name))
                self.progress(before + source.done, total, READING)
            before += source.size
            self.progress(before, total, READING)
            columns.ignored |= source.ignored
            if (of_source := getattr(source, "report", None)) is not None:
                report.sources.append(of_source)
        return columns

    def survey(self, columns: Columns) -> Survey:
        """Sort every bucket and describe all of them together."""
        found = Survey.of(columns)
        for bucket in range(self._buckets.count):
            table = self._buckets.take(bucket)
            if table is None:
                continue
            part = sort_rows(columns.in_order(table))
            del table
            found += survey(part, columns)
            self._buckets.keep(bucket, part.table)
        return found

    def write(self, plan: Plan) -> Iterator[Part]:
        """Write the files of the dataset, one per bucket."""
        number = 0
        for bucket in range(self._buckets.count):
            table = self._buckets.take(bucket)
            if table is None:
                continue
            part = plan.apply(table)
            if part.samples is not None:
                write_part(self.draft, number, part.samples)
                number += 1
            self.progress(bucket + 1, self._buckets.count, WRITING)
            yield part
