import os
import threading
import time
from contextvars import ContextVar
from pathlib import Path

import numpy as np
import pytest

from netops.threads import Calls, RowThreads, cpus


@pytest.mark.parametrize(("quota", "expected"), [("max 100000", None), ("150000 100000", 2), ("1 100000", 1)])
def test_the_limit_of_a_container_counts(tmp_path: Path, quota: str, expected: int | None) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    allowed = len(os.sched_getaffinity(0))
    assert cpus(tmp_path / "cpu.max") == min(allowed, expected or allowed)
    assert cpus(tmp_path / "missing") == allowed


@pytest.mark.parametrize(("rows", "pieces"), [(0, 1), (9, 1), (10, 2), (14, 2), (15, 3), (1000, 3)])
def test_pieces_are_large_enough_and_in_order(rows: int, pieces: int) -> None:
    found = RowThreads(3, 5).map(lambda piece: piece.copy(), np.arange(2.0 * rows).reshape(rows, 2))
    assert len(found) == pieces
    np.testing.assert_array_equal(np.concatenate(found), np.arange(2.0 * rows).reshape(rows, 2))


def test_pieces_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=30)
    assert len(RowThreads(2, 1).map(lambda _: both.wait(), np.zeros((2, 1)))) == 2


def test_an_error_in_any_piece_is_raised() -> None:
    def fail(piece: np.ndarray) -> None:
        if piece[0, 0]:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        RowThreads(2, 1).map(fail, np.array([[0.0], [1.0]]))


def test_calls_have_the_context_of_the_caller_and_end_with_the_block() -> None:
    name = ContextVar("name", default="")
    name.set("caller")
    with Calls() as calls:
        found = [calls.start(lambda: (name.get(), time.sleep(0.05))[0]) for _ in range(5)]
    assert all(one.done() for one in found)
    assert [one.result() for one in found] == ["caller"] * 5


def test_calls_that_wait_are_not_made_after_an_error() -> None:
    made: list[int] = []
    with pytest.raises(ValueError, match="stop"), Calls() as calls:
        for number in range(50):
            calls.start(lambda number=number: (time.sleep(0.02), made.append(number)))
        raise ValueError("stop")
    assert len(made) < 50
