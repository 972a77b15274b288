"""The layout of the heat map: companies, their data centers side by side, and a cell for each device.

All cells have the same size, so that areas are comparable. The width of the map in cells is chosen so that the map
has the aspect ratio of the screen. The unit of all lengths is one cell.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import numpy.typing as npt

#: Heights in pixels of the names of data centers and companies, gap between blocks, and width of a letter.
NAME, TITLE, GAP, LETTER = 20, 24, 10, 6.6
#: Aspect ratios of a block that are tried.
SHAPES = (1.8, 1.2, 0.8, 0.5)
#: Maximum number of sites for which aspect ratios are tried.
MANY = 300
#: Minimum number of visible letters of a data center's name.
SHORT = 11
#: Maximum width of a cell in pixels.
WIDEST = 48
UNPLACED = "elsewhere"


@dataclass(frozen=True)
class Screen:
    """A screen: its usual width in pixels, and aspect ratio."""

    pixels: int
    aspect: float


WIDE, NARROW = Screen(1000, 1.7), Screen(340, 0.75)


#: Data centers as (company, name), and their number of devices.
Sites = list[tuple[tuple[str, str], int]]


@dataclass(frozen=True)
class Block:
    """A data center: name, upper left corner, width, height, position of the name, and number of devices."""

    company: str
    data_center: str
    x: float
    y: float
    width: float
    height: float
    label: float
    devices: int


@dataclass(frozen=True)
class Title:
    """A company: name, position, and available width."""

    company: str
    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Layout:
    """Positions of all elements; y increases downwards.

    Attributes
    ----------
    order : int64 array
        Devices in drawing order.
    x, y : float32 arrays
        Centres of their cells.
    blocks : tuple of Block
        Data centers.
    titles : tuple of Title
        Companies, one title per line in which they have blocks.
    width, height : float
        Size of the map.
    """

    order: npt.NDArray[np.int64]
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]
    blocks: tuple[Block, ...]
    titles: tuple[Title, ...]
    width: float
    height: float


def natural(name: str) -> list[tuple[int, int | str]]:
    """Return the sort key of natural order: leaf-2 before leaf-10."""
    parts = re.split(r"(\d+)", name.lower())
    return [(0, int(part)) if part.isdecimal() and part.isascii() else (1, part) for part in parts if part]


def ordered(names: Sequence[str], locations: Sequence[tuple[str, str]]) -> npt.NDArray[np.int64]:
    """Return the order of devices by company, data center and name."""
    pairs = zip(locations, names, strict=True)
    keys = [(natural(company), natural(center), natural(name)) for (company, center), name in pairs]
    return np.array(sorted(range(len(names)), key=keys.__getitem__), dtype=np.int64)


def lay_out(names: Sequence[str], locations: Sequence[tuple[str, str]], screen: Screen = WIDE) -> Layout:
    """Arrange devices.

    Parameters
    ----------
    names : sequence of str
        Devices.
    locations : sequence of (company, data center)
        Location of each device; empty if unknown.
    screen : Screen
        The target screen; the order of the devices does not depend on it.
    """
    order = ordered(names, locations)
    if not names:
        none = np.zeros(0, dtype=np.float32)
        return Layout(order, none, none, (), (), 1.0, 1.0)
    sites = [
        (location, len(list(group))) for location, group in groupby(locations[slot] for slot in order.tolist())
    ]
    width, shape = _best_shape(sites, len(names), screen)
    blocks, titles, height = _flow(sites, width, shape, screen)
    used = max(0.6 * width, max(block.x + block.width for block in blocks))
    x, y = (np.concatenate(axis) for axis in zip(*[_cells(block) for block in blocks], strict=True))
    return Layout(order, x, y, tuple(blocks), tuple(titles), used, height)


def _best_shape(sites: Sites, devices: int, screen: Screen) -> tuple[float, float]:
    """Return the map width and the block shape with the largest cells for the screen."""
    smallest = np.sqrt(devices * screen.aspect / WIDE.aspect)
    widths = np.maximum(screen.pixels / WIDEST, smallest * np.geomspace(1.0, 12.0, 40)).tolist()
    # With many sites the names need more space than the devices, and trying shapes takes long.
    few = len(sites) <= MANY
    for part in (1, 2, 8) if few else (8,):
        wanted = Screen(screen.pixels, screen.aspect / part)
        shapes = SHAPES if few else SHAPES[:1]
        fitting = [
            (width, shape) for shape in shapes if (width := _narrowest(sites, widths, shape, wanted)) is not None
        ]
        if fitting:
            return min(fitting)
    return widths[len(widths) // 2], SHAPES[0]


def _narrowest(sites: Sites, widths: list[float], shape: float, screen: Screen) -> float | None:
    def fits(width: float) -> bool:
        return _flow(sites, width, shape, screen)[2] <= width / screen.aspect

    index = bisect_left(widths, True, key=fits)
    return widths[index] if index < len(widths) else None


def _flow(sites: Sites, width: float, shape: float, screen: Screen) -> tuple[list[Block], list[Title], float]:
    """Arrange data centers in lines; the name of a company is above its first block in each line."""
    pixel = width / screen.pixels
    blocks: list[Block] = []
    titles: list[Title] = []
    x = y = line = 0.0
    above = None
    for (company, center), devices in sites:
        across, down = _columns_and_rows(devices, width, shape, pixel)
        x += (0.0 if above is None else GAP if above == company else 3 * GAP) * pixel
        if x and x + across > width:
            x, y, line, above = 0.0, y + line + GAP * pixel, 0.0, None
        if above != company:
            titles.append(Title(company or UNPLACED, x, y + TITLE * 0.55 * pixel, 0.0))
            above = company
        head = (TITLE + NAME) * pixel
        blocks.append(Block(company, center, x, y, across, down + head, y + (TITLE + NAME / 2) * pixel, devices))
        x += across
        titles[-1] = replace(titles[-1], width=x - titles[-1].x)
        line = max(line, down + head)
    return blocks, titles, y + line


def _columns_and_rows(devices: int, width: float, shape: float, pixel: float) -> tuple[float, float]:
    """Return columns and rows of a block that is wide enough for the beginning of its name."""
    named = SHORT * LETTER * pixel
    columns = max(1, min(int(np.ceil(max(np.sqrt(devices * shape), min(named, devices)))), int(width)))
    return max(columns, min(named, width)), float(np.ceil(devices / columns))


def _cells(block: Block) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    columns = max(1, min(int(block.width), block.devices))
    indices = np.arange(block.devices)
    top = block.y + block.height - np.ceil(block.devices / columns)
    x = block.x + 0.5 + indices % columns
    y = top + 0.5 + indices // columns
    return x.astype(np.float32), y.astype(np.float32)
