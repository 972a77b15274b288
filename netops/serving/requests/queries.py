"""Queries of a running server."""

import msgspec
import numpy as np

from netops.errors import UsageError
from netops.features.saved import unpack
from netops.feedback.records import Feedback
from netops.serving.alerts.store import Alert
from netops.serving.alerts.store_guard import for_a_request
from netops.serving.decode.times import iso
from netops.serving.engine.clock import NEVER
from netops.serving.engine.runtime import Runtime
from netops.serving.requests.schemas import Fleet, History

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


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


class DeviceState(msgspec.Struct):
    """State of a device. A stale device (``silent``) has no risk; ``on_trial``: quarantined."""

    device: str
    company: str | None
    data_center: str | None
    last: str | None
    risk: float | None
    alert: bool
    silent: bool
    on_trial: bool


def health(runtime: Runtime) -> Health:
    """Return the health of the server."""
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


def alerts(runtime: Runtime, every: bool = False, limit: int = 1000) -> list[Alert]:
    """Return alerts, newest first: the open ones, or all stored ones.

    Raises
    ------
    BodyError
        If all are requested and the store cannot be read.
    """
    if every:
        with for_a_request():
            return runtime.store.recent(limit=limit)
    found = runtime.active_alerts.current()[:limit]

    def add_verdicts() -> None:
        verdicts = runtime.store.verdicts_of_open()
        for alert in found:
            alert.verdict = verdicts.get(alert.id)

    runtime.active_alerts.guard.read(add_verdicts)
    return found


def devices(runtime: Runtime, limit: int = 1000, offset: int = 0) -> list[DeviceState]:
    """Return devices in the order in which they were first seen."""
    return [_device(runtime, code) for code in runtime.state.table.codes()[offset : offset + limit]]


def _device(runtime: Runtime, code: int) -> DeviceState:
    state = runtime.state
    name, newest, risk = str(state.table.names[code]), int(state.clock.newest[code]), float(state.risk[code])
    return DeviceState(
        name,
        *state.table.locations[code],
        iso(newest) if newest > NEVER else None,
        risk if risk == risk else None,
        ("risk", name) in runtime.active_alerts.open,
        bool(state.clock.silent[code]),
        code in state.quarantine,
    )


def fleet(runtime: Runtime, since: int = 0) -> Fleet:
    """Return the devices seen since a cursor, or all if the cursor is 0 or from before a restart."""
    state, model = runtime.state, runtime.model
    table, clock = state.table, state.clock
    codes = np.array(table.codes(), dtype=np.int64)
    since = since if since <= clock.arrivals else 0
    changed = codes[clock.arrival[codes] >= since] if since else codes
    listed = changed.tolist()
    return Fleet(
        runtime.network,
        model.version,
        tuple(model.spec.metrics),
        model.threshold,
        model.horizon / 1e9,
        clock.now // 10**6 if clock.now > NEVER else None,
        clock.arrivals,
        len(table),
        [str(table.names[code]) for code in listed],
        [table.locations[code][0] for code in listed],
        [table.locations[code][1] for code in listed],
        (clock.newest[changed] // 10**6).tolist(),
        state.risk[changed].tolist(),
        [device for kind, device in runtime.active_alerts.open if kind == "risk"],
        [str(table.names[code]) for code in codes[clock.silent[codes]].tolist()],
        [str(table.names[code]) for code in state.quarantine],
    )


def history(runtime: Runtime, device: str) -> History:
    """Return the samples in the longest window of a device.

    Raises
    ------
    UsageError
        If the device is unknown.
    """
    state = runtime.state
    if (code := state.table.code(device)) is None:
        raise UsageError(f"no device {device!r}; see GET /devices")
    spec = state.engine.spec
    times, values = unpack(spec, 0, state.engine.save(code))
    columns = zip(spec.metrics, values.T, strict=True)
    return History(device, (times // 10**6).tolist(), {name: column.tolist() for name, column in columns})


def feedback(runtime: Runtime) -> Feedback:
    """Return all feedback on the network.

    Raises
    ------
    BodyError
        If the store cannot be read.
    """
    with for_a_request():
        return runtime.store.feedback(runtime.network)
