"""The pooled figures are those of the evaluation, and networks add up."""

from dataclasses import replace

import pytest

from benchmarks.quality import TIMES, count, pool, spread
from netops.alerting.policy import AlertPolicy
from netops.config.durations import SECOND
from netops.evaluation.evaluate import evaluate
from tests.evaluation.worlds import HORIZON, make_split, risks_of

POLICY = AlertPolicy(0.45, 2, HORIZON)
FIGURES = ("event_recall", "false_alarms_per_device_day", "median_lead_seconds")


def evaluated(seed):
    """A network whose precursors are half a horizon long, and its risks."""
    whole = make_split(seed=seed)
    incidents = replace(whole.incidents, precursor_start=whole.incidents.start - HORIZON // 2)
    return replace(whole, incidents=incidents), risks_of(whole.labels, strength=3, seed=seed)


def test_the_figures_of_one_network_are_those_of_its_evaluation():
    whole, risks = evaluated(1)
    expected = evaluate(whole, risks, POLICY, seed=0, resamples=TIMES)
    pooled = pool([count(whole, risks, POLICY, seed=0)])
    for name in FIGURES:
        interval, figure = expected.intervals[name], getattr(expected.figures, name)
        assert spread(pooled[name]) == pytest.approx([figure, interval.low, interval.high], abs=1e-3), name


def test_a_lead_is_compared_with_what_was_possible():
    whole, risks = evaluated(1)
    pooled = pool([count(whole, risks, POLICY, seed=0)])
    precursor = HORIZON / 2 / SECOND
    assert pooled["median_share_of_possible_lead"][0] == pooled["median_lead_seconds"][0] / precursor


def test_counts_of_networks_add_up():
    networks = [evaluated(seed) for seed in (1, 2)]
    pooled = pool(count(whole, risks, POLICY, seed=0) for whole, risks in networks)
    each = [evaluate(whole, risks, POLICY).figures for whole, risks in networks]
    warned, incidents = (sum(getattr(f, name) for f in each) for name in ("incidents_warned", "incidents"))
    false, days = (sum(getattr(f, name) for f in each) for name in ("false_alarms", "device_days"))
    assert pooled["event_recall"][0] == pytest.approx(warned / incidents)
    assert pooled["false_alarms_per_device_day"][0] == pytest.approx(false / days)


def test_a_scenario_has_its_own_incidents_alone():
    whole, risks = evaluated(1)
    figures = evaluate(whole, risks, POLICY).groups["scenario"]
    counted = count(whole, risks, POLICY, seed=0)
    for name, expected in figures.items():
        assert pool([counted], name)["event_recall"][0] == pytest.approx(expected.event_recall)
