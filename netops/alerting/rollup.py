"""Roll-up: if many devices of a site alert at the same time, they become one site alert."""

from collections.abc import Mapping
from dataclasses import dataclass

from netops.alerting.settings import RollUpSettings
from netops.telemetry.schema import COMPANY, DATA_CENTER


@dataclass(frozen=True)
class Location:
    """The location of a device; None if unknown."""

    company: str | None = None
    data_center: str | None = None


@dataclass(frozen=True)
class SiteAlert:
    """One alert for many devices.

    Attributes
    ----------
    level : str
        ``data_center`` or ``company``.
    company, site : str or None, str
        The company, and the name of the data center or of the company.
    devices : tuple of str
        The devices whose alerts it replaces, sorted.
    opened : int
        Time of the alert that reached the minimum number of devices, in nanoseconds since the epoch.
    """

    level: str
    company: str | None
    site: str
    devices: tuple[str, ...]
    opened: int


def roll_up(
    opened: Mapping[str, int], locations: Mapping[str, Location], settings: RollUpSettings
) -> tuple[list[SiteAlert], list[str]]:
    """Roll up open alerts by data center, and by company if an event spans several of its data centers.

    A site alerts when enough of its devices (at least ``devices``, and at least the fraction ``share`` of all) have
    open alerts that opened within ``window`` of each other. The result depends only on the open alerts, so it is
    the same after a restart.

    Parameters
    ----------
    opened : mapping
        Device → opening time of its alert.
    locations : mapping
        Every known device → its location.
    settings : RollUpSettings

    Returns
    -------
    list of SiteAlert
        Sorted by level, company and site; data centers of a company that alerts are not included.
    list of str
        The devices whose alerts are not rolled up, sorted.
    """
    companies = _sites(opened, locations, settings, COMPANY)
    covered = {device for alert in companies for device in alert.devices}
    remaining = {device: at for device, at in opened.items() if device not in covered}
    centers = _sites(remaining, locations, settings, DATA_CENTER)
    covered |= {device for alert in centers for device in alert.devices}
    return [*companies, *centers], sorted(set(opened) - covered)


def _sites(
    opened: Mapping[str, int], locations: Mapping[str, Location], settings: RollUpSettings, level: str
) -> list[SiteAlert]:
    size: dict[tuple[str | None, str], int] = {}
    alerting: dict[tuple[str | None, str], dict[str, int]] = {}
    for device, location in locations.items():
        site = location.company if level == COMPANY else location.data_center
        if site is None:
            continue
        size[location.company, site] = size.get((location.company, site), 0) + 1
        if device in opened:
            alerting.setdefault((location.company, site), {})[device] = opened[device]
    found = []
    for key in sorted(alerting, key=lambda key: (key[0] or "", key[1])):
        needed = max(settings.devices, settings.share * size[key])
        event = _event(alerting[key], needed, settings.window)
        if event and (level != COMPANY or len({locations[device].data_center for device in event[0]}) > 1):
            found.append(SiteAlert(level, *key, *event))
    return found


def _event(opened: Mapping[str, int], needed: float, window: int) -> tuple[tuple[str, ...], int] | None:
    """Return the devices whose alerts opened within one window of sufficient size, and the time of the event."""
    order = sorted(opened, key=lambda device: (opened[device], device))
    together: set[str] = set()
    since, first = None, 0
    for index, device in enumerate(order):
        while opened[device] - opened[order[first]] > window:
            first += 1
        if index - first + 1 >= needed:
            together.update(order[first : index + 1])
            since = opened[device] if since is None else since
    return None if since is None else (tuple(sorted(together)), since)
