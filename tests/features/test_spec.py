import pytest

from netops.config.durations import DAY, HOUR, MINUTE, SECOND
from netops.errors import UsageError
from netops.features.spec import FeatureSpec, default_windows


def test_names_follow_the_declaration():
    spec = FeatureSpec(("cpu", "loss"), (MINUTE, HOUR), ("mean", "above_0.5_share"))
    assert spec.names == (
        "cpu", "cpu_mean_1m", "cpu_above_0.5_share_1m", "cpu_missing_1m",
        "cpu_mean_1h", "cpu_above_0.5_share_1h", "cpu_missing_1h",
        "loss", "loss_mean_1m", "loss_above_0.5_share_1m", "loss_missing_1m",
        "loss_mean_1h", "loss_above_0.5_share_1h", "loss_missing_1h",
    )  # fmt: skip
    assert spec.thresholds == (0.5,)


def test_the_default_vector_of_four_metrics_has_44_columns():
    assert len(FeatureSpec(("a", "b", "c", "d"), (MINUTE, HOUR)).names) == 44


@pytest.mark.parametrize(("window", "label"), [(90, "90s"), (60, "1m"), (371, "371s"), (7200, "2h"), (86400, "1d")])
def test_a_window_is_labelled_in_its_largest_unit(window, label):
    assert FeatureSpec(("a",), (window * SECOND,), ("mean",)).names[1] == f"a_mean_{label}"


def test_a_spec_survives_its_dictionary():
    spec = FeatureSpec(("a", "b"), (MINUTE,), ("std", "above_-1.5_share"))
    assert FeatureSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize(
    ("metrics", "windows", "statistics", "message"),
    [
        (("a",), (MINUTE,), ("meen",), "did you mean 'mean'"),
        (("a",), (MINUTE,), ("missing",), "is included"),
        (("a",), (MINUTE,), ("above_x_share",), "above_<threshold>_share"),
        (("a",), (0,), ("mean",), "above zero"),
        (("a",), (101 * DAY,), ("mean",), "at most 100d"),
        (("a",), (), ("mean",), "at least one of windows"),
        ((), (MINUTE,), ("mean",), "at least one of metrics"),
        (("a",), (MINUTE, MINUTE), ("mean",), "'a_mean_1m'"),
        (("a", "a_mean_1m"), (MINUTE,), ("mean",), "'a_mean_1m'"),
    ],
)
def test_what_cannot_be_is_refused(metrics, windows, statistics, message):
    with pytest.raises(UsageError, match=message):
        FeatureSpec(metrics, windows, statistics)


@pytest.mark.parametrize(
    ("interval", "history", "windows"),
    [
        (5.0, 86400, (60, 3600)),
        (60.0, 38 * 86400, (720, 43200)),
        (5.0, 3600, (60, 720)),
        (5.0, 250, (50,)),
        (0.01, 3600, (1, 7)),
        (0.515, 86400, (6, 371)),
        (5.0, 2, (1,)),
    ],
)
def test_default_windows_follow_the_interval(interval, history, windows):
    assert default_windows(round(interval * SECOND), history * SECOND) == tuple(w * SECOND for w in windows)
