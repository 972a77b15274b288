"""The heat map as browsers take it: of the whole fleet, of one company, or of one data center."""

import asyncio
import gzip
import json
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from netops.dashboard.fleet import FleetModel, Place
from netops.dashboard.layout import NARROW, WIDE, lay_out

#: Maps that are kept drawn.
KEPT = 32


@dataclass(frozen=True)
class View:
    """What is looked at, and how.

    Attributes
    ----------
    at : tuple of str
        Nothing for all devices, a company, or a company and a data center.
    theme : str
        ``light`` or ``dark``.
    narrow : bool
        Whether the screen is that of a phone.
    """

    at: tuple[str, ...] = ()
    theme: str = "light"
    narrow: bool = False


class FleetMap:
    """Draws a map once for each view, and anew when the devices have changed.

    Parameters
    ----------
    fleet : FleetModel
        Whose devices are drawn; risks and statuses come later, with the news.
    """

    def __init__(self, fleet: FleetModel) -> None:
        self._fleet, self._version = fleet, -1
        self._drawn: dict[View, bytes] = {}

    async def packed(self, view: View) -> bytes:
        """Give a map as gzipped JSON.

        ``version`` is that of the fleet, ``first`` the place of the first device drawn in the order of the fleet
        (the others follow it), ``sites`` lists company, data center and number of devices of the whole fleet, and
        ``item`` is Bokeh's document.
        """
        fleet, version = self._fleet, self._fleet.version
        if version != self._version or len(self._drawn) >= KEPT:
            self._drawn, self._version = {}, version
        if view not in self._drawn:
            order = fleet.order.tolist()
            names, indices = [fleet.names[slot] for slot in order], [fleet.places[slot] for slot in order]
            packed = await asyncio.to_thread(_draw, names, indices, version, view)
            if version == self._version:
                self._drawn[view] = packed
            return packed
        return self._drawn[view]


def _draw(names: list[str], indices: list[Place], version: int, view: View) -> bytes:
    from netops.dashboard.plots import fleet_plot

    inside = [number for number, index in enumerate(indices) if index[: len(view.at)] == view.at]
    first = inside[0] if inside else 0
    part = slice(first, first + len(inside))
    layout = lay_out(names[part], indices[part], NARROW if view.narrow else WIDE)
    told: dict[str, Any] = {
        "version": version,
        "first": first,
        "sites": [[*index, len(list(group))] for index, group in groupby(indices)],
        "item": fleet_plot(layout, names[part], indices[part], view.theme),
    }
    return gzip.compress(json.dumps(told, default=lambda array: array.tolist()).encode(), 1)
