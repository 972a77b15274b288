"""Splits: what each part holds, what is purged, and what is refused with which reason."""

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from netops.alerting.sequences import Incidents, Sequences
from netops.config.durations import DAY, HOUR, MINUTE, SECOND
from netops.errors import FewLabelsError, NetopsError
from netops.training.labels import label_rows
from netops.training.splits import NONE, TEST, TRAIN, VALIDATION, separate_incidents, split, whole_test
from tests.evaluation.worlds import HORIZON, world

DATA = Path(__file__).parents[1] / "data"


def observed(facts, found, index):
    sequences, _, incidents = facts
    return int(incidents.observed(sequences.where(found.rows(index)), HORIZON).sum())


@pytest.mark.parametrize("kind", ["time", "device"])
def test_every_part_holds_incidents_in_about_its_share(kind):
    facts = world()
    found = split(kind, *facts, HORIZON)
    counts = [observed(facts, found, index) for index in (TRAIN, VALIDATION, TEST)]
    assert min(counts) >= 2
    fractions = [np.mean(found.of_row[found.of_row != NONE] == index) for index in (TRAIN, VALIDATION, TEST)]
    assert fractions == pytest.approx([0.6, 0.2, 0.2], abs=0.12)


def test_boundaries_move_to_where_incidents_are():
    # All incidents lie in the first third: fractions of time alone would leave two parts without any.
    sequences = Sequences(("a",), np.array([0, 3000]), np.arange(3000) * 10 * SECOND)
    start = np.arange(1, 10) * 100 * 10 * SECOND
    incidents = Incidents.of(1, [0] * 9, start, start + 50 * SECOND)
    labels = label_rows(sequences.offsets, sequences.timestamps, incidents.inside(sequences), HORIZON)
    found = split("time", sequences, labels, incidents, HORIZON)
    assert min(observed((sequences, labels, incidents), found, index) for index in range(3)) >= 2


def test_no_label_reaches_over_a_boundary():
    sequences, labels, incidents = world()
    found = split("time", sequences, labels, incidents, HORIZON)
    validation, test = found.boundaries
    times = sequences.timestamps
    assert (times[found.rows(TRAIN)] + HORIZON < validation).all()
    assert (times[found.rows(VALIDATION)] >= validation).all()
    assert (times[found.rows(VALIDATION)] + HORIZON < test).all()
    assert (times[found.rows(TEST)] >= test).all()
    begins = np.isin(times, found.boundaries) & (labels >= 0)
    assert begins.any()
    assert (found.of_row[begins] != NONE).all()


def test_samples_without_a_label_are_dropped_unless_they_are_inside_an_incident():
    sequences, labels, incidents = world()
    for kind in ("time", "device"):
        selected = split(kind, sequences, labels, incidents, HORIZON).of_row != NONE
        assert (incidents.inside(sequences) | (labels >= 0))[selected].all()
        assert (incidents.inside(sequences) & selected).any()
    assert selected[labels >= 0].all(), "a device split needs no gap"


def test_a_device_is_in_one_part_only_and_the_seed_decides():
    facts = world()
    first, again, other = (split("device", *facts, HORIZON, seed=seed) for seed in (1, 1, 2))
    assert first.devices == again.devices != other.devices
    assert split("device", *facts, HORIZON).devices == split("device", *facts, HORIZON, seed=0).devices
    assert sorted(name for index in first.devices for name in index) == sorted(facts[0].devices)
    for row_split, device in zip(first.of_row, facts[0].device_of_row, strict=True):
        assert row_split == NONE or facts[0].devices[device] in first.devices[row_split]


def test_devices_that_fail_are_spread_over_all_parts():
    sequences, _, incidents = world(devices=30)
    few = incidents.device < 5
    rare = Incidents.of(30, incidents.device[few], incidents.start[few], incidents.end[few])
    labels = label_rows(sequences.offsets, sequences.timestamps, rare.inside(sequences), HORIZON)
    for seed in range(5):
        found = split("device", sequences, labels, rare, HORIZON, seed=seed)
        assert min(observed((sequences, labels, rare), found, index) for index in range(3)) > 0


def test_two_parts_are_enough_when_the_test_telemetry_is_separate():
    facts = world()
    for kind in ("time", "device"):
        assert set(split(kind, *facts, HORIZON, fractions=(0.75, 0.25)).of_row) == {TRAIN, VALIDATION, NONE}
    assert set(whole_test(*facts, HORIZON).of_row) == {TEST, NONE}
    sequences, labels, _ = facts
    with pytest.raises(NetopsError, match=r"no incident in the test split.*--test-incidents"):
        whole_test(sequences, np.zeros_like(labels), Incidents.of(20, [], [], []), HORIZON)


def test_incidents_that_overlap_within_the_horizon_are_one_event():
    incidents = Incidents.of(3, [0, 1, 2], [100, 105, 140], [110, 120, 150])
    assert separate_incidents(incidents, np.ones(3, dtype=bool), 10) == 2
    assert separate_incidents(incidents, np.ones(3, dtype=bool), 31) == 1
    assert separate_incidents(incidents, np.ones(3, dtype=bool), 30) == 2


def routers(capture):
    """The keys of a capture, with the incidents of its log."""
    files = sorted((DATA / "cisco-routers" / "telemetry" / capture).glob("*.csv.gz"))
    names = [file.name.removesuffix(".csv.gz") for file in files]
    times = [np.sort(pd.read_csv(file, usecols=["time"])["time"].to_numpy(np.int64)) * SECOND for file in files]
    offsets = np.concatenate([[0], np.cumsum([len(index) for index in times])])
    log = pd.read_csv(DATA / "cisco-routers" / f"{capture}.incidents.csv")
    devices = [names.index(name) for name in log["Node"]]
    incidents = Incidents.of(len(names), devices, log["Start"] * SECOND, log["End"] * SECOND)
    sequences = Sequences(tuple(names), offsets, np.concatenate(times))
    labels = label_rows(offsets, sequences.timestamps, incidents.inside(sequences), MINUTE)
    return sequences, labels, incidents, MINUTE


def test_a_time_split_of_the_router_capture_is_refused_and_a_device_split_works():
    facts = routers("bgpclear_second")
    words = "no split by time.*31 minutes of history hold 8 incidents.* only 5 are separate.*--split device works"
    with pytest.raises(NetopsError, match=words):
        split("time", *facts)
    found = split("device", *facts)
    for index in range(3):
        assert facts[2].observed(facts[0].where(found.rows(index)), MINUTE).sum() >= 2


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
    assert min(observed((sequences, labels, incidents), found, index) for index in range(3)) >= 10


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
    assert [set(index) for index in first.devices] == [set(index) for index in second.devices]


def telemetry(devices, samples, step, incidents):
    """Telemetry with incidents as (device, start, end) in nanoseconds."""
    offsets = np.arange(devices + 1) * samples
    sequences = Sequences(
        tuple(f"d{n}" for n in range(devices)), offsets, np.tile(np.arange(samples, dtype=np.int64) * step, devices)
    )
    device, start, end = (np.array(column, dtype=np.int64) for column in zip(*incidents, strict=True))
    known = Incidents.of(devices, device, start, end)
    return sequences, label_rows(offsets, sequences.timestamps, known.inside(sequences), HORIZON), known


def best_cost(sequences, incidents, fractions, indices):
    """Try every choice of boundaries: the smallest distance to the fractions, of samples and incidents."""
    useful = incidents.observed(sequences, HORIZON)
    times, start, end = sequences.timestamps, incidents.start[useful], incidents.end[useful]

    def apart(first, last):
        inside = (start - HORIZON >= first) & (end <= last)
        few = Incidents.of(1, np.zeros(inside.sum()), start[inside], end[inside])
        return separate_incidents(few, np.ones(inside.sum(), dtype=bool), HORIZON)

    def cost(edges):
        spans = list(pairwise(edges))
        if min(apart(*span) for span in spans) < 2:
            return np.inf
        return sum(
            abs(np.mean((of >= first) & (of < last)) - fraction)
            for (first, last), fraction in zip(spans, fractions, strict=True)
            for of in (times, start)
        )

    ends = times.min(), times.max() + 1
    return {inner: cost((ends[0], *inner, ends[1])) for inner in combinations(indices, len(fractions) - 1)}


@pytest.mark.parametrize("fractions", [(0.6, 0.2, 0.2), (0.75, 0.25), (0.3, 0.3, 0.4), (0.2, 0.3)])
@pytest.mark.parametrize("seed", range(3))
def test_the_boundaries_are_the_best_there_are(seed, fractions):
    random = np.random.default_rng(seed)
    starts = [(int(random.integers(2)), int(at) * MINUTE) for at in random.choice(np.arange(9, 230, 3), 12, False)]
    sequences, labels, incidents = telemetry(
        2, 60, 4 * MINUTE, [(device, start, start + MINUTE) for device, start in starts]
    )
    costs = best_cost(sequences, incidents, fractions, np.unique(sequences.timestamps)[1:].tolist())
    found = split("time", sequences, labels, incidents, HORIZON, fractions=fractions)
    assert np.isfinite(costs[found.boundaries])
    assert costs[found.boundaries] == pytest.approx(min(costs.values()))


def some(count, device=0, first=HOUR):
    return [(device, first + n * HOUR, first + n * HOUR + MINUTE) for n in range(count)]


@pytest.mark.parametrize(
    ("kind", "fractions", "devices", "incidents", "words"),
    [
        (
            "time",
            (0.6, 0.2, 0.2),
            1,
            some(2),
            "no split by time: each of train, validation and test needs at least 2 incidents further apart than "
            "the horizon, 10m (6 in all), and 14 hours of history hold 2 incidents; provide longer telemetry, or "
            "separate test telemetry with --test",
        ),
        (
            "time",
            (0.75, 0.25),
            1,
            some(3),
            "no split by time: each of train and validation needs at least 2 incidents further apart than the "
            "horizon, 10m (4 in all), and 14 hours of history hold 3 incidents; give longer telemetry with more "
            "incidents",
        ),
        (
            "time",
            (0.6, 0.2, 0.2),
            3,
            [*some(1), *some(1, 1), *some(1, 2)],
            "no split by time: each of train, validation and test needs at least 2 incidents further apart than "
            "the horizon, 10m (6 in all), and 14 hours of history hold 3 incidents, of which only 1 are "
            "separate; --split device works (3 devices have incidents)",
        ),
        (
            "device",
            (0.6, 0.2, 0.2),
            2,
            [(0, 0, MINUTE)],
            "no split by device: each of train, validation and test needs a device with an incident, and no device "
            "has one that can be predicted; provide longer telemetry, or separate test telemetry with --test",
        ),
        (
            "device",
            (0.6, 0.2, 0.2),
            4,
            some(2),
            "no split by device: each of train, validation and test needs a device with an incident, and only 1 "
            "device has one that can be predicted; provide longer telemetry, or separate test telemetry with "
            "--test",
        ),
        (
            "device",
            (0.6, 0.2, 0.2),
            4,
            [*some(7), *some(2, 1, 2 * HOUR)],
            "no split by device: each of train, validation and test needs a device with an incident, and only 2 "
            "devices have one that can be predicted; --split time works",
        ),
        (
            "device",
            (0.75, 0.25),
            4,
            some(3),
            "no split by device: each of train and validation needs a device with an incident, and only 1 device "
            "has one that can be predicted; give longer telemetry with more incidents",
        ),
    ],
)
def test_a_refusal_says_what_is_missing_and_what_would_work(kind, fractions, devices, incidents, words):
    facts = telemetry(devices, 14 * 60 + 1, MINUTE, incidents)
    with pytest.raises(NetopsError) as refused:
        split(kind, *facts, HORIZON, fractions=fractions)
    assert str(refused.value) == words
    assert isinstance(refused.value, FewLabelsError) == ("works" not in words)


def test_incidents_with_no_sample_between_them_are_too_close_together():
    # Of six, the second and third, and the fourth and fifth, leave no sample between end and horizon.
    starts = [60 * MINUTE, 100 * MINUTE, 0, 200 * MINUTE, 0, 300 * MINUTE]
    for index in (2, 4):
        starts[index] = starts[index - 1] + MINUTE + 2 * SECOND + HORIZON
    incidents = [(0, start + SECOND, start + SECOND + MINUTE) for start in starts]
    with pytest.raises(NetopsError, match="hold 6 incidents, too close together; provide longer"):
        split("time", *telemetry(1, 400, MINUTE, incidents), HORIZON)


def bare(samples, *starts):
    """One device with a sample a minute, and incidents of a minute."""
    return telemetry(1, samples, MINUTE, [(0, start, start + MINUTE) for start in starts])


def test_parts_may_meet_at_one_sample():
    # The second and the fourth incident end at the very sample from which the next one could be warned of.
    starts = [20 * MINUTE, 40 * MINUTE, 41 * MINUTE + HORIZON, 80 * MINUTE, 81 * MINUTE + HORIZON, 120 * MINUTE]
    found = split("time", *bare(190, *starts), HORIZON)
    assert found.boundaries == (41 * MINUTE, 81 * MINUTE)


def test_the_first_sample_can_warn_of_an_incident_that_counts():
    others = (100 * MINUTE, 400 * MINUTE, 450 * MINUTE, 500 * MINUTE, 550 * MINUTE)
    assert split("time", *bare(600, HORIZON, *others), HORIZON).kind == "time"
    with pytest.raises(NetopsError, match="hold 6 incidents, too close together"):
        split("time", *bare(600, HORIZON - 1, *others), HORIZON)


@pytest.mark.parametrize(("after", "counts"), [(0, True), (1, True), (2, False)])
def test_an_incident_counts_once_the_last_sample_is_its_end(after, counts):
    starts = [n * 40 * MINUTE for n in range(1, 6)]
    last = 300 * MINUTE
    incidents = [*((0, start, start + MINUTE) for start in starts), (0, 290 * MINUTE, last + after)]
    facts = telemetry(1, 301, MINUTE, incidents)
    if counts:
        assert len(split("time", *facts, HORIZON).boundaries) == 2
    else:
        with pytest.raises(NetopsError, match="hold 6 incidents, too close together"):
            split("time", *facts, HORIZON)


@pytest.mark.parametrize(("failing", "counts"), [(3, [1, 1, 1]), (5, [1, 2, 2]), (9, [2, 2, 5])])
def test_devices_with_few_incidents_go_to_validation_and_test_before_training(failing, counts):
    """All devices would be test ones: others are given no more than they need, and only devices that fail."""
    incidents = [some(1, device)[0] for device in range(failing)]
    found = split("device", *telemetry(12, 300, MINUTE, incidents), HORIZON, fractions=(1e-9, 1e-9, 1))
    devices = {f"d{n}" for n in range(failing)}
    assert [len(devices & set(index)) for index in found.devices] == counts
    assert {f"d{n}" for n in range(failing, 12)} <= set(found.devices[TEST])


def test_three_failing_devices_are_enough_for_three_parts():
    found = split("device", *telemetry(6, 841, MINUTE, [*some(1), *some(1, 2), *some(1, 4)]), HORIZON)
    assert [len({"d0", "d2", "d4"} & set(index)) for index in found.devices] == [1, 1, 1]


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (2 * DAY, "2 days"),
        (2 * DAY - SECOND, "48 hours"),
        (2 * HOUR, "2 hours"),
        (2 * HOUR - SECOND, "120 minutes"),
        (2 * MINUTE, "2 minutes"),
        (2 * MINUTE - SECOND, "119 seconds"),
    ],
)
def test_the_length_of_a_history_is_written_in_whole_units(length, words):
    sequences = Sequences(("a",), np.array([0, 2]), np.array([0, length]))
    none = Incidents.of(1, [], [], [])
    with pytest.raises(NetopsError, match=f"and {words} of history hold 0 incidents;"):
        split("time", sequences, np.zeros(2, dtype=np.int8), none, HORIZON)


def test_separate_telemetry_needs_an_incident_and_a_sample_before_it():
    sequences, labels, incidents = world(devices=3)
    for facts in ((sequences, np.zeros_like(labels), incidents), (sequences, labels, Incidents.of(3, [], [], []))):
        with pytest.raises(NetopsError, match="no incident in the test split"):
            whole_test(*facts, HORIZON)
