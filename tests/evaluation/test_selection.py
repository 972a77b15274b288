"""Choosing among models, and champion against challenger."""

from pathlib import Path

import pytest

from netops.alerting.resampling import Interval
from netops.config.binding import bind, read_yaml
from netops.errors import NetopsError
from netops.evaluation.promotion import REMEDIES, PromotionSettings, Scorecard, decide
from netops.evaluation.selection import Difference, choose_best, compare
from tests.evaluation.worlds import make_split, risks_of

NAN = float("nan")
GUARDS = PromotionSettings()
BETTER, SAME = Difference(0.1, Interval(0.02, 0.2)), Difference(0.01, Interval(-0.02, 0.04))
CHAMPION = Scorecard("1", 0.6, 0.9, 0.1)


def test_the_file_says_what_the_code_does():
    file = Path(__file__).parents[2] / "configurations" / "promotion.yaml"
    assert bind(PromotionSettings, read_yaml(file), "promotion.yaml") == GUARDS


def test_the_best_average_precision_is_chosen_and_its_uncertainty_reported():
    evaluated = make_split()
    strong, weak = risks_of(evaluated.labels, 3), risks_of(evaluated.labels, 1)
    twin = risks_of(evaluated.labels, 3, seed=2)
    choice = choose_best(evaluated, {"weak": weak, "strong": strong, "twin": twin})
    assert choice.best in {"strong", "twin"}
    assert choice.ahead["weak"].better
    assert "ahead of weak" in choice.reason
    other = "twin" if choice.best == "strong" else "strong"
    assert not choice.ahead[other].better
    assert f"not significantly different from {other}" in choice.reason


def test_a_comparison_is_the_same_from_both_sides():
    evaluated = make_split()
    strong, weak = risks_of(evaluated.labels, 3), risks_of(evaluated.labels, 1)
    up, down = compare(evaluated, strong, weak), compare(evaluated, weak, strong)
    assert up.better
    assert not down.better
    assert (up.value, up.interval.low) == (-down.value, -down.interval.high)


def test_no_model_is_no_choice():
    evaluated = make_split(devices=2)
    with pytest.raises(NetopsError, match="no model"):
        choose_best(evaluated, {})


@pytest.mark.parametrize(
    ("challenger", "difference", "promoted", "words"),
    [
        (Scorecard("2", 0.7, 0.95, 0.1), BETTER, True, "better beyond the interval; no guard"),
        (Scorecard("2", 0.61, 0.9, 0.1), SAME, False, "not better beyond the interval"),
        (Scorecard("2", 0.7, 0.4, 0.1), BETTER, False, "event recall 0.400 is below the floor of 0.5"),
        (Scorecard("2", 0.7, 0.9, 0.4), BETTER, False, "above the ceiling of 0.3"),
        (Scorecard("2", 0.7, 0.9, 0.1, latency_ms=9), BETTER, False, "9 ms, above the ceiling of 5 ms"),
        (
            Scorecard("2", 0.7, 0.9, 0.1, missing_features=("a", "b")),
            BETTER,
            False,
            "lacks 2 of its features: a, b",
        ),
        (Scorecard("2", NAN, NAN, NAN, failure="no file"), None, False, "could not be evaluated: no file"),
        (Scorecard("2", 0.7, 0.9, 0.1), None, False, "not compared on the same data"),
    ],
)
def test_a_challenger_must_be_better_and_break_no_guard(challenger, difference, promoted, words):
    decision = decide(challenger, CHAMPION, difference, GUARDS)
    assert decision.promoted == promoted
    assert words in decision.reason


def test_an_interval_that_begins_at_zero_shows_nothing():
    for low, promoted in ((0.0, False), (1e-9, True)):
        difference = Difference(0.1, Interval(low, 0.2))
        assert difference.better == promoted
        assert decide(Scorecard("2", 0.7, 0.9, 0.1), CHAMPION, difference, GUARDS).promoted == promoted


def test_guards_do_not_keep_a_worse_champion():
    poor = Scorecard("1", 0.3, 0.2, 0.9)
    assert decide(Scorecard("2", 0.4, 0.3, 0.8), poor, BETTER, GUARDS).promoted


@pytest.mark.parametrize("champion", [None, Scorecard("1", NAN, NAN, NAN, failure="file is damaged")])
def test_a_single_model_is_chosen(champion):
    assert decide(Scorecard("2", 0.1, 0.1, 0.9), champion, None, GUARDS).promoted
    assert not decide(Scorecard("2", 0.1, 0.1, 0.9, missing_features=("a",)), champion, None, GUARDS).promoted


def test_at_its_limits_a_challenger_breaks_no_guard():
    at_all = Scorecard("2", 0.7, 0.5, 0.3, latency_ms=5.0)
    assert decide(at_all, CHAMPION, BETTER, GUARDS).promoted
    assert decide(at_all, Scorecard("1", 0.6, NAN, NAN), BETTER, GUARDS).promoted
    lacking = Scorecard("2", 0.7, 0.9, 0.1, missing_features=("a",))
    assert decide(lacking, CHAMPION, BETTER, PromotionSettings(missing_features=1)).promoted


@pytest.mark.parametrize(
    ("missing", "words"),
    [("abc", "lacks 3 of its features: a, b, c"), ("abcd", "lacks 4 of its features: a, b, c, …")],
)
def test_up_to_three_missing_features_are_named(missing, words):
    decision = decide(Scorecard("2", 0.7, 0.9, 0.1, missing_features=tuple(missing)), CHAMPION, BETTER, GUARDS)
    assert decision.reasons[0] == f"the telemetry {words}"


def test_a_first_model_has_to_be_of_use():
    model, useless = Scorecard("1", 0.1, 0.1, 0.9), ("no better than chance", "no better than thresholds")
    refused = decide(model, None, None, GUARDS, useless)
    assert refused.reasons == ("no champion: no better than chance", "no better than thresholds", REMEDIES)
    assert not refused.promoted
    assert decide(model, None, None, PromotionSettings(first="any"), useless).promoted
    damaged = Scorecard("0", NAN, NAN, NAN, failure="file is damaged")
    assert decide(model, damaged, None, GUARDS, useless).reason == (
        "the champion 0 can no longer be evaluated: file is damaged"
    )


def test_a_model_that_cannot_be_evaluated_is_not_also_called_useless():
    failed = Scorecard.failed("1", "no file")
    assert decide(failed, None, None, GUARDS, ("no better than chance",)).reasons == (
        "no champion: the challenger could not be evaluated: no file",
    )
    damaged = Scorecard.failed("0", "file is damaged")
    assert decide(failed, damaged, None, GUARDS).reasons == ("the challenger could not be evaluated: no file",)
