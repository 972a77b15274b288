"""Metrics with statistics of their own: fewer columns with the same values."""

import numpy as np
import pytest

from netops.config.durations import HOUR, MINUTE, SECOND
from netops.errors import UsageError
from netops.features.batch import Replay, transform
from netops.features.engine import FeatureEngine
from netops.features.spec import FeatureSpec

WINDOWS = (MINUTE, 10 * MINUTE)
SPEC = FeatureSpec(
    ("cpu", "log_error_count", "rate"),
    WINDOWS,
    ("mean", "slope", "above_0.5_share"),
    {"log_error_count": ("mean", "max", "deviation"), "rate": ()},
)
ALL = FeatureSpec(SPEC.metrics, WINDOWS, ("mean", "slope", "above_0.5_share", "max", "deviation"))


def samples(rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(4)
    values = draw.normal(size=(rows, 3))
    values[draw.random((rows, 3)) < 0.1] = np.nan
    return np.cumsum(draw.integers(1, 9, rows)) * SECOND, values


def test_names() -> None:
    assert SPEC.names == (
        *("cpu", "cpu_mean_1m", "cpu_slope_1m", "cpu_above_0.5_share_1m", "cpu_missing_1m"),
        *("cpu_mean_10m", "cpu_slope_10m", "cpu_above_0.5_share_10m", "cpu_missing_10m"),
        *("log_error_count", "log_error_count_mean_1m", "log_error_count_max_1m"),
        *("log_error_count_mean_10m", "log_error_count_max_10m"),
        *("log_error_count_deviation", "log_error_count_deviation_1m"),
        "rate",
    )
    assert len(ALL.names) == ALL.width == SPEC.width
    assert ALL.columns is None


def test_they_are_stored() -> None:
    assert FeatureSpec.from_dict(SPEC.to_dict()) == SPEC
    assert "own" not in ALL.to_dict()
    assert FeatureSpec.from_dict(ALL.to_dict()).own == {}


def test_values_are_those_of_all_statistics() -> None:
    times, values = samples()
    chosen = [ALL.names.index(name) for name in SPEC.names]
    wanted = transform(ALL, np.array([0, len(times)]), times, values)[:, chosen]
    np.testing.assert_array_equal(transform(SPEC, np.array([0, len(times)]), times, values), wanted)
    replay, halves = Replay(SPEC), []
    for part, continues in ((slice(0, 150), False), (slice(150, None), True)):
        found = replay.feed(np.array([0, len(times[part])]), times[part], values[part], continues)
        halves.append(found)
    np.testing.assert_array_equal(np.concatenate(halves), wanted)


def test_stream_and_batch_are_equal() -> None:
    times, values = samples(200)
    wanted = transform(SPEC, np.array([0, len(times)]), times, values)
    engine, one = FeatureEngine(SPEC), FeatureEngine(SPEC)
    np.testing.assert_array_equal(engine.update(np.zeros(len(times), np.int64), times, values)[0], wanted)
    singles = [one.update_one(0, int(time), row)[0] for time, row in zip(times, values, strict=True)]
    np.testing.assert_array_equal(np.array(singles), wanted)


def test_unknown_statistics_and_metrics_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown statistic 'men'"):
        FeatureSpec(("cpu",), WINDOWS, ("mean",), {"cpu": ("men",)})
    with pytest.raises(UsageError, match="statistics of metric 'cqu'"):
        FeatureSpec(("cpu",), WINDOWS, ("mean",), {"cqu": ("mean",)})


def test_a_baseline_of_one_metric_is_computed() -> None:
    assert FeatureSpec(("a", "b"), (HOUR,), ("mean",), {"b": ("baseline_deviation",)}).has_baseline
