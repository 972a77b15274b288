"""The steps from a request's samples to its answers: validate, features, score, explain, alert.

Plain Python, without MLRun: the steps of the serving graph are thin classes over these methods, so that the HTTP
server, MLRun's mock server and a Nuclio function run the very same code.
"""

from collections.abc import Sequence
from math import ceil
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from netops.features.engine import LATE
from netops.serving.decode.arrow import read_arrow
from netops.serving.decode.remote_write import Point, read_remote_write
from netops.serving.engine.dead_letters import letter
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import REJECTED, Answer, BodyError, Samples, refuse_broken_text
from netops.serving.engine.work import Work

ARROW_TYPES = ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file")
NDJSON_TYPES = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines")
REMOTE_WRITE_TYPE = "application/x-protobuf"


class Unreadable(NamedTuple):
    """A body that cannot be read at all."""

    body: Any
    error: BodyError


class Pipeline:
    """Takes requests through the steps, one request at a time.

    Parameters
    ----------
    runtime : Runtime
        The champion, the state of the devices and all else that lasts.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def validate(self, body: Any, content_type: str = "") -> Work:
        """Read the samples of a body; those that are none are rejected, and kept as dead letters.

        Parameters
        ----------
        body : bytes, str, dict, list, Samples or Work
            As it came, or as far as it has been read already.
        content_type : str
            JSON where nothing else is said.

        Raises
        ------
        BodyError
            If nothing of the body can be answered sample by sample.
        """
        since = perf_counter()
        samples = body if isinstance(body, Samples) else self.read(body, content_type)
        work = Work.of(samples, self.runtime.model)
        self.runtime.metrics.step("validate", since)
        return work

    def read(self, body: Any, content_type: str = "") -> Samples:
        """Read the samples of a body; one that cannot be read at all is kept as a dead letter.

        Raises
        ------
        BodyError
            If nothing of the body can be answered sample by sample.
        """
        return self.admit(self.parse(body, content_type))

    def parse(self, body: Any, content_type: str = "") -> "Samples | list[Point] | Unreadable":
        """Take a body apart; touches no state, so that it may run in another thread."""
        try:
            found = self._parse(body, content_type)
        except BodyError as error:
            return Unreadable(body, error)
        if isinstance(found, Samples):
            refuse_broken_text(found)
        return found

    def admit(self, parsed: "Samples | list[Point] | Unreadable") -> Samples:
        """Turn what was parsed into samples: values of remote write are joined, an unreadable body is kept.

        Raises
        ------
        BodyError
            If nothing of the body can be answered sample by sample.
        """
        runtime = self.runtime
        if isinstance(parsed, Unreadable):
            runtime.letters.write([letter("rejected", str(parsed.error), parsed.body)])
            runtime.metrics.count(np.full(1, REJECTED))
            raise parsed.error
        if isinstance(parsed, Samples):
            return parsed
        if parsed:
            runtime.replay.take(min(point.timestamp for point in parsed))
        return runtime.joiner.add(parsed, runtime.state.clock.now)

    def _parse(self, body: Any, content_type: str) -> "Samples | list[Point]":
        runtime, limits = self.runtime, self.runtime.settings.limits
        kind = content_type.partition(";")[0].strip().lower()
        metrics = runtime.model.spec.metrics
        if kind in ARROW_TYPES:
            return read_arrow(_bytes(body), metrics, limits.batch, limits.name_length)
        if kind in NDJSON_TYPES:
            return runtime.reader.read_lines(_bytes(body))
        if kind == REMOTE_WRITE_TYPE:
            return read_remote_write(_bytes(body), limits.body_bytes, limits.batch, limits.name_length)
        return runtime.reader.read(body)

    def refuse_late(self, samples: Samples, rows: Sequence[int]) -> None:
        """Reject late samples of a request that holds too many of them; they are kept as dead letters."""
        limit = self.runtime.settings.limits.late
        for row in rows:
            if row not in samples.errors:
                samples.errors[row] = f"more than {limit} late samples in one request (limits.late)"
                samples.raw[row] = self._sent(samples, row)

    def features(self, work: Work) -> Work:
        """Update the windows of the devices and take the feature vectors out of them."""
        since = perf_counter()
        back = self.runtime.state.update(work)
        if len(work.scored):
            self.runtime.replay.take(int(work.samples.timestamps[work.scored].min()))
        if len(back):
            self.runtime.book.speak(self.runtime.state, back.tolist())
        self.runtime.metrics.step("features", since)
        return work

    def score(self, work: Work) -> Work:
        """Score the feature vectors with the champion."""
        since = perf_counter()
        features = work.features
        work.features = work.model.select(features)
        if len(work.scored):
            work.risks, work.probabilities = work.model.both(work.features)
        self.runtime.state.keep_risks(work)
        self.runtime.metrics.step("score", since)
        if self.runtime.shadow.model is not None:
            self.runtime.shadow.follow(work, features)
        return work

    def explain(self, work: Work) -> Work:
        """Name the reasons: exact ones for samples that alert, up to a limit a request, quick ones for others."""
        since = perf_counter()
        work.reasons = work.model.reasons(work.features, self._worth_exactness(work))
        self.runtime.metrics.step("explain", since)
        return work

    def alert(self, work: Work) -> Work:
        """Open and close alerts, note what was not taken, and look who has fallen silent."""
        since = perf_counter()
        runtime = self.runtime
        runtime.book.follow(runtime.state, work, ~work.on_trial)
        runtime.watch()
        self._keep_letters(work)
        runtime.metrics.count(work.status)
        runtime.metrics.step("alert", since)
        return work

    def run(self, body: Any, content_type: str = "") -> list[Answer]:
        """Take one body through all steps."""
        work = self.validate(body, content_type)
        answers = self.alert(self.explain(self.score(self.features(work)))).answers()
        if self.runtime.replay.due:
            self.runtime.replay.write()
        return answers

    def _worth_exactness(self, work: Work) -> npt.NDArray[np.int64]:
        """Choose the alerting samples whose reasons are to be exact: first those that may open an alert.

        Of a device's samples the first ones open it: those of the others are not kept waiting behind the rest.
        """
        alerting = np.flatnonzero(work.risks >= work.model.threshold)
        if len(alerting) == 0:
            return alerting
        codes = work.codes[work.scored[alerting]]
        is_open = self.runtime.state.tracker.is_open(codes)
        most = ceil(self.runtime.settings.exact_reasons * work.samples.share)
        return alerting[np.lexsort((_rank(codes), is_open))][:most]

    def _keep_letters(self, work: Work) -> None:
        if work.status.any() and (bad := np.flatnonzero(work.status >= LATE).tolist()):
            self.runtime.letters.write(self._letter(work, row) for row in bad)

    def _letter(self, work: Work, row: int) -> dict[str, Any]:
        samples = work.samples
        if work.status[row] == REJECTED:
            return letter("rejected", samples.errors.get(row), samples.raw.get(row))
        return letter("late", None, self._sent(samples, row))

    def _sent(self, samples: Samples, row: int) -> dict[str, Any]:
        values = dict(zip(self.runtime.model.spec.metrics, _known(samples.values[row]), strict=True))
        return {"timestamp": samples.stamps[row], "device": samples.devices[row], **values}


def _rank(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the rank of each row among those of its device, from 0."""
    order = np.argsort(codes, kind="stable")
    first = np.flatnonzero(np.diff(codes[order], prepend=-1))
    rank = np.empty(len(codes), dtype=np.int64)
    rank[order] = np.arange(len(codes)) - np.repeat(first, np.diff(np.append(first, len(codes))))
    return rank


def _bytes(body: Any) -> bytes:
    """Give a body as it came; a number, of which Python would make that many zero bytes, is none."""
    if isinstance(body, str):
        return body.encode("utf-8", "replace")
    if body is None or isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body or b"")
    raise BodyError(f"expected bytes, found {type(body).__name__}", 400)


def _known(values: Any) -> list[float | None]:
    return [value if value == value else None for value in values.tolist()]
