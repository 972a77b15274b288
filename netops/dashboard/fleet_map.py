"""The heat map for browsers: of the fleet, a company, or a data center."""

import asyncio
import gzip
import json
from dataclasses import dataclass
from itertools import groupby

from netops.dashboard.fleet import FleetModel, Location
from netops.dashboard.layout import NARROW, WIDE, lay_out

#: Maximum number of cached maps.
MAX_CACHED = 32


@dataclass(frozen=True)
class View:
    """The view of a map.

    Attributes
    ----------
    at : tuple of str
        Empty for all devices, a company, or a company and a data center.
    theme : str
        ``light`` or ``dark``.
    narrow : bool
        Whether the screen is narrow, as of a phone.
    """

    at: tuple[str, ...] = ()
    theme: str = "light"
    narrow: bool = False


class FleetMap:
    """Draws and caches the map of each view, until the devices change.

    Parameters
    ----------
    fleet : FleetModel
        The devices; risks and statuses are sent later, as deltas.
    """

    def __init__(self, fleet: FleetModel) -> None:
        self._fleet, self._version = fleet, -1
        self._drawn: dict[View, bytes] = {}

    async def packed(self, view: View) -> bytes:
        """Return a map as gzipped JSON.

        ``version`` is that of the fleet, ``first`` the index of the first drawn device in the order of the fleet
        (the others follow it), ``sites`` lists company, data center and number of devices of all sites, and
        ``item`` is the Bokeh document.
        """
        fleet, version = self._fleet, self._fleet.version
        if version != self._version or len(self._drawn) >= MAX_CACHED:
            self._drawn, self._version = {}, version
        if view not in self._drawn:
            order = fleet.order.tolist()
            names, locations = [fleet.names[slot] for slot in order], [fleet.locations[slot] for slot in order]
            packed = await asyncio.to_thread(_draw, names, locations, version, view)
            if version == self._version:
                self._drawn[view] = packed
            return packed
        return self._drawn[view]


def _draw(names: list[str], locations: list[Location], version: int, view: View) -> bytes:
    # Late: Bokeh takes 0.4 s to import (serve._import_plots).
    from netops.dashboard.plots import fleet_plot

    inside = [number for number, location in enumerate(locations) if location[: len(view.at)] == view.at]
    first = inside[0] if inside else 0
    part = slice(first, first + len(inside))
    layout = lay_out(names[part], locations[part], NARROW if view.narrow else WIDE)
    answer: dict[str, object] = {
        "version": version,
        "first": first,
        "sites": [[*location, len(list(group))] for location, group in groupby(locations)],
        "item": fleet_plot(layout, names[part], locations[part], view.theme),
    }
    return gzip.compress(json.dumps(answer, default=lambda array: array.tolist()).encode(), 1)
