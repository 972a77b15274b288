"""Reasons in words: every statistic has a sentence that gives its value and what it is compared with."""

import math

import pytest

from netops.config.durations import HOUR, MINUTE
from netops.features.spec import BASELINE, RELATIVE, STATISTICS, Feature, FeatureSpec
from netops.models.wording import Value, describe

TRAINED = "the training mean of 41.25"
SENTENCES = [
    (Feature("cpu"), 91.25, f"cpu is 91.25, 4.0 deviations above {TRAINED}"),
    (Feature("cpu", "mean", MINUTE), 16.25, f"cpu: mean of 1m is 16.25, 2.0 deviations below {TRAINED}"),
    (Feature("cpu", "std", HOUR), 66.25, f"cpu: standard deviation of 1h is 66.25, 2.0 deviations above {TRAINED}"),
    (Feature("cpu", "slope", MINUTE), -0.5, "cpu falls by 30 per minute over 1m"),
    (Feature("cpu", "last_change", HOUR), 300.0, "cpu has not changed for 5m"),
    (Feature("cpu", "missing", MINUTE), 0.25, "cpu: 25% of the values of 1m are missing"),
    (Feature("cpu", "above_90_share", MINUTE), 0.5, "cpu is above 90 in 50% of 1m"),
    (Feature("cpu", "residual", MINUTE), -3.0, "cpu is 3 below its mean of 1m"),
    (Feature("cpu", "shift", MINUTE), 12.0, "cpu: mean of 1m is 12 above that of 1h"),
    (Feature("cpu", "deviation"), 4.2, "cpu is 4.2 deviations above its mean of 1h"),
    (Feature("cpu", "max_deviation", MINUTE), 4.2, "cpu: maximum of 1m is 4.2 deviations above its mean of 1h"),
    (Feature("cpu", "std_ratio", MINUTE), math.log(3), "cpu varies 3 times as much in 1m as in 1h"),
    (Feature("cpu", "baseline_deviation"), 4.2, "cpu is 4.2 deviations above its usual level"),
    (Feature("cpu", "baseline_deviation", MINUTE), -4.2, "cpu: mean of 1m is 4.2 deviations below its usual level"),
    (Feature("cpu", "baseline_std_ratio", MINUTE), math.log(3), "cpu varies 3 times as much in 1m as usual"),
    (Feature("cpu", "baseline_deviation", MINUTE), math.nan, "cpu: baseline deviation of 1m is unknown"),
]  # fmt: skip


def value_of(feature: Feature, value: float) -> Value:
    return Value(feature, value, level=41.25, spread=12.5, longest=HOUR)


@pytest.mark.parametrize(("feature", "value", "sentence"), SENTENCES)
def test_a_value_is_described(feature: Feature, value: float, sentence: str) -> None:
    assert describe(value_of(feature, value)) == sentence


def test_every_statistic_has_a_sentence_that_names_its_metric() -> None:
    spec = FeatureSpec(("cpu",), (MINUTE, HOUR), (*STATISTICS, *RELATIVE, *BASELINE, "above_90_share"))
    for feature in spec.features:
        sentence = describe(value_of(feature, 0.5))
        assert sentence.startswith("cpu")
        assert sentence != describe(value_of(feature, math.nan))
