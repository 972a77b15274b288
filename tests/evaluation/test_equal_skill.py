"""How often one of several equals is promoted: the best of three must not seem better than it is."""

import numpy as np

from netops.alerting.outcomes import EvaluationSplit
from netops.alerting.sequences import Incidents, Sequences
from netops.config.durations import MINUTE
from netops.evaluation.selection import against_chance, choose_best, compare
from netops.training.labels import label_rows

HORIZON = 10 * MINUTE
DEVICES, ROWS, TRIALS = 12, 60, 200
#: Promotions at the nominal rate of 2.5% in so many trials that more of them are had in one of a hundred cases.
BOUND = 10


def small_split(random: np.random.Generator) -> EvaluationSplit:
    """A validation split in which each device fails once."""
    offsets = np.arange(DEVICES + 1) * ROWS
    names = tuple(f"d{number}" for number in range(DEVICES))
    sequences = Sequences(names, offsets, np.tile(np.arange(ROWS) * MINUTE, DEVICES))
    at = random.integers(15, ROWS - 5, size=DEVICES) * MINUTE
    incidents = Incidents.of(DEVICES, np.arange(DEVICES), at, at + 3 * MINUTE)
    labels = label_rows(offsets, sequences.timestamps, incidents.inside(sequences), HORIZON)
    return EvaluationSplit(sequences, labels, incidents, HORIZON)


def equals(split: EvaluationSplit, random: np.random.Generator, count: int, skill: float = 1.0) -> list[np.ndarray]:
    """Models of the same skill: each is good at other devices, and all find the same samples hard."""
    device, rows = split.sequences.device_of_row, len(split.labels)
    hard = random.normal(size=rows)
    return [
        skill * (split.labels == 1) * (1 + random.normal(size=DEVICES)[device])
        + 0.5 * hard
        + random.normal(size=rows)
        for _ in range(count)
    ]


def promotions(trials: int, resamples: int) -> tuple[int, int]:
    """Count how often the best of three is found better than a champion of the same skill: corrected, and not."""
    corrected = naive = 0
    for seed in range(trials):
        random = np.random.default_rng(seed)
        split = small_split(random)
        champion, *challengers = equals(split, random, 4)
        named = {str(index): risks for index, risks in enumerate(challengers)}
        best = named.pop(choose_best(split, named, resamples=2).best)
        how = {"seed": seed, "resamples": resamples}
        corrected += compare(split, best, champion, rivals=list(named.values()), **how).better
        naive += compare(split, best, champion, **how).better
    return corrected, naive


def test_the_best_of_three_equals_is_promoted_at_the_nominal_rate_at_most() -> None:
    corrected, naive = promotions(TRIALS, 300)
    assert corrected <= BOUND
    assert naive > BOUND


def test_a_better_challenger_is_still_found_among_three() -> None:
    found = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        split = small_split(random)
        [champion], rivals = equals(split, random, 1, skill=0.5), equals(split, random, 2)
        [best] = equals(split, random, 1, skill=4.0)
        found += compare(split, best, champion, rivals=rivals, seed=seed, resamples=300).better
    assert found >= 15


def test_noise_is_not_better_than_chance_and_a_warning_is() -> None:
    better = {0.0: 0, 3.0: 0}
    for seed in range(40):
        random = np.random.default_rng(seed)
        split = small_split(random)
        for skill in better:
            best, *rivals = equals(split, random, 3, skill)
            better[skill] += against_chance(split, best, rivals=rivals, seed=seed, resamples=300).better
    assert better[0.0] <= 4
    assert better[3.0] >= 38
