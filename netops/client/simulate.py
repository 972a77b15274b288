"""``netops simulate``: replay telemetry to a server in real time or faster, and report the responses.

Samples are sent in slices of event time; in each slice, every connection sends the samples of its own devices in
order. Samples newer than the server's replay point are buffered, so that after a lost connection the replay resumes
from there; the server ignores samples it has already processed.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from time import perf_counter

import msgspec
import numpy as np

from netops.client.http import Connection
from netops.client.playback import Chunk, Integers, Playback, Truth
from netops.config.durations import SECOND
from netops.errors import NetopsError
from netops.serving.alerts.outcome import Outcome, assess
from netops.serving.alerts.store import Alert
from netops.serving.decode.times import nanoseconds
from netops.serving.engine.samples import STATUSES, Answer

#: Wall time (s) of a slice, maximum samples per request, and seconds between queries of the server's replay point.
SLICE, BATCH, ASK = 0.1, 1000, 2.0
#: Pauses (s) between attempts to reach a lost server.
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0


class _Health(msgspec.Struct):
    replay_point: str | None = None


class _Model(msgspec.Struct):
    horizon_seconds: float


@dataclass
class Live:
    """Progress of a replay.

    Attributes
    ----------
    sent : int
        Samples, including those sent again.
    answered : dict
        Status → samples.
    alerts : int
        Alerts opened.
    lost : int
        Number of lost connections.
    event_time : int
        Time of the newest sample sent (ns).
    latencies : deque of float
        Latencies of the latest requests, in seconds.
    """

    sent: int = 0
    answered: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    alerts: int = 0
    lost: int = 0
    event_time: int = 0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=20_000))

    def percentiles(self) -> dict[str, float]:
        """Return p50, p90 and p99 of the latest requests in milliseconds."""
        if not self.latencies:
            return {}
        found = np.percentile(np.array(self.latencies), [50, 90, 99]) * 1e3
        return dict(zip(("p50_ms", "p90_ms", "p99_ms"), found.round(3).tolist(), strict=True))


@dataclass(frozen=True)
class Report:
    """Result of a replay; ``outcome`` is None if no ground truth is known."""

    live: Live
    seconds: float
    outcome: Outcome | None

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain values."""
        live = self.live
        return {
            "sent": live.sent,
            "answered": live.answered,
            "alerts": live.alerts,
            "lost_connections": live.lost,
            "seconds": round(self.seconds, 3),
            **live.percentiles(),
            **(self.outcome.to_dict() if self.outcome else {}),
        }


def simulate(
    url: str,
    playback: Playback,
    *,
    speed: float = 60.0,
    connections: int = 4,
    token: str | None = None,
    on_progress: Callable[[Live], None] | None = None,
    reconnect_timeout: float = 60.0,
) -> Report:
    """Replay telemetry to a server.

    Parameters
    ----------
    url : str
        Address of the server.
    playback : Playback
        The telemetry.
    speed : float
        Ratio of event time to wall time; 0: as fast as the server accepts it.
    connections : int
        Maximum concurrent requests.
    token : str, optional
        Bearer token.
    on_progress : callable, optional
        Called once a second, and at the end.
    reconnect_timeout : float
        How long (s) to wait for an unreachable server.

    Raises
    ------
    NetopsError
        If the server cannot be reached or rejects the telemetry.
    """
    return asyncio.run(_Player(url, playback, speed, connections, token, on_progress, reconnect_timeout).play())


class _Player:
    def __init__(
        self,
        url: str,
        playback: Playback,
        speed: float,
        connections: int,
        token: str | None,
        on_progress: Callable[[Live], None] | None,
        reconnect_timeout: float,
    ) -> None:
        self._playback, self._speed, self._reconnect_timeout = playback, speed, reconnect_timeout
        self._lanes = [Connection(url, token) for _ in range(max(1, connections))]
        self._control = Connection(url, token)
        self._on_progress = on_progress or (lambda _live: None)
        self._live, self._truth = Live(), Truth(playback)
        self._buffer: deque[Chunk] = deque()
        self._alerting: set[int] = set()
        self._started = self._anchor = self._queried = self._reported = perf_counter()

    async def play(self) -> Report:
        first = last = 0
        try:
            await self._wait_for_server()
            for chunk in self._slices():
                first = first or int(chunk.timestamps.min())
                last = max(last, int(chunk.timestamps.max()))
                await self._wait_until_due(chunk, first)
                self._buffer.append(chunk)
                await self._send_with_retry(chunk)
                await self._report_and_trim()
            self._on_progress(self._live)
            return Report(self._live, perf_counter() - self._started, await self._outcome(first, last))
        finally:
            for connection in [*self._lanes, self._control]:
                await connection.close()

    def _slices(self) -> Iterator[Chunk]:
        """Yield slices: short periods of event time, or chunks as they are if there is no pacing."""
        for chunk in self._playback.chunks():
            self._truth.add(chunk)
            if len(chunk.devices) == 0:
                continue
            ticks = np.zeros(len(chunk.devices), dtype=np.int64)
            if self._speed > 0:
                # Out-of-order samples are not moved: the slice of a sample is that of the newest time so far.
                ticks = np.maximum.accumulate(chunk.timestamps) // int(max(1, SLICE * self._speed * SECOND))
            cuts = [0, *(np.flatnonzero(np.diff(ticks)) + 1).tolist(), len(ticks)]
            for start, end in pairwise(cuts):
                part = slice(start, end)
                yield Chunk(chunk.devices[part], chunk.timestamps[part], chunk.values[part])

    async def _wait_until_due(self, chunk: Chunk, first: int) -> None:
        if self._speed > 0:
            due = self._anchor + (int(chunk.timestamps.max()) - first) / SECOND / self._speed
            await asyncio.sleep(max(0.0, due - perf_counter()))

    async def _send_with_retry(self, chunk: Chunk) -> None:
        """Send a slice; if the connection is lost, wait for the server and resume from its replay point."""
        pending = [chunk]
        while pending:
            try:
                await self._send(pending[0])
                pending.pop(0)
            except OSError:
                self._live.lost += 1
                since = perf_counter()
                point = await self._wait_for_server()
                # The replay continues at its speed; it does not catch up on the downtime of the server.
                self._anchor += perf_counter() - since
                pending = [sent for sent in self._buffer if int(sent.timestamps.max()) > point]

    async def _send(self, chunk: Chunk) -> None:
        lanes = chunk.devices % len(self._lanes)
        tasks = [
            self._send_lane(connection, chunk, np.flatnonzero(lanes == lane))
            for lane, connection in enumerate(self._lanes)
        ]
        for found in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(found, BaseException):
                raise found
        self._live.event_time = max(self._live.event_time, int(chunk.timestamps.max()))

    async def _send_lane(self, connection: Connection, chunk: Chunk, rows: Integers) -> None:
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH].tolist()
            body = [self._sample(chunk, row) for row in part]
            since = perf_counter()
            answer = await connection.post("/telemetry", body)
            self._live.latencies.append(perf_counter() - since)
            self._count(chunk, part, msgspec.json.decode(answer, type=list[Answer]))

    def _sample(self, chunk: Chunk, row: int) -> dict[str, object]:
        device = int(chunk.devices[row])
        values = zip(self._playback.metrics, chunk.values[row].tolist(), strict=True)
        sample: dict[str, object] = {
            "timestamp": int(chunk.timestamps[row]),
            "device": self._playback.devices[device],
            **{name: value if value == value else None for name, value in values},
        }
        company, data_center = self._playback.locations[device]
        return sample | {"company": company, "data_center": data_center}

    def _count(self, chunk: Chunk, rows: list[int], answers: list[Answer]) -> None:
        self._live.sent += len(rows)
        for row, answer in zip(rows, answers, strict=True):
            self._live.answered[answer.status] += 1
            device = int(chunk.devices[row])
            if answer.alert and device not in self._alerting:
                self._live.alerts += 1
                self._alerting.add(device)
            elif not answer.alert and answer.status == "scored":
                self._alerting.discard(device)

    async def _report_and_trim(self) -> None:
        now = perf_counter()
        if now - self._reported >= 1.0:
            self._reported = now
            self._on_progress(self._live)
        if now - self._queried >= ASK:
            self._queried = now
            try:
                point = await self._replay_point()
            except OSError:
                return
            while self._buffer and int(self._buffer[0].timestamps.max()) <= point:
                self._buffer.popleft()

    async def _wait_for_server(self) -> int:
        """Wait until the server answers; return its replay point (ns)."""
        pause, until = FIRST_PAUSE, perf_counter() + self._reconnect_timeout
        while True:
            try:
                return await self._replay_point()
            except OSError as error:
                if perf_counter() + pause > until:
                    raise NetopsError(f"the server does not respond: {error}") from None
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _replay_point(self) -> int:
        point = (await self._control.get("/healthz", _Health)).replay_point
        return nanoseconds(point) if point else -1

    async def _outcome(self, first: int, last: int) -> Outcome | None:
        incidents = self._truth.incidents(first, last)
        if len(incidents) == 0:
            return None
        alerts = await self._control.get("/alerts?all=true&limit=100000", list[Alert])
        model = await self._control.get("/v2/models/netops", _Model)
        return assess(alerts, incidents, self._playback.devices, int(model.horizon_seconds * SECOND), first, last)
