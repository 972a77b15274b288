"""Alerts of many devices of a site, made one: which site alerts are open, by the open alerts of the devices."""

from collections.abc import Callable, Iterable, Mapping

from netops.alerting.rollup import Location, SiteAlert, roll_up
from netops.alerting.settings import RollUpSettings
from netops.serving.alerts.store import Alert, identity
from netops.serving.decode.times import iso, nanoseconds
from netops.serving.engine.devices import DeviceTable

FEWER = "fewer of its devices alert"


class SiteAlerts:
    """Keeps the open site alerts of a network.

    Parameters
    ----------
    network : str
        Its name.
    settings : RollUpSettings
        When the alerts of a site become one.
    recall : callable
        Finds the alert of a site (its key) that opened at about a time (ns): one that comes up again after a crash.
    """

    def __init__(self, network: str, settings: RollUpSettings, recall: Callable[[str, int], Alert | None]) -> None:
        self.network, self.settings, self._recall = network, settings, recall
        self.open: dict[str, Alert] = {}

    def follow(
        self, alerts: Iterable[Alert], table: DeviceTable, now: int, fresh: set[str], doubted: Iterable[Alert] = ()
    ) -> list[Alert]:
        """Look at the open alerts of the devices again.

        Parameters
        ----------
        alerts : iterable of Alert
            Those that are open.
        table : DeviceTable
            Where each known device stands.
        now : int
            The network's event time: when a site alert that is no more has ended.
        fresh : set of str
            Ids of alerts nobody has been told of yet: those a site alert stands for are not told one by one.
        doubted : iterable of Alert
            Site alerts of before a restart that may come up again: what they stood for waits for them.

        Returns
        -------
        list of Alert
            The site alerts that are new or have changed, and the alerts of devices whose site's alert has ended:
            they stand for themselves again.
        """
        risks = {str(alert.device): alert for alert in alerts if alert.kind == "risk"}
        before = {key: list(alert.devices) for key, alert in self.open.items()}
        if len(risks) < self.settings.devices:
            found: list[SiteAlert] = []
        else:
            opened = {device: nanoseconds(alert.opened) for device, alert in risks.items()}
            found, _ = roll_up(opened, _places(table), self.settings)
        kept = {key: alert for site in found for key, alert in [self._take(site)]}
        changed = [alert for key, alert in kept.items() if before.get(key) != alert.devices]
        for key, alert in self.open.items():
            if key not in kept:
                alert.ended, alert.end_reason = iso(max(now, nanoseconds(alert.opened))), FEWER
                changed.append(alert)
        self.open = kept
        changed += self._release(risks, {alert.id for alert in doubted})
        for site in kept.values():
            for device in site.devices:
                if device in risks and risks[device].id in fresh and not risks[device].silenced:
                    risks[device].rolled_up = site.id
        return changed

    def _release(self, risks: Mapping[str, Alert], doubted: set[str]) -> list[Alert]:
        """Let the open alerts that ended site alerts stood for go to another site's, or stand for themselves."""
        sites = {site.id for site in self.open.values()} | doubted
        released = [alert for alert in risks.values() if alert.rolled_up and alert.rolled_up not in sites]
        standing = {device: site.id for site in self.open.values() for device in site.devices}
        for alert in released:
            alert.rolled_up = standing.get(str(alert.device))
        return released

    def _take(self, site: SiteAlert) -> tuple[str, Alert]:
        key = "/".join((site.level, site.company or "", site.site))
        alert = self.open.get(key) or self._recall(key, site.opened)
        if alert is not None:
            alert.devices, alert.ended = sorted({*alert.devices, *site.devices}), None
            alert.end_reason = None
            return key, alert
        return key, Alert(
            id=identity(self.network, "site", key, site.opened),
            site=key,
            kind="site",
            network=self.network,
            company=site.company or (site.site if site.level == "company" else None),
            data_center=site.site if site.level == "data_center" else None,
            opened=iso(site.opened),
            devices=list(site.devices),
        )


def _places(table: DeviceTable) -> Mapping[str, Location]:
    return {str(table.names[code]): Location(*table.places[code]) for code in table.codes()}
