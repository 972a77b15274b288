"""The roll-up of the alerts of all partitions by site, by the process that owns partition 0.

Its lease is that of partition 0, so there is one at a time, and the next owner continues from the store: the ids
of site alerts follow from the device alerts. A site alert is stored before the owners of its device alerts learn of
it.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TypeAlias

import msgspec
import numpy as np

from netops.alerting.rollup import Location, SiteAlert, Sizes, roll_up
from netops.config.durations import SECOND
from netops.files import write_text
from netops.serving.alerts.network_sites import Decision, RollUpAlert
from netops.serving.alerts.site_alerts import key_of
from netops.serving.alerts.store import Alert
from netops.serving.engine.clock import NEVER, median
from netops.serving.engine.lease import SuspendedError
from netops.serving.engine.partitions import Partition
from netops.serving.peers.network import Network
from netops.serving.requests.endpoint import Request
from netops.serving.requests.endpoints.roll_up import DECIDE, TO_ROLL_UP, PartitionAlerts, SiteSize

_LOG = logging.getLogger(__name__)
#: Seconds between two turns, and until the end of a partition includes what was sent when an alert was reported.
_TURN, _FRESH = 1.0, 1.2
#: Turns in which a process may refuse a new owner of partition 0, which it does not know yet.
_REFUSED = 5
_SIZES = "sites.json"


#: The number of partitions, and the alerts and numbers of devices that each has reported.
Seen: TypeAlias = tuple[int, dict[int, tuple[list[RollUpAlert], list[SiteSize]]]]


@dataclass
class Waiting:
    """A change that is considered once all partitions have processed what was sent before it.

    Attributes
    ----------
    since : float
        When it was reported first.
    ends : dict
        Partition → the end of its messages then.
    passed : set of int
        The partitions that have processed them.
    """

    since: float
    ends: dict[int, int] = field(default_factory=dict)
    passed: set[int] = field(default_factory=set)


class Consideration:
    """Decides when a change is considered: an alert that has opened, or a site with fewer alerts than before.

    A partition may be behind another. Alerts that open or end at the same time must be considered together,
    whatever the order in which partitions process their samples.

    Parameters
    ----------
    patience : float
        Seconds after which a change is considered in any case.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._waiting: dict[str, Waiting] = {}

    def pending(
        self, names: Iterable[str], parts: Mapping[int, PartitionAlerts], total: int, now: float
    ) -> set[str]:
        """Return the changes that are not considered yet.

        Parameters
        ----------
        names : iterable of str
            All changes; those of the last call that are not among them are forgotten.
        parts : mapping
            Number → report of a partition; some may be missing.
        total : int
            The number of partitions.
        now : float
            Monotonic time in seconds.
        """
        self._waiting = {name: self._waiting.get(name) or Waiting(now) for name in names}
        return {name for name, one in self._waiting.items() if not self._is_considered(one, parts, total, now)}

    @property
    def is_waiting(self) -> bool:
        """Whether there are changes."""
        return bool(self._waiting)

    def may_wait(self, name: str, now: float) -> bool:
        """Return whether a change may wait longer."""
        return name in self._waiting and now - self._waiting[name].since < self._patience

    def _is_considered(self, one: Waiting, parts: Mapping[int, PartitionAlerts], total: int, now: float) -> bool:
        if now - one.since >= self._patience or len(one.passed) >= total:
            return True
        if now - one.since >= _FRESH:
            for number, part in parts.items():
                if part.offset >= one.ends.setdefault(number, part.end):
                    one.passed.add(number)
        return len(one.passed) >= total


class Aggregator:
    """Rolls up the alerts of the network while this process owns partition 0.

    Parameters
    ----------
    network : Network
    clock : callable
        Returns monotonic time in seconds.
    """

    def __init__(self, network: Network, clock: Callable[[], float] = monotonic) -> None:
        assert network.runtime.partitions is not None
        self._network, self._clock = network, clock
        self._partitions, self._settings = network.runtime.partitions, network.runtime.alerting.roll_up
        self._patience = network.runtime.settings.stream.roll_up_wait / SECOND / 2
        self._zero: Partition | None = None
        self._refused: Counter[str] = Counter()
        #: What was reported when nothing remained to be decided: as long as it stays the same, nothing is.
        self._finished: Seen | None = None
        self._begin(None)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Roll up while the block runs."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def turn(self) -> None:
        """Ask all processes for their alerts, store the site alerts, and send the decisions."""
        zero = self._partitions.owned.get(0)
        if zero is not self._zero:
            self._begin(zero)
        if zero is None or not zero.runtime.active_alerts.is_reconciled:
            return
        answers = await self._network.ask_all(TO_ROLL_UP, Request("GET", TO_ROLL_UP.path))
        owners = {part.number: one.own.instance for one in answers.found for part in one.value}
        parts = {part.number: part for one in answers.found for part in one.value}
        totals = [one.own.total for one in answers.found if one.own.total is not None]
        if not totals or 0 not in parts or self._partitions.owned.get(0) is not zero:
            return
        seen = max(totals), {number: (part.alerts, part.sizes) for number, part in parts.items()}
        if seen == self._finished:
            return
        await self._store_sizes(zero, parts)
        self._finished = None
        held = {alert.id for part in parts.values() for alert in part.alerts if alert.held}
        pending = self._opened.pending(held, parts, max(totals), self._clock())
        if self._store_sites(zero, parts, max(totals), pending):
            await zero.runtime.flush()
            has_decided = await self._decide(zero, parts, owners, pending | self._possible(parts))
            if not (held or has_decided or self._ended.is_waiting):
                self._finished = seen

    def _begin(self, zero: Partition | None) -> None:
        """Begin as the owner of partition 0, or end as its owner."""
        self._zero = zero
        self._opened, self._ended = Consideration(self._patience), Consideration(self._patience)
        self._report({})
        self._finished = None
        self._sizes = {} if zero is None else _read_sizes(zero.runtime.folder / _SIZES)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_TURN)
            try:
                await self.turn()
            except SuspendedError:  # the state cannot be saved now, which the reader reports
                continue
            except Exception as error:  # noqa: BLE001 for example, partition 0 was lost: another process continues
                _LOG.warning("the alerts of the network were not rolled up: %s: %s", type(error).__name__, error)

    async def _store_sizes(self, zero: Partition, parts: Mapping[int, PartitionAlerts]) -> None:
        """Store the numbers of devices by site: those of a partition that is missing later are the last known."""
        known = {number: part.sizes for number, part in parts.items()}
        if any(self._sizes.get(number) != sizes for number, sizes in known.items()):
            self._sizes |= known
            text = msgspec.json.encode(self._sizes).decode()
            await asyncio.to_thread(write_text, zero.runtime.folder / _SIZES, text)

    def _store_sites(
        self, zero: Partition, parts: Mapping[int, PartitionAlerts], total: int, pending: set[str]
    ) -> bool:
        """Store the site alerts; return whether they are stored."""
        alerts = zero.runtime.active_alerts
        reported = [alert for part in parts.values() for alert in part.alerts]
        found = self._rolled_up([alert for alert in reported if alert.id not in pending])
        if any(number not in self._sizes for number in range(total)):  # a site may be larger than is known
            found = [site for site in found if key_of(site) in alerts.sites.open]
        fewer = set(alerts.sites.open) - {key_of(site) for site in found}
        staying = self._ended.pending(fewer, parts, total, self._clock())
        waiting = {alert.device for alert in reported if alert.id in pending}
        is_complete = len(parts) == total
        times = [part.event_time for part in parts.values() if part.event_time > NEVER]
        now = median(np.array(times, dtype=np.int64))

        def ends(alert: Alert) -> bool:
            return is_complete and alert.site not in staying and waiting.isdisjoint(alert.devices)

        return alerts.replace_sites(found, now, ends)

    def _possible(self, parts: Mapping[int, PartitionAlerts]) -> set[str]:
        """Return the ids of alerts that may become part of a site alert with others that are not considered yet."""
        reported = [alert for part in parts.values() for alert in part.alerts]
        devices = {device for site in self._rolled_up(reported) for device in site.devices}
        now = self._clock()
        return {one.id for one in reported if one.device in devices and self._opened.may_wait(one.id, now)}

    def _rolled_up(self, alerts: Sequence[RollUpAlert]) -> list[SiteAlert]:
        """Roll up alerts; of several of a device, an open one counts."""
        of_device = {alert.device: alert for alert in sorted(alerts, key=lambda one: (not one.ended, one.opened))}
        if len(of_device) < self._settings.devices:
            return []
        opened = {device: alert.opened for device, alert in of_device.items()}
        locations = {device: Location(one.company, one.data_center) for device, one in of_device.items()}
        return roll_up(opened, locations, self._settings, _added(self._sizes.values()))[0]

    async def _decide(
        self, zero: Partition, parts: Mapping[int, PartitionAlerts], owners: Mapping[int, str], pending: set[str]
    ) -> bool:
        """Send each process the decisions for its alerts, report refusals, and return whether there were any."""
        sites = zero.runtime.active_alerts.sites.open.values()
        by_owner: dict[str, list[RollUpAlert]] = {}
        for number, part in parts.items():
            by_owner.setdefault(owners[number], []).extend(part.alerts)
        refused: dict[str, str] = {}
        has_decided = False
        for instance, alerts in by_owner.items():
            decision = decided(alerts, sites, pending, zero.generation)
            if decision:
                has_decided = True
                request = Request("POST", DECIDE.path, msgspec.json.encode(decision), "application/json")
                found = await self._network.ask(instance, DECIDE, request, {})
                if found is not None and found.reply.status != DECIDE.status:
                    refused[instance] = found.reply.encoded().decode(errors="replace")[:200]
        self._report(refused)
        return has_decided

    def _report(self, refused: Mapping[str, str]) -> None:
        """Report the processes that have refused the decisions of several turns, and why."""
        self._refused = Counter({instance: self._refused[instance] + 1 for instance in refused})
        lasting = [instance for instance, turns in self._refused.items() if turns >= _REFUSED]
        found = "; ".join(f"process {one} does not roll up alerts: {refused[one]}" for one in sorted(lasting))
        if found and not self._partitions.refusals:
            _LOG.warning("%s", found)
        self._partitions.refusals = found


def decided(alerts: Iterable[RollUpAlert], sites: Iterable[Alert], pending: set[str], token: int) -> Decision:
    """Return what is decided for alerts.

    Parameters
    ----------
    alerts : iterable of RollUpAlert
    sites : iterable of Alert
        The open site alerts.
    pending : set of str
        Ids of the alerts that are not considered yet.
    token : int
        The fencing token of partition 0.
    """
    site_of = {device: site.id for site in sites for device in site.devices}
    decision = Decision(token)
    for alert in alerts:
        site = site_of.get(alert.device)
        if site is not None and (alert.held or alert.rolled_up) and alert.rolled_up != site:
            decision.rolled_up[alert.id] = site
        elif site is None and alert.rolled_up:
            decision.unrolled.append(alert.id)
        elif site is None and alert.held and alert.id not in pending:
            decision.released.append(alert.id)
    return decision


def _added(sizes: Iterable[Sequence[SiteSize]]) -> Sizes:
    found: Counter[tuple[str, str | None, str]] = Counter()
    for one in sizes:
        for site in one:
            found[site.level, site.company, site.site] += site.devices
    return found


def _read_sizes(path: Path) -> dict[int, list[SiteSize]]:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=dict[int, list[SiteSize]])
    return {}
