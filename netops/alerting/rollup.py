"""Roll-up: if many devices of a site alert at the same time, they become one site alert."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from netops.alerting.settings import RollUpSettings
from netops.telemetry.schema import COMPANY, DATA_CENTER


class Location(NamedTuple):
    """The location of a device; None if unknown."""

    company: str | None = None
    data_center: str | None = None


_NOWHERE = Location()


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


#: Level, company and name of a site → number of its devices.
Sizes: TypeAlias = Mapping[tuple[str, str | None, str], int]


def site_sizes(locations: Iterable[tuple[str | None, str | None]]) -> Counter[tuple[str, str | None, str]]:
    """Count the devices of each site, given the company and data center of each device."""
    found: Counter[tuple[str, str | None, str]] = Counter()
    for (company, data_center), count in Counter(locations).items():
        for level, site in ((COMPANY, company), (DATA_CENTER, data_center)):
            if site is not None:
                found[level, company, site] += count
    return found


def roll_up(
    opened: Mapping[str, int],
    locations: Mapping[str, Location],
    settings: RollUpSettings,
    sizes: Sizes | None = None,
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
        Every known device → its location; with ``sizes``, those with an open alert suffice.
    settings : RollUpSettings
    sizes : mapping, optional
        The number of devices of each site; default: counted in ``locations``.

    Returns
    -------
    list of SiteAlert
        Sorted by level, company and site; data centers of a company that alerts are not included.
    list of str
        The devices whose alerts are not rolled up, sorted.
    """
    sizes = site_sizes(locations.values()) if sizes is None else sizes
    companies = _sites(opened, locations, settings, COMPANY, sizes)
    covered = {device for alert in companies for device in alert.devices}
    remaining = {device: at for device, at in opened.items() if device not in covered}
    centers = _sites(remaining, locations, settings, DATA_CENTER, sizes)
    covered |= {device for alert in centers for device in alert.devices}
    return [*companies, *centers], sorted(set(opened) - covered)


def _sites(
    opened: Mapping[str, int],
    locations: Mapping[str, Location],
    settings: RollUpSettings,
    level: str,
    sizes: Sizes,
) -> list[SiteAlert]:
    alerting: dict[tuple[str | None, str], dict[str, int]] = {}
    for device, at in opened.items():
        location = locations.get(device, _NOWHERE)
        site = location.company if level == COMPANY else location.data_center
        if site is not None:
            alerting.setdefault((location.company, site), {})[device] = at
    found = []
    for key in sorted(alerting, key=lambda key: (key[0] or "", key[1])):
        needed = max(settings.devices, settings.share * sizes[level, *key])
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
