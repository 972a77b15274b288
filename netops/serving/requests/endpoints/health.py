"""``GET /healthz`` and ``GET /readyz``: the state of the server."""

import msgspec

from netops.serving.decode.times import iso
from netops.serving.engine.clock import NEVER
from netops.serving.engine.runtime import Runtime
from netops.serving.requests.endpoint import StateEndpoint


class Health(msgspec.Struct):
    """State of the server.

    ``replay_point`` is the event time up to which the state is on disk: after a crash, later samples must be sent
    again. Null before the first snapshot: all samples. ``status`` is ``degraded`` if there are ``problems``;
    samples are still scored. ``warnings`` lists differences between the samples and the training data of the
    champion.
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


def health(runtime: Runtime) -> Health:
    """Return the health of the server, and the replay point after a crash."""
    point, now = runtime.replay_point, runtime.state.clock.now
    runtime.active_alerts.flush(runtime.state)  # detects a recovered store also if there are no samples
    trouble = runtime.active_alerts.guard.trouble
    return Health(
        "degraded" if trouble else "ok",
        runtime.network,
        runtime.model.version,
        iso(point) if point is not None and point > NEVER else None,
        iso(now) if now > NEVER else None,
        len(runtime.state.table),
        len(runtime.active_alerts.open),
        [trouble] if trouble else [],
        list(runtime.state.recent.found),
    )


def ready(runtime: Runtime) -> Health:
    """Return the same as ``/healthz``; 503 while the network has no champion."""
    return health(runtime)


HEALTH = StateEndpoint("GET", "/healthz", health, is_open=True)
#: Without a champion, ``http.waiting`` answers.
READY = StateEndpoint("GET", "/readyz", ready, is_open=True)
