"""How a history is cut into batches."""

from itertools import pairwise

import numpy as np
import pytest

from netops.backtest import replay


@pytest.mark.parametrize("span", [1, 7, 1000])
def test_batches_have_complete_timestamps_within_their_span(monkeypatch: pytest.MonkeyPatch, span: int) -> None:
    monkeypatch.setattr(replay, "BATCH", 10)
    times = np.sort(np.random.default_rng(0).integers(0, 300, 400))
    times[50:75] = times[50]  # an instant that no batch can hold
    times = np.sort(times)
    cuts = replay._cuts(times, span)
    assert (cuts[0], cuts[-1]) == (0, len(times))
    assert all(start < end for start, end in pairwise(cuts))
    for start, end in pairwise(cuts):
        whole = end == len(times) or times[end] != times[end - 1]
        assert whole or times[start] == times[end - 1]
        assert times[end - 1] - times[start] < span
        assert end - start <= 10
