"""The steps of an ingestion on the workers of a cluster.

Tasks read files into buckets in the draft of the dataset, sort and describe a bucket, and write it as a file of the
dataset. They return a few numbers per file, device or incident. Whatever depends on all rows is decided here, and
the bytes are those of :mod:`netops.telemetry.steps`.
"""

import errno
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from netops.compute.cluster import Cluster
from netops.errors import NetopsError
from netops.progress import Progress, say
from netops.telemetry.buckets import (
    Buckets,
    buckets_for,
    files_of,
    read_bucket,
    read_rows,
    sort_rows,
    sorted_path,
    write_rows,
)
from netops.telemetry.columns.survey import Columns, Survey, survey
from netops.telemetry.dataset import part_path, write_samples
from netops.telemetry.parts import Part, Plan
from netops.telemetry.reading import ReadingReport, SourceReport
from netops.telemetry.sources.protocol import Source
from netops.telemetry.sources.tables import TableSource
from netops.telemetry.steps import READING, WRITING

#: A task reads small files together up to this estimated memory, in bytes.
_TOGETHER = 128 << 20

Result = TypeVar("Result")


@dataclass
class _Read:
    """What a task has found in a source; an error ends it."""

    name: str
    columns: Columns
    report: SourceReport | None = None
    error: NetopsError | None = None


@dataclass
class OnCluster:
    """Do what ``steps.Here`` does, with the same results."""

    cluster: Cluster
    draft: Path
    sources: Sequence[Source]
    progress: Progress

    def __post_init__(self) -> None:
        self._count = buckets_for(sum(source.memory for source in self.sources))
        self._folder = str(self.draft.resolve())
        self._devices: dict[int, set[str]] = {}

    def read(self, report: ReadingReport) -> Columns:
        """Distribute all rows over buckets by device; return their columns."""
        columns = Columns()
        groups = list(_grouped([source for source in self.sources if isinstance(source, TableSource)]))
        others = [source for source in self.sources if not isinstance(source, TableSource)]
        total, done = sum(source.size for source in self.sources), 0
        jobs = [(self._folder, self._count, number, *_sized(group)) for number, group in enumerate(groups)]
        with closing(self._in_order(_read_task, jobs)) as results:  # an error cancels the other tasks
            for number, found in results:
                for read in found:
                    _admit(read, columns, report)
                done += sum(source.size for source in groups[number])
                self.progress(done, total, READING)
        if others:
            say(f"{others[0].name}: read by one process: the workers of a cluster read files")
        for number, source in enumerate(others, len(groups)):
            buckets = Buckets(self.draft, self._count, number)
            _admit(_distributed(source, buckets), columns, report)
            buckets.flush()
            done += source.size
            self.progress(done, total, READING)
        return columns

    def survey(self, columns: Columns) -> Survey:
        """Sort every bucket and describe all of them together."""
        found = Survey.of(columns)
        jobs = [(self._folder, bucket, columns) for bucket in range(self._count)]
        for bucket, seen in self._in_order(_survey_task, jobs):
            for file in files_of(self.draft, bucket):
                file.unlink()
            if seen is not None:
                found += seen
                self._devices[bucket] = set(seen.spans)
        return found

    def write(self, plan: Plan) -> Iterator[Part]:
        """Write the files of the dataset, one per bucket."""
        buckets, number = list(self._devices), 0
        jobs = [(self._folder, bucket, plan.of(self._devices[bucket])) for bucket in buckets]
        for index, (part, written) in self._in_order(_write_task, jobs):
            if written is not None:
                os.replace(written, part_path(self.draft, number))
                number += 1
            sorted_path(self.draft, buckets[index]).unlink()
            self.progress(index + 1, len(buckets), WRITING)
            yield part
        # What workers have begun, or done twice, before they were lost.
        for file in (*self.draft.glob(".*.tmp"), *self.draft.glob("_dealt-*")):
            file.unlink()

    def _in_order(
        self, task: Callable[..., Result], jobs: Sequence[tuple[object, ...]]
    ) -> Generator[tuple[int, Result], None, None]:
        """Yield the results of tasks in the order of the jobs, so that the first error is that of one process."""
        waiting: dict[int, Result] = {}
        following = 0
        for index, result in self.cluster.run(task, jobs):
            waiting[index] = result
            while following in waiting:
                yield following, waiting.pop(following)
                following += 1


def _grouped(sources: Sequence[TableSource]) -> Iterator[list[TableSource]]:
    """Put small files into one task, in their order."""
    group: list[TableSource] = []
    for source in sources:
        if group and sum(other.memory for other in group) + source.memory > _TOGETHER:
            yield group
            group = []
        group.append(source)
    if group:
        yield group


def _sized(group: list[TableSource]) -> tuple[list[TableSource], list[int]]:
    return group, [Path(source.name).stat().st_size for source in group]


def _read_task(folder: str, count: int, number: int, sources: list[TableSource], sizes: list[int]) -> list[_Read]:
    """Read files into buckets, up to the first that cannot be read."""
    buckets, found = Buckets(Path(folder), count, number), list[_Read]()
    for source, size in zip(sources, sizes, strict=True):
        _require_same(Path(source.name), size)
        found.append(_distributed(source, buckets))
        if found[-1].error is not None:
            break
    buckets.flush()
    return found


def _require_same(path: Path, size: int) -> None:
    """Raise if a file is not that of the process that started the ingestion."""
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if (here := path.stat().st_size) != size:
        raise NetopsError(
            f"{path}: {here:,} bytes on a worker of the cluster, {size:,} here; all need the same file"
        )


def _distributed(source: Source, buckets: Buckets) -> _Read:
    columns, error = Columns(), None
    try:
        for batch in source.batches():
            buckets.add(columns.admit(batch, source.name))
    except NetopsError as problem:
        error = problem
    columns.ignored |= source.ignored
    return _Read(source.name, columns, getattr(source, "report", None), error)


def _admit(read: _Read, columns: Columns, report: ReadingReport) -> None:
    """Add a source to those before it, and raise what one process would have raised first."""
    columns.add(read.columns, read.name)
    if read.error is not None:
        raise read.error
    if read.report is not None:
        report.sources.append(read.report)


def _survey_task(folder: str, bucket: int, columns: Columns) -> Survey | None:
    """Sort a bucket; its files stay until the result has arrived, so that the task can be repeated."""
    table = read_bucket(Path(folder), bucket)
    if table is None:
        return None
    part = sort_rows(columns.in_order(table))
    del table
    write_rows(sorted_path(Path(folder), bucket), part.table)
    return survey(part, columns)


def _write_task(folder: str, bucket: int, plan: Plan) -> tuple[Part, str | None]:
    """Write a bucket as a file of the dataset, whose number depends on the buckets before it."""
    part = plan.apply(read_rows(sorted_path(Path(folder), bucket)))
    if part.samples is None:
        return part, None
    path = Path(folder) / f"_dealt-part-{bucket:05d}.parquet"
    write_samples(path, part.samples)
    return replace(part, samples=None), str(path)
