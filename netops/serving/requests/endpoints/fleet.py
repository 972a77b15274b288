"""``GET /fleet``: the changes of all devices as columns, for live views."""

from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from netops.serving.engine.clock import NEVER
from netops.serving.engine.runtime import Runtime
from netops.serving.requests.endpoint import StateEndpoint
from netops.serving.requests.schemas import Fleet


class FleetQuery(msgspec.Struct):
    """Since when."""

    since: Annotated[int, Meta(ge=0, le=2**62, description="cursor of a previous answer")] = 0


def fleet(runtime: Runtime, query: FleetQuery) -> Fleet:
    """Return the devices that changed since a previous answer, as columns, for live views.

    All devices are returned if the cursor is 0 or from before a restart.
    """
    state, model = runtime.state, runtime.model
    table, clock = state.table, state.clock
    codes = np.array(table.codes(), dtype=np.int64)
    since = query.since if query.since <= clock.arrivals else 0
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


FLEET = StateEndpoint("GET", "/fleet", fleet)
