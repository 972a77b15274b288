"""Splits: what each part holds, what is purged, and what is refused with which reason."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from netops.alerting.sequences import Incidents, Sequences
from netops.durations import MINUTE, SECOND
from netops.errors import NetopsError
from netops.models.labels import label_rows
from netops.models.splits import NONE, TEST, TRAIN, VALIDATION, separate_incidents, split, whole_test
from tests.models.worlds import HORIZON, world

DATA = Path(__file__).parents[1] / "data"


def observed(facts, found, part):
    sequences, _, incidents = facts
    return int(incidents.observed(sequences.where(found.rows(part)), HORIZON).sum())


@pytest.mark.parametrize("kind", ["time", "device"])
def test_every_part_holds_incidents_in_about_its_share(kind):
    facts = world()
    found = split(kind, *facts, HORIZON)
    counts = [observed(facts, found, part) for part in (TRAIN, VALIDATION, TEST)]
    assert min(counts) >= 2
    shares = [np.mean(found.part[found.part != NONE] == part) for part in (TRAIN, VALIDATION, TEST)]
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.12)


def test_boundaries_move_to_where_incidents_are():
    # All incidents lie in the first third: shares of time alone would leave two parts without any.
    sequences = Sequences(("a",), np.array([0, 3000]), np.arange(3000) * 10 * SECOND)
    start = np.arange(1, 10) * 100 * 10 * SECOND
    incidents = Incidents.of(1, [0] * 9, start, start + 50 * SECOND)
    labels = label_rows(sequences.offsets, sequences.timestamps, incidents.inside(sequences), HORIZON)
    found = split("time", sequences, labels, incidents, HORIZON)
    assert min(observed((sequences, labels, incidents), found, part) for part in range(3)) >= 2


def test_no_label_reaches_over_a_boundary():
    sequences, labels, incidents = world()
    found = split("time", sequences, labels, incidents, HORIZON)
    validation, test = found.boundaries
    times = sequences.timestamps
    assert (times[found.rows(TRAIN)] + HORIZON < validation).all()
    assert (times[found.rows(VALIDATION)] >= validation).all()
    assert (times[found.rows(VALIDATION)] + HORIZON < test).all()
    assert (times[found.rows(TEST)] >= test).all()


def test_samples_without_a_label_are_dropped_unless_they_are_inside_an_incident():
    sequences, labels, incidents = world()
    for kind in ("time", "device"):
        kept = split(kind, sequences, labels, incidents, HORIZON).part != NONE
        assert (incidents.inside(sequences) | (labels >= 0))[kept].all()
        assert (incidents.inside(sequences) & kept).any()


def test_a_device_is_in_one_part_only_and_the_seed_decides():
    facts = world()
    first, again, other = (split("device", *facts, HORIZON, seed=seed) for seed in (1, 1, 2))
    assert first.devices == again.devices != other.devices
    assert sorted(name for part in first.devices for name in part) == sorted(facts[0].devices)
    for row_part, device in zip(first.part, facts[0].device_of_row, strict=True):
        assert row_part == NONE or facts[0].devices[device] in first.devices[row_part]


def test_devices_that_fail_are_spread_over_all_parts():
    sequences, _, incidents = world(devices=30)
    few = incidents.device < 5
    rare = Incidents.of(30, incidents.device[few], incidents.start[few], incidents.end[few])
    labels = label_rows(sequences.offsets, sequences.timestamps, rare.inside(sequences), HORIZON)
    for seed in range(5):
        found = split("device", sequences, labels, rare, HORIZON, seed=seed)
        assert min(observed((sequences, labels, rare), found, part) for part in range(3)) > 0


def test_two_parts_are_enough_when_the_test_telemetry_is_separate():
    facts = world()
    for kind in ("time", "device"):
        assert set(split(kind, *facts, HORIZON, shares=(0.75, 0.25)).part) == {TRAIN, VALIDATION, NONE}
    assert set(whole_test(*facts, HORIZON).part) == {TEST, NONE}
    sequences, labels, _ = facts
    with pytest.raises(NetopsError, match=r"no incident in the test part.*--test-incidents"):
        whole_test(sequences, np.zeros_like(labels), Incidents.of(20, [], [], []), HORIZON)


def test_incidents_that_overlap_within_the_horizon_are_one_event():
    incidents = Incidents.of(3, [0, 1, 2], [100, 105, 140], [110, 120, 150])
    assert separate_incidents(incidents, np.ones(3, dtype=bool), 10) == 2
    assert separate_incidents(incidents, np.ones(3, dtype=bool), 31) == 1


def routers(capture):
    """The keys of a capture, with the incidents of its log."""
    files = sorted((DATA / "cisco-routers" / "telemetry" / capture).glob("*.csv.gz"))
    names = [file.name.removesuffix(".csv.gz") for file in files]
    times = [np.sort(pd.read_csv(file, usecols=["time"])["time"].to_numpy(np.int64)) * SECOND for file in files]
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in times])])
    log = pd.read_csv(DATA / "cisco-routers" / f"{capture}.incidents.csv")
    devices = [names.index(name) for name in log["Node"]]
    incidents = Incidents.of(len(names), devices, log["Start"] * SECOND, log["End"] * SECOND)
    sequences = Sequences(tuple(names), offsets, np.concatenate(times))
    labels = label_rows(offsets, sequences.timestamps, incidents.inside(sequences), MINUTE)
    return sequences, labels, incidents, MINUTE


def test_a_time_split_of_the_router_capture_is_refused_and_a_device_split_works():
    facts = routers("bgpclear_second")
    words = (
        "no split by time.*31 minutes of history hold 8 incidents, of which only 5 are apart.*--split device works"
    )
    with pytest.raises(NetopsError, match=words):
        split("time", *facts)
    found = split("device", *facts)
    for part in range(3):
        assert facts[2].observed(facts[0].where(found.rows(part)), MINUTE).sum() >= 2


def test_a_capture_that_no_split_can_serve_names_separate_telemetry():
    facts = routers("portflap_first")
    for kind in ("time", "device"):
        with pytest.raises(NetopsError, match=f"no split by {kind}.*--test"):
            split(kind, *facts)


def test_a_time_split_of_the_servers_works():
    table = pd.read_parquet(DATA / "smd-servers" / "telemetry.parquet", columns=["timestamp", "device", "is_error"])
    names, counts = np.unique(table["device"], return_counts=True)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    times, failed = table["timestamp"].astype("int64").to_numpy(), table["is_error"].to_numpy()
    edges = np.diff(failed.astype(int), prepend=0)
    start, end = times[edges == 1], times[np.flatnonzero(edges == -1) - 1] + MINUTE
    device = np.searchsorted(offsets, np.flatnonzero(edges == 1), side="right") - 1
    incidents = Incidents.of(len(names), device, start, end)
    sequences = Sequences(tuple(names), offsets, times)
    labels = label_rows(offsets, times, failed, HORIZON)
    found = split("time", sequences, labels, incidents, HORIZON)
    assert min(observed((sequences, labels, incidents), found, part) for part in range(3)) >= 10


@pytest.mark.parametrize("seed", range(5))
def test_one_more_device_does_not_move_the_others(seed):
    found = {n: split("device", *world(devices=n), HORIZON, seed=seed) for n in range(24, 30)}
    for n in range(24, 29):
        for before, after in zip(found[n].devices, found[n + 1].devices, strict=True):
            assert set(before) == set(after) - {f"d{n}"}


def test_the_order_of_devices_does_not_matter():
    sequences, labels, incidents = world(devices=24)
    renamed = Sequences(tuple(reversed(sequences.devices)), sequences.offsets, sequences.timestamps)
    first, second = (split("device", facts, labels, incidents, HORIZON) for facts in (sequences, renamed))
    assert [set(part) for part in first.devices] == [set(part) for part in second.devices]
