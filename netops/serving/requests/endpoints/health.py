"""``GET /healthz`` and ``GET /readyz``: the state of the server."""

import msgspec

from netops.serving.decode.times import iso
from netops.serving.engine.clock import NEVER
from netops.serving.engine.partitions import Partitions
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.requests.endpoint import StateEndpoint


class PartitionHealth(msgspec.Struct):
    """A partition of a stream: ``offset`` is the next message, ``lag`` the number of messages that wait.

    While ``status`` is ``waiting``, another process has not released the state yet.
    """

    topic: str
    partition: int
    status: str
    offset: int | None = None
    lag: int | None = None
    event_time: str | None = None
    devices: int = 0


class Health(msgspec.Struct):
    """State of the server.

    ``replay_point`` is the event time up to which the state is on disk: after a crash, later samples must be sent
    again. Null before the first snapshot: all samples. ``status`` is ``degraded`` if there are ``problems``;
    samples are still scored. ``warnings`` lists differences between the samples and the training data of the
    champion. ``partitions`` are those of a stream that this process reads; their state is restored by itself.
    """

    status: str
    network: str
    model: str
    replay_point: str | None
    event_time: str | None
    devices: int
    alerts: int
    problems: list[str] = []
    warnings: list[str] = []
    partitions: list[PartitionHealth] = []


def health(runtime: Runtime) -> Health:
    """Return the health of the server, and the replay point after a crash."""
    parts, partitions = runtime.parts, runtime.partitions
    for part in parts:
        part.active_alerts.flush(part.state)  # detects a recovered store also if there are no samples
    problems = [part.active_alerts.guard.trouble for part in parts] + [partitions.trouble if partitions else ""]
    found = sorted({problem for problem in problems if problem})
    now = min((part.state.clock.now for part in parts if part.state.clock.now > NEVER), default=NEVER)
    return Health(
        "degraded" if found else "ok",
        runtime.network,
        runtime.model.version,
        _time(runtime.replay_point) if partitions is None else None,
        _time(now),
        sum(len(part.state.table) for part in parts),
        sum(len(part.active_alerts.open) for part in parts),
        found,
        sorted({warning for part in parts for warning in part.state.recent.found}),
        [] if partitions is None else partition_health(partitions),
    )


def partition_health(partitions: Partitions) -> list[PartitionHealth]:
    """Return the state of the partitions that a process reads, by number."""
    owned = [
        PartitionHealth(
            one.topic,
            one.number,
            "owned",
            one.runtime.offset,
            one.lag,
            _time(one.runtime.state.clock.now),
            len(one.runtime.state.table),
        )
        for one in partitions.owned.values()
    ]
    waiting = [
        PartitionHealth(partitions.topic, number, "waiting")
        for number in partitions.waiting - set(partitions.owned)
    ]
    return sorted([*owned, *waiting], key=lambda one: one.partition)


def _time(moment: int | None) -> str | None:
    return iso(moment) if moment is not None and moment > NEVER else None


def ready(runtime: Runtime) -> Health:
    """Return the same as ``/healthz``; 503 while the network has no champion.

    A server that reads a stream answers 503 until it has opened the partitions that it was first assigned.

    Raises
    ------
    BodyError
        503 if it is not ready.
    """
    partitions = runtime.partitions
    if partitions is not None and not partitions.is_ready:
        raise BodyError(_reason(partitions), 503)
    return health(runtime)


def _reason(partitions: Partitions) -> str:
    """Return why a process is not ready."""
    waiting = ", ".join(map(str, sorted(partitions.waiting)))
    state = f"partitions {waiting} are not open yet" if waiting else "no partitions have been assigned yet"
    return f"topic {partitions.topic}: {state}" + (f": {partitions.trouble}" if partitions.trouble else "")


HEALTH = StateEndpoint("GET", "/healthz", health, is_open=True)
#: Without a champion, ``http.waiting`` answers.
READY = StateEndpoint("GET", "/readyz", ready, is_open=True, errors={503: "The server is not ready"})
