import numpy as np

from netops.serving.engine.devices import DeviceTable


def test_codes_are_dense_and_used_again():
    table = DeviceTable(3)
    assert table.assign(["a", "b", "a", "c"]).tolist() == [0, 1, 0, 2]
    table.drop([1])
    assert table.assign(["d"]).tolist() == [1]
    assert len(table) == 3


def test_the_least_recently_seen_go_first_but_not_those_about_to_be_seen():
    table = DeviceTable(3)
    table.assign(["a", "b", "c"])
    arrival = np.array([1, 2, 3])
    assert table.oldest(arrival, 1, ["d"]) == [0]
    assert table.oldest(arrival, 1, ["a", "d"]) == [1]
    assert table.oldest(arrival, 0, ["a"]) == []


def test_a_location_stays_until_it_is_changed():
    table = DeviceTable(3)
    table.assign(["a"])
    table.set_location(0, "c", "d")
    table.set_location(0, None, None)
    table.set_location(0, None, "e")
    assert table.locations[0] == ("c", "e")
