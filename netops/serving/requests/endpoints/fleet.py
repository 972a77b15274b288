"""``GET /fleet``: the changes of all devices as columns, for live views."""

from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from msgspec.structs import replace

from netops.serving.engine.clock import NEVER
from netops.serving.engine.runtime import Runtime
from netops.serving.requests.endpoint import Endpoint, Request, StateEndpoint
from netops.serving.requests.processes import Processes
from netops.serving.requests.reply import Reply
from netops.serving.requests.schemas import Fleet

_COLUMNS = ("devices", "companies", "data_centers", "last", "risk", "alerting", "silent", "on_trial")


class FleetQuery(msgspec.Struct):
    """Since when."""

    since: Annotated[int, Meta(ge=0, le=2**62, description="cursor of a previous answer")] = 0


def fleet(runtime: Runtime, query: FleetQuery) -> Fleet:
    """Return the devices that changed since a previous answer, as columns, for live views.

    All devices are returned if the cursor is 0 or from before a restart.
    """
    if runtime.partitions is None:
        return _changes(runtime, query.since)
    cursors, parts = runtime.partitions.cursors, runtime.parts
    before = cursors.positions(query.since)
    found = [_changes(part, before.get(str(part.folder), 0)) for part in parts]
    cursor = cursors.add({str(part.folder): one.cursor for part, one in zip(parts, found, strict=True)})
    return _joined(_changes(runtime, 0), found, cursor)


def _joined(root: Fleet, parts: list[Fleet], cursor: int) -> Fleet:
    """Return the answers of several partitions as one: all columns and lists one after another."""
    joined = {name: [value for part in parts for value in getattr(part, name)] for name in _COLUMNS}
    times = [part.event_time for part in parts if part.event_time is not None]
    known = sum(part.known for part in parts)
    return replace(root, event_time=min(times, default=None), cursor=cursor, known=known, **joined)


def _changes(runtime: Runtime, cursor: int) -> Fleet:
    state, model = runtime.state, runtime.model
    table, clock = state.table, state.clock
    codes = np.array(table.codes(), dtype=np.int64)
    since = cursor if cursor <= clock.arrivals else 0
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


async def _of_all(processes: Processes, endpoint: Endpoint, request: Request) -> Reply:
    """Join the answers of all processes; a cursor has the cursor of each."""
    partitions = processes.runtime.partitions
    assert partitions is not None
    assert endpoint.parameters is not None
    query = endpoint.parameters.read(request.query)
    assert isinstance(query, FleetQuery)
    before = partitions.cursors.positions(query.since)
    answers = await processes.ask_all(endpoint, request, lambda instance: {"since": before.get(instance, 0)})
    # What a process does not answer now is included once it answers again.
    cursor = partitions.cursors.add({**before, **{one.own.instance: one.value.cursor for one in answers.found}})
    return answers.reply(_joined(_changes(processes.runtime, 0), [one.value for one in answers.found], cursor))


FLEET = StateEndpoint("GET", "/fleet", fleet, combine=_of_all)
