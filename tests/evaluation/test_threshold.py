"""The threshold for an alert budget."""

import numpy as np
import pytest

from netops.alerting.policy import AlertPolicy
from netops.evaluation.evaluate import evaluate
from netops.evaluation.threshold import choose_threshold, lowest_within, poisson_upper_bound
from tests.evaluation.worlds import HORIZON, make_split, risks_of

POLICY = AlertPolicy(0.5, 2, HORIZON)


@pytest.mark.parametrize("budget", [0.0, 1 / 7, 5.0, 50.0])
def test_the_budget_is_met_with_the_best_recall(budget):
    evaluated = make_split()
    risks = risks_of(evaluated.labels, 3)
    choice = choose_threshold(evaluated, risks, POLICY, budget)
    found = evaluate(evaluated, risks, AlertPolicy(choice.threshold, 2, HORIZON))
    assert found.figures.false_alarms_per_device_day <= budget
    assert (choice.false_alarms, choice.event_recall) == (found.figures.false_alarms, found.figures.event_recall)
    within = found.curve.false_alarms_per_device_day <= budget
    assert choice.event_recall == found.curve.event_recall[within].max()


@pytest.mark.parametrize(
    ("bearable", "index"),
    [
        (0.9, 3),  # one more false alarm would be too many everywhere: the middle
        (1.0, 4),  # the lowest without a false alarm, though two lower ones have as high a recall
        (3.0, 6),
        (4.2, 7),
        (99.0, 8),
    ],
)
def test_of_equal_thresholds_the_lowest_with_a_margin_is_taken(bearable, index):
    recall = np.array([0.2, 0.9, 1, 1, 1, 1, 1, 1, 1, 0.8])
    false = np.array([0, 0, 0, 0, 0, 1, 2, 3, 7, 9])
    within = np.arange(len(recall)) if bearable > 1 else np.arange(5)
    assert lowest_within(within, recall, false, bearable) == index


def test_the_margin_is_a_quarter_of_the_budget():
    evaluated = make_split()
    risks = risks_of(evaluated.labels, 2)
    for count in (8, 20, 40):
        choice = choose_threshold(evaluated, risks, POLICY, count / evaluated.device_days.sum())
        curve = evaluate(evaluated, risks, AlertPolicy(choice.threshold, 2, HORIZON)).curve
        equal = (curve.event_recall == choice.event_recall) & (curve.threshold < choice.threshold)
        false = curve.false_alarms_per_device_day[equal] * evaluated.device_days.sum()
        assert (false + 1 > 0.75 * count).all()


def test_rounding_of_the_risks_moves_nothing():
    evaluated = make_split()
    risks = risks_of(evaluated.labels, 3)
    choice = choose_threshold(evaluated, risks, POLICY, 1.0)
    shaken = risks + np.random.default_rng(0).uniform(-1e-9, 1e-9, len(risks))
    assert ((risks >= choice.threshold) == (shaken >= choice.threshold)).all()


def test_too_little_data_is_reported():
    few = choose_threshold(make_split(devices=5), np.zeros(5000), POLICY, 1 / 7)
    assert few.note.startswith("No false alarm in the 0.5")
    assert "where the budget is 1; to show the budget takes 21 device-days without any." in few.note
    evaluated = make_split(devices=300)
    risks = risks_of(evaluated.labels, 20)
    assert choose_threshold(evaluated, risks, POLICY, 1 / 7).note == ""


def test_a_constant_risk_never_alerts():
    choice = choose_threshold(make_split(devices=3), np.full(3000, 0.2), POLICY, 1 / 7)
    assert choice.threshold > 0.2
    assert (choice.false_alarms, choice.event_recall) == (0, 0)


@pytest.mark.parametrize(("count", "bound"), [(0, 2.9957), (1, 4.7439), (5, 10.5130)])
def test_the_poisson_bound_is_exact(count, bound):
    assert poisson_upper_bound(count) == pytest.approx(bound, abs=1e-3)
