"""``GET /healthz`` and ``GET /readyz``: the state of the server."""

from collections.abc import Sequence
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from netops.serving.decode.times import iso
from netops.serving.engine.clock import NEVER
from netops.serving.engine.lease import FencedError
from netops.serving.engine.partitions import Partitions
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.requests.endpoint import Endpoint, Request, StateEndpoint
from netops.serving.requests.processes import Peer, Processes
from netops.serving.requests.reply import Reply
from netops.serving.requests.scope import Own, missing_names, missing_numbers


class PartitionHealth(msgspec.Struct):
    """A partition of a stream: ``offset`` is the next message, ``lag`` the number of messages that wait.

    While ``status`` is ``waiting``, another process has not released the state yet. If it is ``missing``, no
    process that answers owns the partition; ``why`` is the reason.
    """

    topic: str
    partition: int
    status: str
    offset: int | None = None
    lag: int | None = None
    event_time: str | None = None
    devices: int = 0
    why: str = ""


class PeerHealth(msgspec.Struct):
    """Another process that reads the stream; ``why`` it does not answer, empty if it does."""

    url: str
    why: str


class Health(msgspec.Struct):
    """State of the server.

    ``replay_point`` is the event time up to which the state is on disk: after a crash, later samples must be sent
    again. Null before the first snapshot: all samples. ``status`` is ``degraded`` if there are ``problems``;
    samples are still scored. ``warnings`` lists differences between the samples and the training data of the
    champion. ``partitions`` are those of a stream that this process reads; their state is restored by itself. With
    ``peers``, counts and ``partitions`` are of all processes; ``peers`` and why they do not answer are shown with
    the token only.
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
    peers: list[PeerHealth] = []


def health(runtime: Runtime) -> Health:
    """Return the health of the server, and the replay point after a crash."""
    parts, partitions = runtime.parts, runtime.partitions
    for part in parts:
        with suppress(FencedError):  # taken over: the reader releases it within a second
            part.active_alerts.flush(part.state)  # detects a recovered store also if there are no samples
    problems = [part.active_alerts.guard.trouble for part in parts]
    if partitions is not None:
        problems += [partitions.trouble, partitions.stalled, partitions.refusals]
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


async def _of_all(processes: Processes, _: Endpoint, request: Request) -> Reply:
    """Combine the health of this process with what its peers have reported last: a probe must not wait for them."""
    assert processes.runtime.partitions is not None
    topic = processes.runtime.partitions.topic
    found = combined(health(processes.runtime), processes.own(), processes.peers(), topic)
    return Reply(200, found if request.is_allowed else without_addresses(found))


def without_addresses(found: Health) -> Health:
    """Return health without the peers, and without what is known of them: for a request without the token."""
    shown = [replace(one, why="") if one.status == "missing" else one for one in found.partitions]
    return replace(found, partitions=shown, peers=[])


def combined(own: Health, ours: Own, peers: Sequence[Peer], topic: str) -> Health:
    """Combine the health of a process with that of its peers.

    Parameters
    ----------
    own : Health
        That of the process.
    ours : Own
        Its partitions.
    peers : sequence of Peer
        The other processes, with what they have reported last.
    topic : str
        Name of the topic.
    """
    reported: list[Health] = [own, *(peer.health for peer in peers if peer.health is not None)]
    missing = missing_numbers([ours, *(peer.own for peer in peers if peer.own is not None)])
    lost = "; ".join(f"{peer.url}: {peer.why}" for peer in peers if peer.why) or "no process has taken it over yet"
    listed = [one for health in reported for one in health.partitions]
    partitions = {one.partition: one for one in listed if one.status == "owned"}
    for one in listed:
        partitions.setdefault(one.partition, replace(one, why="its previous owner has not released the state"))
    for number in missing or ():
        partitions.setdefault(number, PartitionHealth(topic, number, "missing", why=lost))
    problems = {problem for health in reported for problem in health.problems}
    if names := missing_names(missing, topic):
        problems.add(f"no process answers for {', '.join(names)}")
    times = [health.event_time for health in reported if health.event_time is not None]
    return replace(
        own,
        status="degraded" if problems else "ok",
        event_time=min(times, default=None),
        devices=sum(health.devices for health in reported),
        alerts=sum(health.alerts for health in reported),
        problems=sorted(problems),
        warnings=sorted({warning for health in reported for warning in health.warnings}),
        partitions=[partitions[number] for number in sorted(partitions)],
        peers=[PeerHealth(peer.url, peer.why) for peer in peers],
    )


HEALTH = StateEndpoint("GET", "/healthz", health, is_open=True, combine=_of_all)
#: Without a champion, ``http.waiting`` answers.
READY = StateEndpoint("GET", "/readyz", ready, is_open=True, errors={503: "The server is not ready"})
