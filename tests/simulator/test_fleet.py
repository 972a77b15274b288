import re

import numpy as np
import pytest

from netops.errors import UsageError
from netops.simulator.fleet import default_devices, make_fleet
from netops.simulator.settings import GeneratorSettings
from tests.simulator.examples import changed, rich


def settings(**levels: object) -> GeneratorSettings:
    return GeneratorSettings.from_yaml({**rich(), "deployment": levels} if levels else rich())


def test_levels_nest_with_their_numbers() -> None:
    fleet = make_fleet(settings(), 12, 1)
    assert default_devices(settings()) == 12
    assert list(fleet.attributes) == ["company", "data_center", "model", "age"]
    pairs = set(zip(fleet.attributes["company"], fleet.attributes["data_center"], strict=True))
    assert len(pairs) == 4
    assert len({pair[0] for pair in pairs}) == 2
    assert np.bincount(fleet.sites).tolist() == [3, 3, 3, 3]


def test_any_names_and_depths_of_levels() -> None:
    levels = {
        "region": {"names": ["north", "south"]},
        "site": {"num_items": 2},
        "rack": {"pattern": "{site}/r{number}", "num_items": 2},
        "switch": {"faker": "msisdn", "num_items": 2},
    }
    fleet = make_fleet(settings(**levels), 16, 1)
    assert set(fleet.attributes["rack"]) == {"site-1/r1", "site-1/r2", "site-2/r1", "site-2/r2"}
    assert len(set(fleet.names)) == 16
    assert all(re.fullmatch(r"\d{13}", name) for name in fleet.names)


def test_one_level_is_enough() -> None:
    fleet = make_fleet(settings(device={"num_items": 3}), 3, 1)
    assert fleet.names == ["device-1", "device-2", "device-3"]


def test_a_smaller_network_is_a_part_of_a_larger_one() -> None:
    small, large = make_fleet(settings(), 5, 9), make_fleet(settings(), 500, 9)
    assert small.names == large.names[:5]
    assert {name: texts[:5] for name, texts in large.attributes.items()} == small.attributes
    assert (large.depths[:5] == small.depths).all()


def test_names_are_distinct_where_the_provider_repeats_itself() -> None:
    fleet = make_fleet(settings(device={"faker": "boolean", "num_items": 5}), 5, 1)
    assert len(set(fleet.names)) == 5


def test_names_hold_no_blanks_or_commas() -> None:
    fleet = make_fleet(settings(company={"faker": "company", "num_items": 40}, device={"num_items": 1}), 40, 1)
    assert not any(" " in name or "," in name for name in fleet.attributes["company"])


def test_topology_hangs_devices_behind_the_uplinks() -> None:
    configuration = {**rich(), "deployment": {"device": {"num_items": 20}}}
    configuration = changed(configuration, "topology", {"uplinks": 2, "fan_out": 3})
    fleet = make_fleet(GeneratorSettings.from_yaml(configuration), 20, 1)
    assert fleet.depths.tolist() == [0] * 2 + [1] * 6 + [2] * 12


def test_statics_are_drawn_as_they_say() -> None:
    fleet = make_fleet(settings(), 300, 1)
    assert set(fleet.attributes["model"]) == {"a", "b"}
    assert {int(age) for age in fleet.attributes["age"]} == set(range(1, 9))


@pytest.mark.parametrize(
    ("level", "message"),
    [
        ({"faker": "compny"}, "did you mean 'company'"),
        ({"faker": "_x"}, "no provider '_x'"),
        ({"pattern": "{nowhere}-{number}"}, "does not fit"),
        ({"pattern": "{number.x}"}, "does not fit"),
        ({"pattern": "{"}, "does not fit"),
    ],
)
def test_what_names_nothing_is_refused(level: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_fleet(settings(device={**level, "num_items": 1}), 1, 1)
