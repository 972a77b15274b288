"""``GET /alerts``: the open alerts, or all of them."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from netops.serving.alerts.store import Alert
from netops.serving.alerts.store_guard import for_a_request
from netops.serving.engine.runtime import Runtime
from netops.serving.requests.endpoint import STORE_ERROR, StateEndpoint
from netops.serving.requests.processes import Merged


class AlertsQuery(msgspec.Struct):
    """Which alerts."""

    every: Annotated[bool, Meta(description="include ended alerts")] = msgspec.field(name="all", default=False)
    limit: Annotated[int, Meta(ge=1, le=100_000, description="maximum number of entries")] = 1000


def alerts(runtime: Runtime, query: AlertsQuery) -> list[Alert]:
    """Return alerts, newest first: the open ones, or all stored ones.

    Raises
    ------
    BodyError
        If all are requested and the store cannot be read.
    """
    if query.every:
        with for_a_request():
            found = [alert for part in runtime.parts for alert in part.store.recent(limit=query.limit)]
    else:
        found = [alert for part in runtime.parts for alert in _open(part, query.limit)]
    return newest([found], query)


def newest(found: Sequence[Sequence[Alert]], query: AlertsQuery) -> list[Alert]:
    """Merge the alerts of several partitions or processes, newest first."""
    alerts = merge_sites([alert for one in found for alert in one])
    return sorted(alerts, key=lambda alert: (alert.opened, alert.id), reverse=True)[: query.limit]


def _open(runtime: Runtime, limit: int) -> list[Alert]:
    found = runtime.active_alerts.current()[:limit]

    def add_verdicts() -> None:
        verdicts = runtime.store.verdicts_of_open()
        for alert in found:
            alert.verdict = verdicts.get(alert.id)

    runtime.active_alerts.guard.read(add_verdicts)
    return found


def merge_sites(alerts: list[Alert]) -> list[Alert]:
    """Merge the alerts of a site whose devices are in several partitions, if they opened at the same time."""
    found: dict[str, Alert] = {}
    for alert in alerts:
        if (known := found.get(alert.id)) is not None:
            alert = replace(known, devices=sorted({*known.devices, *alert.devices}))
        found[alert.id] = alert
    return list(found.values())


ALERTS = StateEndpoint("GET", "/alerts", alerts, errors=STORE_ERROR, combine=Merged(newest))
