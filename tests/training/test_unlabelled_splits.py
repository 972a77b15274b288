"""Splits without labels: fractions of samples or devices, and nothing else."""

import numpy as np
import pytest

from netops.alerting.sequences import Sequences
from netops.errors import NetopsError
from netops.training.splits import NONE, TEST, TRAIN, VALIDATION
from netops.training.unlabelled_splits import unlabelled_split, whole_unlabelled_test

STEP = 10


def telemetry(devices: int = 10, samples: int = 100) -> Sequences:
    """Devices that all send at the same times."""
    offsets, times = np.arange(devices + 1) * samples, np.tile(np.arange(samples) * STEP, devices)
    return Sequences(tuple(f"d{number}" for number in range(devices)), offsets, times)


def test_by_time_the_splits_follow_each_other() -> None:
    sequences = telemetry()
    found = unlabelled_split("time", sequences)
    assert found.kind == "time"
    assert found.boundaries == (60 * STEP, 80 * STEP)
    assert [int(found.rows(split).sum()) for split in (TRAIN, VALIDATION, TEST)] == [600, 200, 200]
    assert sequences.timestamps[found.rows(TRAIN)].max() < found.boundaries[0]
    assert sequences.timestamps[found.rows(TEST)].min() == found.boundaries[1]
    assert found.folds is None


def test_two_fractions_leave_no_test_split() -> None:
    found = unlabelled_split("time", telemetry(), fractions=(0.75, 0.25))
    assert found.boundaries == (75 * STEP,)
    assert [int(found.rows(split).sum()) for split in (TRAIN, VALIDATION, TEST)] == [750, 250, 0]


@pytest.mark.parametrize("samples", [1, 2])
def test_too_few_times_are_refused(samples: int) -> None:
    with pytest.raises(NetopsError, match="too few different times"):
        unlabelled_split("time", telemetry(samples=samples))


@pytest.mark.parametrize(
    ("devices", "counts"), [(3, [1, 1, 1]), (4, [2, 1, 1]), (5, [3, 1, 1]), (10, [6, 2, 2]), (50, [30, 10, 10])]
)
def test_by_device_each_split_has_its_devices(devices: int, counts: list[int]) -> None:
    sequences = telemetry(devices)
    found = unlabelled_split("device", sequences)
    assert [len(names) for names in found.devices] == counts
    assert sorted(name for names in found.devices for name in names) == sorted(sequences.devices)
    for split, names in enumerate(found.devices):
        own = {sequences.devices[device] for device in sequences.device_of_row[found.rows(split)]}
        assert own == set(names)
    assert not (found.of_row == NONE).any()


def test_the_seed_decides_which() -> None:
    sequences = telemetry(20)
    first, again, other = (unlabelled_split("device", sequences, seed=seed).devices for seed in (1, 1, 2))
    assert first == again != other


def test_a_device_without_samples_belongs_to_no_split() -> None:
    sequences = Sequences(("a", "b", "c", "d"), np.array([0, 2, 2, 4, 6]), np.array([0, 1, 0, 1, 0, 1]))
    found = unlabelled_split("device", sequences)
    assert sorted(name for names in found.devices for name in names) == ["a", "c", "d"]


def test_two_devices_are_too_few() -> None:
    with pytest.raises(NetopsError, match="2 devices are too few; --split time works"):
        unlabelled_split("device", telemetry(2))
    assert len(unlabelled_split("device", telemetry(2), fractions=(0.75, 0.25)).devices) == 2


def test_separate_telemetry_is_the_test_split() -> None:
    sequences = telemetry(3)
    found = whole_unlabelled_test(sequences)
    assert (found.of_row == TEST).all()
    assert found.devices == ((), (), sequences.devices)
