"""Site alerts out of device alerts."""

from netops.alerting.rollup import Location, SiteAlert, roll_up
from netops.alerting.settings import RollUpSettings

SETTINGS = RollUpSettings(share=0.5, devices=3, window=10)
LOCATIONS = {f"d{n}": Location("acme", "east" if n < 6 else "west") for n in range(12)} | {"loose": Location()}


def test_enough_devices_of_a_site_within_the_window_are_one_alert():
    sites, single = roll_up({"d0": 1, "d1": 4, "d2": 9, "d7": 3, "loose": 3}, LOCATIONS, SETTINGS)
    assert sites == [SiteAlert("data_center", "acme", "east", ("d0", "d1", "d2"), 9)]
    assert single == ["d7", "loose"]


def test_too_few_or_distant_alerts_stay_separate():
    assert roll_up({"d0": 1, "d1": 4}, LOCATIONS, SETTINGS) == ([], ["d0", "d1"])
    assert roll_up({"d0": 1, "d1": 9, "d2": 12}, LOCATIONS, SETTINGS) == ([], ["d0", "d1", "d2"])


def test_half_a_company_over_several_sites_is_one_alert():
    opened = {f"d{n}": n for n in range(3, 9)}
    sites, single = roll_up(opened, LOCATIONS, SETTINGS)
    assert [(site.level, site.site, len(site.devices), site.opened) for site in sites] == [
        ("company", "acme", 6, 8)
    ]
    assert single == []


def test_a_device_beyond_the_window_is_not_part_of_the_event():
    sites, single = roll_up({"d0": 1, "d1": 2, "d2": 3, "d3": 50}, LOCATIONS, SETTINGS)
    assert sites[0].devices == ("d0", "d1", "d2")
    assert single == ["d3"]
