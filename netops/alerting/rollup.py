"""Many devices of a site that alert at once are one event: one site alert that names them."""

from collections.abc import Mapping
from dataclasses import dataclass

from netops.alerting.settings import RollUpSettings
from netops.telemetry.schema import COMPANY, DATA_CENTER


@dataclass(frozen=True)
class Place:
    """Where a device stands; None where nobody knows."""

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
        Whose, and which: the name of the data center, or of the company.
    devices : tuple of str
        The devices whose alerts it stands for, sorted.
    opened : int
        When it became one event: the opening that made them enough. Nanoseconds since the epoch.
    """

    level: str
    company: str | None
    site: str
    devices: tuple[str, ...]
    opened: int


def roll_up(
    opened: Mapping[str, int], indices: Mapping[str, Place], settings: RollUpSettings
) -> tuple[list[SiteAlert], list[str]]:
    """Roll open alerts up by data center, and by company where an event spans several of its data centers.

    A site alerts when enough of its devices (``devices`` of them and ``share`` of all it has) have open alerts that
    opened within ``window`` of each other. The result depends on the open alerts alone, so it may be taken at any
    time, and a restart changes nothing.

    Parameters
    ----------
    opened : mapping
        Device → when its open alert opened.
    indices : mapping
        Every known device → where it stands.
    settings : RollUpSettings

    Returns
    -------
    list of SiteAlert
        Sorted by level, company and site; a data center whose company alerts is not named again.
    list of str
        The devices whose alerts stand for themselves, sorted.
    """
    companies = _sites(opened, indices, settings, COMPANY)
    covered = {device for alert in companies for device in alert.devices}
    rest = {device: at for device, at in opened.items() if device not in covered}
    centers = _sites(rest, indices, settings, DATA_CENTER)
    covered |= {device for alert in centers for device in alert.devices}
    return [*companies, *centers], sorted(set(opened) - covered)


def _sites(
    opened: Mapping[str, int], indices: Mapping[str, Place], settings: RollUpSettings, level: str
) -> list[SiteAlert]:
    size: dict[tuple[str | None, str], int] = {}
    alerting: dict[tuple[str | None, str], dict[str, int]] = {}
    for device, index in indices.items():
        site = index.company if level == COMPANY else index.data_center
        if site is None:
            continue
        size[index.company, site] = size.get((index.company, site), 0) + 1
        if device in opened:
            alerting.setdefault((index.company, site), {})[device] = opened[device]
    found = []
    for key in sorted(alerting, key=lambda key: (key[0] or "", key[1])):
        needed = max(settings.devices, settings.share * size[key])
        event = _event(alerting[key], needed, settings.window)
        if event and (level != COMPANY or len({indices[device].data_center for device in event[0]}) > 1):
            found.append(SiteAlert(level, *key, *event))
    return found


def _event(opened: Mapping[str, int], needed: float, window: int) -> tuple[tuple[str, ...], int] | None:
    """Find the devices whose alerts opened together: those of every window that holds enough openings."""
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
