"""The steps from the samples of a request to its answers: validate, features, score, explain, alert.

Plain Python without MLRun: the steps of the serving graph are thin wrappers of these methods, so that the HTTP
server, MLRun's mock server and a Nuclio function run the same code.
"""

from collections.abc import Sequence
from math import ceil
from time import perf_counter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netops.features.engine import LATE
from netops.serving.decode.remote_write import Point, read_remote_write
from netops.serving.engine.dead_letters import Letter, letter
from netops.serving.engine.other_metrics import OtherMetrics
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import REJECTED, Answer, BodyError, Samples, reject_invalid_text
from netops.serving.engine.work import Work

ARROW_TYPES = ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file")
NDJSON_TYPES = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines")
REMOTE_WRITE_TYPE = "application/x-protobuf"


class Unreadable(NamedTuple):
    """A body that cannot be parsed."""

    body: object
    error: BodyError


class Pipeline:
    """Processes requests, one at a time.

    Parameters
    ----------
    runtime : Runtime
        The champion, the state of the devices and other long-lived objects.
    origin : mapping, optional
        Topic and partition, which dead letters of a stream contain.
    """

    def __init__(self, runtime: Runtime, origin: Letter | None = None) -> None:
        self.runtime, self.origin = runtime, origin or {}

    def validate(self, body: object, content_type: str = "") -> Work:
        """Read the samples of a body; invalid ones are rejected and written to the dead-letter file.

        Parameters
        ----------
        body : bytes, str, dict, list, Samples or Work
            The raw body, or an already parsed one.
        content_type : str
            Default: JSON.

        Raises
        ------
        BodyError
            If the body cannot be parsed into samples.
        """
        since = perf_counter()
        samples = self.converted(body if isinstance(body, Samples) else self.read(body, content_type))
        work = Work.of(samples, self.runtime.model)
        self.runtime.metrics.step("validate", since)
        return work

    def converted(self, samples: Samples) -> Samples:
        """Convert samples that were read for another champion, which counted other messages."""
        spec = self.runtime.model.spec
        if samples.metrics and samples.metrics != spec.metrics:
            samples.values = OtherMetrics(samples.metrics, spec).columns(samples.values)
            samples.metrics = spec.metrics
        return samples

    def read(self, body: object, content_type: str = "") -> Samples:
        """Read the samples of a body; an unreadable body is written to the dead-letter file.

        Raises
        ------
        BodyError
            If the body cannot be parsed into samples.
        """
        return self.admit(self.parse(body, content_type))

    def parse(self, body: object, content_type: str = "") -> "Samples | list[Point] | Unreadable":
        """Parse a body; changes no state, so it may run in another thread."""
        try:
            found = self._parse(body, content_type)
        except BodyError as error:
            return Unreadable(body, error)
        if isinstance(found, Samples):
            reject_invalid_text(found)
        return found

    def admit(self, parsed: "Samples | list[Point] | Unreadable") -> Samples:
        """Convert a parsed body to samples: join remote-write values, store an unreadable body.

        Raises
        ------
        BodyError
            If the body cannot be parsed into samples.
        """
        runtime = self.runtime
        if isinstance(parsed, Unreadable):
            self.store_unreadable(parsed)
            raise parsed.error
        if isinstance(parsed, Samples):
            return parsed
        if parsed:
            runtime.replay.add(min(point.timestamp for point in parsed))
        joined = runtime.joiner.add(parsed, runtime.state.clock.now)
        joined.metrics = runtime.joiner.metrics
        return joined

    def store_unreadable(self, found: Unreadable, offset: int | None = None) -> None:
        """Count an unreadable body, and write it to the dead-letter file; ``offset`` is that of its message."""
        written = letter("rejected", str(found.error), found.body)
        self.runtime.letters.write([written if offset is None else written | self.origin | {"offset": offset}])
        self.runtime.metrics.count(np.full(1, REJECTED))

    def _parse(self, body: object, content_type: str) -> "Samples | list[Point]":
        runtime, limits = self.runtime, self.runtime.settings.limits
        kind = content_type.partition(";")[0].strip().lower()
        if kind == REMOTE_WRITE_TYPE:
            return read_remote_write(_bytes(body), limits.body_bytes, limits.batch, limits.name_length)
        reader = runtime.reader  # that of this champion: another one may come meanwhile
        if kind in ARROW_TYPES:
            # Late: it loads Arrow (45 MB), which few servers receive.
            from netops.serving.decode.arrow import read_arrow

            samples = read_arrow(_bytes(body), reader.metrics, limits.batch, limits.name_length)
        else:
            samples = reader.read_lines(_bytes(body)) if kind in NDJSON_TYPES else reader.read(body)
        samples.metrics = reader.metrics
        return samples

    def reject_late(self, samples: Samples, rows: Sequence[int]) -> None:
        """Reject late samples of a request with too many of them; they are written to the dead-letter file."""
        limit = self.runtime.settings.limits.late
        for row in rows:
            if row not in samples.errors:
                samples.errors[row] = f"more than {limit} late samples in one request (limits.late)"
                samples.raw[row] = self._sent(samples, row)

    def features(self, work: Work) -> Work:
        """Update the windows of the devices and compute the feature vectors."""
        since = perf_counter()
        recovered = self.runtime.state.update(work)
        if len(work.scored):
            self.runtime.replay.add(int(work.samples.timestamps[work.scored].min()))
        if len(recovered):
            self.runtime.active_alerts.recover(self.runtime.state, recovered.tolist())
        self.runtime.metrics.step("features", since)
        return work

    def score(self, work: Work, explained: bool = True) -> Work:
        """Score the feature vectors; if ``explained``, compute what :meth:`explain` needs in the same walk."""
        since = perf_counter()
        features = work.features
        work.features = work.model.select(features)
        if len(work.scored) and explained:
            work.risks, work.probabilities, work.contributions = work.model.assess(work.features)
        elif len(work.scored):
            work.risks, work.probabilities = work.model.both(work.features)
        self.runtime.state.store_risks(work)
        self.runtime.metrics.step("score", since)
        if self.runtime.shadow.model is not None:
            self.runtime.shadow.score(work, features)
        return work

    def explain(self, work: Work) -> Work:
        """Compute the reasons: exact for alerting samples, up to a limit per request; approximate for others."""
        since = perf_counter()
        work.reasons = work.model.reasons(work.features, self._rows_for_exact_reasons(work), work.contributions)
        self.runtime.metrics.step("explain", since)
        return work

    def explain_alerting(self, work: Work) -> Work:
        """Compute the reasons of alerting samples alone, if the answers are not sent: an alert needs no others."""
        since = perf_counter()
        work.reasons = [[] for _ in range(len(work.risks))]
        alerting = np.flatnonzero(work.risks >= work.model.threshold)
        exact = np.flatnonzero(np.isin(alerting, self._rows_for_exact_reasons(work)))
        found = work.model.reasons(work.features[alerting], exact)
        for row, reasons in zip(alerting.tolist(), found, strict=True):
            work.reasons[row] = reasons
        self.runtime.metrics.step("explain", since)
        return work

    def alert(self, work: Work) -> Work:
        """Open and close alerts, write dead letters, and detect stale devices."""
        since = perf_counter()
        runtime = self.runtime
        runtime.active_alerts.update(runtime.state, work, ~work.quarantined)
        runtime.housekeeping()
        self._write_letters(work)
        runtime.metrics.count(work.status)
        runtime.metrics.step("alert", since)
        return work

    def run(self, body: object, content_type: str = "") -> list[Answer]:
        """Run all steps on a body and return the answers."""
        answers = self.process(self.validate(body, content_type)).answers()
        if self.runtime.replay.due:
            self.runtime.replay.write()
        return answers

    def process(self, work: Work) -> Work:
        """Run the steps after the validation."""
        return self.alert(self.explain(self.score(self.features(work))))

    def process_without_answers(self, work: Work) -> Work:
        """Run the steps after the validation, if the answers are not sent; state and alerts are the same."""
        return self.alert(self.explain_alerting(self.score(self.features(work), explained=False)))

    def _rows_for_exact_reasons(self, work: Work) -> npt.NDArray[np.int64]:
        """Return the alerting samples that get exact reasons: first those that may open an alert.

        The first samples of a device open its alert, so the first samples of all devices have priority.
        """
        alerting = np.flatnonzero(work.risks >= work.model.threshold)
        if len(alerting) == 0:
            return alerting
        codes = work.codes[work.scored[alerting]]
        is_open = self.runtime.state.tracker.is_open(codes)
        limit = ceil(self.runtime.settings.exact_reasons * work.samples.share)
        return alerting[np.lexsort((_rank(codes), is_open))][:limit]

    def _write_letters(self, work: Work) -> None:
        if work.status.any() and (bad := np.flatnonzero(work.status >= LATE).tolist()):
            self.runtime.letters.write(self._letter(work, row) for row in bad)

    def _letter(self, work: Work, row: int) -> Letter:
        samples = work.samples
        origin = self.origin | {"offset": samples.offsets[row]} if samples.offsets else {}
        if work.status[row] == REJECTED:
            return letter("rejected", samples.errors.get(row), samples.raw.get(row)) | origin
        return letter("late", None, self._sent(samples, row)) | origin

    def _sent(self, samples: Samples, row: int) -> Letter:
        values = dict(zip(self.runtime.model.spec.metrics, _known(samples.values[row]), strict=True))
        return {"timestamp": samples.stamps[row], "device": samples.devices[row], **values}


def _rank(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the position of each row among the rows of its device, from 0."""
    order = np.argsort(codes, kind="stable")
    first = np.flatnonzero(np.diff(codes[order], prepend=-1))
    rank = np.empty(len(codes), dtype=np.int64)
    rank[order] = np.arange(len(codes)) - np.repeat(first, np.diff(np.append(first, len(codes))))
    return rank


def _bytes(body: object) -> bytes:
    """Return a body as bytes; a number is rejected, because ``bytes(n)`` would return n zero bytes."""
    if isinstance(body, str):
        return body.encode("utf-8", "replace")
    if body is None or isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body or b"")
    raise BodyError(f"expected bytes, found {type(body).__name__}", 400)


def _known(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [value if value == value else None for value in values.tolist()]
