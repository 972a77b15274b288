"""``/roll-up``: the alerts of a process for the roll-up by site, and what is decided for them."""

import logging

import msgspec

from netops.alerting.rollup import site_sizes
from netops.serving.alerts.network_sites import Decision, RollUpAlert
from netops.serving.engine.lease import FencedError
from netops.serving.engine.partitions import Partition
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.requests.endpoint import StateEndpoint

_LOG = logging.getLogger(__name__)


class SiteSize(msgspec.Struct):
    """The number of devices of a site."""

    level: str
    company: str | None
    site: str
    devices: int


class PartitionAlerts(msgspec.Struct):
    """A partition: its position, event time (ns), numbers of devices, and risk alerts."""

    number: int
    offset: int
    end: int
    event_time: int
    sizes: list[SiteSize]
    alerts: list[RollUpAlert]


class Decided(msgspec.Struct):
    """The number of partitions that have stored the decision."""

    partitions: int


def to_roll_up(runtime: Runtime) -> list[PartitionAlerts]:
    """Return the risk alerts of each partition of this process, for the roll-up by site."""
    owned = {} if runtime.partitions is None else runtime.partitions.owned
    return [_alerts_of(one) for one in owned.values() if one.runtime.active_alerts.is_reconciled]


def _alerts_of(partition: Partition) -> PartitionAlerts:
    runtime = partition.runtime
    table, offset = runtime.state.table, runtime.offset or 0
    sizes = site_sizes(table.locations)  # of a code that is not in use, it is unknown
    return PartitionAlerts(
        partition.number,
        offset,
        offset + 1 if partition.end is None else max(offset, partition.end),  # unknown: messages may wait
        runtime.state.clock.now,
        [SiteSize(*site, count) for site, count in sizes.items()],
        runtime.active_alerts.to_roll_up(),
    )


def decide(runtime: Runtime, body: Decision) -> Decided:
    """Apply what the process with partition 0 has decided for the alerts of this process.

    Raises
    ------
    BodyError
        409 if another process is known to own partition 0. What has just taken it over is known within seconds,
        and decides again.
    """
    partitions = runtime.partitions
    if partitions is None or partitions.roll_up_token not in (None, body.token):
        raise BodyError("partition 0 has another owner", 409)
    stored = 0
    for one in list(partitions.owned.values()):
        try:
            one.runtime.active_alerts.decide(body)
            stored += 1
        except FencedError as error:  # the next owner reports its alerts
            _LOG.warning("%s", error)
    return Decided(stored)


TO_ROLL_UP = StateEndpoint("GET", "/roll-up", to_roll_up, tag="peers")
DECIDE = StateEndpoint("POST", "/roll-up", decide, tag="peers", errors={409: "Partition 0 has another owner"})
