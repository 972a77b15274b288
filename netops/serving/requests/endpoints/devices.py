"""``GET /devices``: the state of each device."""

from asyncio import gather
from collections.abc import Sequence
from itertools import islice
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from netops.serving.decode.times import iso
from netops.serving.engine.clock import NEVER
from netops.serving.engine.runtime import Runtime
from netops.serving.requests.endpoint import Endpoint, Request, StateEndpoint
from netops.serving.requests.processes import Answers, Processes, marked
from netops.serving.requests.reply import Reply


class DevicesQuery(msgspec.Struct):
    """Which devices."""

    limit: Annotated[int, Meta(ge=1, le=100_000, description="maximum number of entries")] = 1000
    offset: Annotated[int, Meta(ge=0, le=10_000_000, description="number of entries to skip")] = 0
    partition: Annotated[
        Annotated[int, Meta(ge=0, le=2**31)] | None,
        Meta(description="number of the partition of a stream; default: all"),
    ] = None


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
    known = ((part, code) for part in _parts(runtime, query.partition) for code in part.state.table.codes())
    return [_device(part, code) for part, code in islice(known, query.offset, query.offset + query.limit)]


def _parts(runtime: Runtime, number: int | None) -> Sequence[Runtime]:
    if number is None:
        return runtime.parts
    owned = {} if runtime.partitions is None else runtime.partitions.owned
    return [owned[number].runtime] if number in owned else []


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


class Page(NamedTuple):
    """Consecutive devices of a partition: its process, number of the partition, first device and how many."""

    instance: str
    number: int
    offset: int
    limit: int


def pages(answers: Answers, query: DevicesQuery) -> list[Page]:
    """Return which devices of which partitions a page of all devices has; they are in the order of the numbers."""
    owners = {
        number: (one.own.instance, held)
        for one in answers.found
        for number, held in one.own.partitions.items()
        if query.partition in (None, number)
    }
    found, position = [], 0
    for number in sorted(owners):
        instance, held = owners[number]
        first = max(query.offset - position, 0)
        count = min(query.offset + query.limit - position, held.devices) - first
        if count > 0:
            found.append(Page(instance, number, first, count))
        position += held.devices
    return found


async def _of_all(processes: Processes, endpoint: Endpoint, request: Request) -> Reply:
    """Ask for the numbers of devices, then the owners of those on the page."""
    assert endpoint.parameters is not None
    assert processes.runtime.partitions is not None
    query = endpoint.parameters.read(request.query)
    assert isinstance(query, DevicesQuery)
    answers = await processes.ask_all(endpoint, request, lambda _: {"limit": 1, "offset": 0})
    wanted = pages(answers, query)
    found = await gather(
        *(
            processes.ask(
                page.instance,
                endpoint,
                request,
                {"partition": page.number, "offset": page.offset, "limit": page.limit},
            )
            for page in wanted
        )
    )
    listed: list[DeviceState] = []
    missing = list(answers.missing)
    for page, one in zip(wanted, found, strict=True):
        if one is None or one.reply.status != 200 or page.number not in one.own.partitions:
            missing.append(f"{processes.runtime.partitions.topic}-{page.number}")
        else:
            listed += one.value
    return marked(Reply(200, listed), missing)


DEVICES = StateEndpoint("GET", "/devices", devices, combine=_of_all)
