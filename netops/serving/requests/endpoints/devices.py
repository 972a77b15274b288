"""``GET /devices``: the state of each device."""

from itertools import islice
from typing import Annotated

import msgspec
from msgspec import Meta

from netops.serving.decode.times import iso
from netops.serving.engine.clock import NEVER
from netops.serving.engine.runtime import Runtime
from netops.serving.requests.endpoint import StateEndpoint


class DevicesQuery(msgspec.Struct):
    """Which devices."""

    limit: Annotated[int, Meta(ge=1, le=100_000, description="maximum number of entries")] = 1000
    offset: Annotated[int, Meta(ge=0, le=10_000_000, description="number of entries to skip")] = 0


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


def devices(runtime: Runtime, query: DevicesQuery) -> list[DeviceState]:
    """Return devices, in the order in which they were first seen (in each partition of a stream)."""
    known = ((part, code) for part in runtime.parts for code in part.state.table.codes())
    return [_device(part, code) for part, code in islice(known, query.offset, query.offset + query.limit)]


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


DEVICES = StateEndpoint("GET", "/devices", devices)
