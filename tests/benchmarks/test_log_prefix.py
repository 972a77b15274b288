"""The features of PreFix: subsequences, repetition at equal distances, surge."""

from itertools import combinations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import log_prefix
from benchmarks.log_prefix import PrefixFeatures, periodic
from netops.logs.messages import Messages
from netops.training.splits import TRAIN

MINUTE = 60 * 10**9


def longest(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """Try all subsequences."""

    def has(whole: tuple[int, ...], part: tuple[int, ...]) -> bool:
        left = iter(whole)
        return all(value in left for value in part)

    return max(n for n in range(len(a) + 1) if any(has(b, part) for part in combinations(a, n)))


@pytest.mark.parametrize("seed", range(20))
def test_common_subsequences_follow_the_definition(seed: int) -> None:
    draw = np.random.default_rng(seed)
    a, b = (draw.integers(0, 3, draw.integers(1, 8)) for _ in range(2))
    assert log_prefix._common(a, len(a), b, len(b)) == longest(tuple(a.tolist()), tuple(b.tolist()))


def test_messages_at_equal_distances_are_periodic() -> None:
    times = np.array([0, 10, 20, 25, 31, 40, 90])
    templates = np.array([0, 0, 0, 1, 0, 0, 0])
    assert periodic(times, templates).tolist() == [False, False, True, False, True, False, False]


def labelled() -> Any:
    """One device with a sample a minute for 10 hours, and an incident every hour."""
    times = np.arange(600) * MINUTE
    starts = np.arange(60, 600, 60) * MINUTE
    return SimpleNamespace(
        sequences=SimpleNamespace(devices=["r1"], offsets=np.array([0, 600]), timestamps=times),
        incidents=SimpleNamespace(start=starts, offsets=np.array([0, len(starts)])),
        split=SimpleNamespace(rows=lambda part: np.full(600, part == TRAIN)),
        training_labels=np.where((times // MINUTE) % 60 > 50, 1, 0),
    )


def test_sequences_before_incidents_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_prefix, "WINDOW", 15 * MINUTE)
    monkeypatch.setattr(log_prefix, "SHORT", 5 * MINUTE)
    monkeypatch.setattr(log_prefix, "_HEALTHY", 20)
    calm_times = [(0, (60 * hour + 30) * MINUTE) for hour in range(9)]
    monkeypatch.setattr(PrefixFeatures, "_healthy_times", lambda self, seed, number: calm_times)
    starts, omens = np.arange(60, 600, 60) * MINUTE, ((9, 1), (6, 2), (2, 1))
    rows = [(int(start) - minutes * MINUTE, template) for start in starts for minutes, template in omens]
    rows += [(int(time), 0) for time in np.arange(1, 600 * 60, 90) * 10**9]
    times, templates = map(np.array, zip(*sorted(rows), strict=True))
    zeros = np.zeros(len(times), np.int8)
    messages = Messages(["r1"], zeros.astype(np.int32), times, zeros, templates.astype(np.int32))
    features = PrefixFeatures(labelled(), messages, 3, 0)
    assert features._chosen.tolist() == [False, True, True, False]
    before, calm, silent = features.of(np.array([119, 90, 0]))
    assert before[0] == pytest.approx(1.0)  # as before the other incidents
    assert calm[0] == 0.0
    assert silent.tolist() == [0.0] * len(silent)
    # Frequencies of a quarter of an hour: ten routine messages, and the three before the incident.
    assert before[log_prefix._OTHERS :].tolist() == [10.0, 2.0, 1.0, 0.0]
    assert calm[log_prefix._OTHERS :].tolist() == [10.0, 0.0, 0.0, 0.0]
    assert calm[4] == pytest.approx(1.0)  # all of them at equal distances
    assert before[6] > calm[6]
