"""The heat map's geometry."""

import time
from itertools import pairwise

import numpy as np
import pytest

from netops.dashboard.layout import NARROW, WIDE, lay_out, natural


def names_and_locations(devices: int, companies: int, centers: int):
    names = [f"leaf-{n}" for n in range(devices)]
    indices = [(f"Company {n % companies}", f"City {n // companies % centers}") for n in range(devices)]
    return names, indices


@pytest.mark.parametrize(
    ("devices", "companies", "centers"), [(1, 1, 1), (30, 4, 2), (999, 7, 5), (10_000, 10, 4), (3000, 1500, 1)]
)
def test_each_device_has_a_cell_of_its_own_within_its_site(devices, companies, centers):
    names, indices = names_and_locations(devices, companies, centers)
    layout = lay_out(names, indices)
    assert sorted(layout.order.tolist()) == list(range(devices))
    cells = np.stack([layout.x, layout.y], axis=1)
    by_row = {}
    for x, y in cells.tolist():
        by_row.setdefault(round(y, 3), []).append(x)
    for row in by_row.values():
        row.sort()
        assert np.all(np.diff(row) > 0.99)
    first = 0
    for block in layout.blocks:
        inside = cells[first : first + block.devices]
        assert np.all(inside >= (block.x + 0.49, block.label))
        assert np.all(inside <= (block.x + block.width - 0.49, block.y + block.height))
        assert {indices[slot] for slot in layout.order[first : first + block.devices].tolist()} == {
            (block.company, block.data_center)
        }
        first += block.devices
    assert first == devices
    assert cells.max(axis=0)[0] < layout.width
    assert cells.max(axis=0)[1] < layout.height


def test_names_are_ordered_as_people_do():
    assert sorted(["leaf-10", "leaf-2", "Leaf-1", "7", "leaf-²"], key=natural) == [
        "7",
        "Leaf-1",
        "leaf-2",
        "leaf-10",
        "leaf-²",
    ]
    layout = lay_out(["b", "a-10", "a-9"], [("", "")] * 3)
    assert layout.order.tolist() == [2, 1, 0]
    assert layout.titles[0].company == "elsewhere"


def test_no_devices_are_a_map_too():
    assert len(lay_out([], []).order) == 0


def test_a_narrow_screen_has_the_same_order_in_a_high_map():
    wide, narrow = (lay_out(*names_and_locations(400, 5, 4), screen) for screen in (WIDE, NARROW))
    assert narrow.order.tolist() == wide.order.tolist()
    assert wide.width / wide.height > 1.2
    assert narrow.width / narrow.height < 1.0
    # Each line's first company has a name of its own, with room up to where the next one begins.
    for layout in (wide, narrow):
        for title, following in pairwise(layout.titles):
            if title.y == following.y:
                assert title.x + title.width < following.x


@pytest.mark.timing
def test_ten_thousand_devices_fill_the_screen_and_do_not_take_long():
    since = time.process_time()
    layout = lay_out(*names_and_locations(10_000, 10, 4))
    assert time.process_time() - since < 1.5
    assert 1.2 < layout.width / layout.height < 2.5
    # A cell is at least five pixels wide where the map is a thousand.
    assert 1000 / layout.width > 5
