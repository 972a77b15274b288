"""``GET /history``: the samples in the windows of a device."""

from typing import Annotated

import msgspec
from msgspec import Meta

from netops.features.saved import unpack
from netops.serving.engine.partitions import owner_of
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.requests.endpoint import StateEndpoint
from netops.serving.requests.processes import ByName
from netops.serving.requests.schemas import History


class HistoryQuery(msgspec.Struct):
    """Of which device."""

    device: Annotated[str, Meta(description="name of the device")]


def history(runtime: Runtime, query: HistoryQuery) -> History:
    """Return the samples in a device's windows.

    Raises
    ------
    BodyError
        If the device is unknown.
    """
    owner = owner_of(runtime.parts, query.device)
    if owner is None or (code := owner.state.table.code(query.device)) is None:
        raise BodyError(f"no device {query.device!r}; see GET /devices", 404)
    engine = owner.state.engine
    spec = engine.spec
    times, values = unpack(spec, 0, engine.save(code))
    columns = zip(spec.metrics, values.T, strict=True)
    return History(query.device, (times // 10**6).tolist(), {name: column.tolist() for name, column in columns})


HISTORY = StateEndpoint("GET", "/history", history, errors={404: "The device is unknown"}, combine=ByName("device"))
