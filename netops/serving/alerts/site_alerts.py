"""Site alerts: roll up the open alerts of many devices of a site."""

from collections.abc import Callable, Iterable, Mapping

from netops.alerting.rollup import Location, SiteAlert, roll_up
from netops.alerting.settings import RollUpSettings
from netops.serving.alerts.store import Alert, identity
from netops.serving.decode.times import iso, nanoseconds
from netops.serving.engine.devices import DeviceTable

FEWER = "fewer of its devices alert"
#: Windows for which an ended alert is remembered; what opens now may be of a device that is behind the network.
_MAX_WINDOWS = 4


class SiteAlerts:
    """The open site alerts of a network.

    Parameters
    ----------
    network : str
        Name of the network.
    settings : RollUpSettings
        Settings of the roll-up.
    find_stored : callable
        Returns the stored alert with an id, which samples that are sent again after a crash open again.

    Attributes
    ----------
    open : dict
        Site (key) → its open alert.
    ended : dict
        Site (key) → its last alert, which continues if the site alerts again soon.
    """

    def __init__(self, network: str, settings: RollUpSettings, find_stored: Callable[[str], Alert | None]) -> None:
        self.network, self.settings, self._find_stored = network, settings, find_stored
        self.open: dict[str, Alert] = {}
        self.ended: dict[str, Alert] = {}

    def update(
        self, alerts: Iterable[Alert], table: DeviceTable, now: int, unsent: set[str], doubted: Iterable[Alert] = ()
    ) -> list[Alert]:
        """Update the site alerts from the open alerts of the devices.

        Parameters
        ----------
        alerts : iterable of Alert
            The open alerts.
        table : DeviceTable
            The locations of the devices.
        now : int
            The network's event time: the end of site alerts that close.
        unsent : set of str
            Ids of alerts that have not been sent; those in a site alert are not sent individually.
        doubted : iterable of Alert
            Site alerts from before a restart that may open again; their device alerts stay rolled up.

        Returns
        -------
        list of Alert
            New and changed site alerts, and the device alerts whose site alert has ended, which are no longer
            rolled up.
        """
        risks = {str(alert.device): alert for alert in alerts if alert.kind == "risk"}
        if len(risks) < self.settings.devices:
            found: list[SiteAlert] = []
        else:
            opened = {device: nanoseconds(alert.opened) for device, alert in risks.items()}
            found, _ = roll_up(opened, _locations(table), self.settings)
        changed = self.replace(found, now)
        changed += self._release(risks, {alert.id for alert in doubted})
        for site in self.open.values():
            for device in site.devices:
                if device in risks and risks[device].id in unsent and not risks[device].silenced:
                    risks[device].rolled_up = site.id
        return changed

    def replace(
        self, found: Iterable[SiteAlert], now: int, ends: Callable[[Alert], bool] = lambda _: True
    ) -> list[Alert]:
        """Replace the open site alerts; return the new and changed ones.

        Parameters
        ----------
        found : iterable of SiteAlert
            The sites that alert.
        now : int
            The end of those that are not among them.
        ends : callable
            Returns whether an open alert that is not among them ends.
        """
        before = {key: list(alert.devices) for key, alert in self.open.items()}
        current = {key: alert for site in found for key, alert in [self._site_alert(site)]}
        changed = [alert for key, alert in current.items() if before.get(key) != alert.devices]
        for key, alert in self.open.items():
            if key in current:
                continue
            if not ends(alert):
                current[key] = alert
                continue
            alert.ended, alert.end_reason = iso(max(now, nanoseconds(alert.opened))), FEWER
            changed.append(alert)
            self.ended[key] = alert
        self.open = current
        self._forget(now)
        return changed

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Restore site alerts from the store, open and ended."""
        for alert in alerts:
            (self.open if alert.ended is None else self.ended).setdefault(str(alert.site), alert)

    def _release(self, risks: Mapping[str, Alert], doubted: set[str]) -> list[Alert]:
        """Assign the alerts of ended site alerts to another site alert, or to none; return them."""
        sites = {site.id for site in self.open.values()} | doubted
        released = [alert for alert in risks.values() if alert.rolled_up and alert.rolled_up not in sites]
        site_of = {device: site.id for site in self.open.values() for device in site.devices}
        for alert in released:
            alert.rolled_up = site_of.get(str(alert.device))
        return released

    def _site_alert(self, site: SiteAlert) -> tuple[str, Alert]:
        key = key_of(site)
        alert = self.open.get(key) or self._ended_lately(key, site.opened)
        if alert is not None:
            alert.devices, alert.ended = sorted({*alert.devices, *site.devices}), None
            alert.end_reason = None
            return key, alert
        name = identity(self.network, "site", key, site.opened)
        if (stored := self._find_stored(name)) is not None:
            # Devices that joined it before the crash join it again with their samples.
            stored.devices, stored.ended, stored.end_reason = list(site.devices), None, None
            return key, stored
        return key, Alert(
            id=name,
            site=key,
            kind="site",
            network=self.network,
            company=site.company or (site.site if site.level == "company" else None),
            data_center=site.site if site.level == "data_center" else None,
            opened=iso(site.opened),
            devices=list(site.devices),
        )

    def _ended_lately(self, key: str, opened: int) -> Alert | None:
        """Return the last alert of a site if it opened within one window of a time."""
        alert = self.ended.pop(key, None)
        if alert is None or abs(nanoseconds(alert.opened) - opened) > self.settings.window:
            return None
        return alert

    def _forget(self, now: int) -> None:
        """Forget ended alerts that opened too long ago to continue."""
        oldest = now - _MAX_WINDOWS * self.settings.window
        self.ended = {key: alert for key, alert in self.ended.items() if nanoseconds(alert.opened) >= oldest}


def key_of(site: SiteAlert) -> str:
    """Return the key of a site: level, company and name."""
    return "/".join((site.level, site.company or "", site.site))


def _locations(table: DeviceTable) -> Mapping[str, Location]:
    return {str(table.names[code]): Location(*table.locations[code]) for code in table.codes()}
