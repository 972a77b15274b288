"""Which features are taken."""

import numpy as np
import pytest

from netops.training.feature_selection import Sample, select, varying

WIDTH, ROWS = 1_800, 2_000


def wide(names: tuple[str, ...], labels: np.ndarray) -> np.ndarray:
    """Columns made on demand: three tell something, some are constant or empty, the rest is noise."""
    matrix = np.empty((len(labels), len(names)))
    for index, name in enumerate(names):
        number = int(name[1:])
        rng = np.random.default_rng(number)
        noise = rng.normal(size=len(labels))
        if number in (17, 900, 1_744):
            matrix[:, index] = noise + 2 * labels
        elif number % 10 == 1:
            matrix[:, index] = 5.0 if number % 20 == 1 else np.nan
        else:
            matrix[:, index] = noise
    return matrix


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(0).random(ROWS) < 0.2


def test_finds_what_matters_among_thousands_in_bounded_memory(labels: np.ndarray) -> None:
    asked: list[int] = []

    def read(names: tuple[str, ...]) -> np.ndarray:
        asked.append(len(names))
        return wide(names, labels)

    names = tuple(f"f{number}" for number in range(WIDTH))
    chosen = select(names, read, Sample(labels, np.ones(ROWS)), most=20, seed=0)
    assert len(chosen) == 20
    assert {"f17", "f900", "f1744"} <= set(chosen)
    assert list(chosen) == sorted(chosen, key=names.index)
    assert not any(int(name[1:]) % 10 == 1 for name in chosen)
    assert max(asked) <= 200  # columns in memory at once
    assert chosen == select(names, read, Sample(labels, np.ones(ROWS)), most=20, seed=0)


def test_sees_what_is_not_monotone(labels: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    bowl = np.where(labels, rng.choice([-2, 2], ROWS), 0) + 0.3 * rng.normal(size=ROWS)
    columns = {f"n{index}": rng.normal(size=ROWS) for index in range(50)} | {"bowl": bowl}
    chosen = select(
        tuple(columns), lambda names: np.stack([columns[n] for n in names], 1), Sample(labels, np.ones(ROWS)), 5, 0
    )
    assert "bowl" in chosen


def test_keeps_all_that_vary_when_there_is_room(labels: np.ndarray) -> None:
    names = tuple(f"f{number}" for number in range(30))
    chosen = select(names, lambda some: wide(some, labels), Sample(labels, np.ones(ROWS)), 100, 0)
    assert len(chosen) == 27


def test_varying() -> None:
    nan = np.nan
    matrix = np.array([[1, 1, nan, nan, 1], [1, 2, nan, 3, nan], [1, 1, nan, nan, 2]])
    np.testing.assert_array_equal(varying(matrix), [False, True, False, False, True])
