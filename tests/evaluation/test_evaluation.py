"""Evaluation: against scikit-learn, against the batch alerts, and by group."""

import json

import numpy as np
import pytest

from netops.alerting.alerts import open_alerts
from netops.alerting.matching import FALSE, MISSED, NEITHER, TRUE, match
from netops.alerting.outcomes import EvaluationSplit, candidates, outcomes
from netops.alerting.policy import AlertPolicy
from netops.config.durations import MINUTE, SECOND
from netops.evaluation.calibration import reliability, resampled
from netops.evaluation.evaluate import LEAD_SHARES, evaluate
from netops.evaluation.ranking import Ranking
from tests.evaluation.worlds import HORIZON, make_split, risks_of, world


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_and_roc_auc_are_those_of_scikit_learn(ties):
    from sklearn.metrics import average_precision_score, roc_auc_score

    _, labels, _ = world(devices=5)
    risks = risks_of(labels)
    risks = np.round(risks, 1) if ties else risks
    unit = np.arange(len(labels)) % 50
    weights = np.random.default_rng(3).integers(0, 4, 50).astype(float)
    known = labels >= 0
    given = (labels[known], risks[known])
    expected = [f(*given, sample_weight=weights[unit[known]]) for f in (average_precision_score, roc_auc_score)]
    assert Ranking.of(risks, labels, unit).figures(weights) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("digits", [0, 1, 2, 9])
def test_resamples_side_by_side_are_those_one_by_one(digits):
    generator = np.random.default_rng(digits)
    for size in (0, 1, 40, 3000):
        risks = np.round(generator.random(size), digits)
        risks[generator.random(size) < 0.1] = np.nan
        labels = generator.integers(-1, 2, size).astype(np.int8)
        ranking = Ranking.of(risks, labels, generator.integers(0, 9, size))
        weights = generator.integers(0, 3, (30, 9)).astype(float)
        one_by_one = np.array([ranking.figures(weight) for weight in weights])
        np.testing.assert_array_equal(ranking.resampled(weights), one_by_one)


@pytest.mark.parametrize("rare", [1, 6])
@pytest.mark.parametrize("expire", [None, HORIZON // 4])
@pytest.mark.parametrize("close_below", [1.0, 0.7])
def test_the_sweep_counts_what_the_alerts_are(close_below, expire, rare):
    """Also where most samples are passed over: below the threshold, or not scored."""
    evaluated = make_split()
    risks = risks_of(evaluated.labels) ** rare
    if rare > 1:
        risks[np.arange(len(risks)) // 90 % 5 == 0] = np.nan
        again = np.arange(len(risks)) % 211 == 210
        evaluated.sequences.timestamps[again] = evaluated.sequences.timestamps[np.flatnonzero(again) - 1]
    policy = AlertPolicy(0.5, 2, HORIZON, close_below, expire)
    thresholds = candidates(evaluated, risks, 20)
    found = outcomes(evaluated, risks, policy, thresholds)
    for index, threshold in enumerate(thresholds):
        alerts = open_alerts(
            AlertPolicy(threshold, 2, HORIZON, close_below, expire),
            evaluated.sequences.offsets,
            evaluated.sequences.timestamps,
            risks,
            evaluated.inside,
        )
        matching = match(alerts, evaluated.incidents, HORIZON)
        counts = [int((matching.kind == kind).sum()) for kind in (FALSE, TRUE, NEITHER)]
        assert [found.false[index].sum(), found.true[index].sum(), found.neither[index].sum()] == counts
        assert (found.lead[index] == matching.lead).all()


def test_the_figures_are_those_of_the_words():
    evaluated = make_split()
    risks = risks_of(evaluated.labels, strength=3)
    policy = AlertPolicy(0.45, 2, HORIZON)
    figures = evaluate(evaluated, risks, policy).figures
    alerts = open_alerts(
        policy, evaluated.sequences.offsets, evaluated.sequences.timestamps, risks, evaluated.inside
    )
    matching = match(alerts, evaluated.incidents, HORIZON)
    leads = matching.lead[evaluated.observed]
    false, true = (matching.kind == FALSE).sum(), (matching.kind == TRUE).sum()
    assert 0 < false < true
    assert figures.event_recall == (leads != MISSED).mean()
    assert figures.precision == true / (true + false)
    assert figures.median_lead_seconds == np.median(leads[leads != MISSED]) / SECOND
    healthy = (~evaluated.inside).sum() * 10 / 86_400
    assert figures.device_days == pytest.approx(healthy, rel=0.02)
    assert figures.false_alarms_per_device_day == pytest.approx(false / figures.device_days)
    assert figures.base_rate == (evaluated.labels == 1).sum() / (evaluated.labels >= 0).sum()


def test_a_perfect_risk_is_perfect_and_a_constant_one_is_the_base_rate():
    evaluated = make_split()
    perfect = evaluate(evaluated, np.where(evaluated.labels == 1, 0.9, 0.1), AlertPolicy(0.5, 2, MINUTE))
    assert perfect.figures.average_precision == perfect.figures.roc_auc == perfect.figures.event_recall == 1
    assert perfect.figures.false_alarms == 0
    assert perfect.figures.median_lead_seconds == 590  # the second sample of the horizon opens the alert
    constant = evaluate(evaluated, np.full(len(evaluated.labels), 0.2), AlertPolicy(0.5, 2, MINUTE))
    assert constant.figures.average_precision == pytest.approx(constant.figures.base_rate)
    assert constant.figures.roc_auc == 0.5
    assert constant.figures.event_recall == 0


def test_risks_inside_incidents_and_after_purging_do_not_count():
    evaluated = make_split()
    risks = risks_of(evaluated.labels)
    wild = np.where(evaluated.inside, 1.0, risks)
    policy = AlertPolicy(0.5, 2, HORIZON)
    assert evaluate(evaluated, wild, policy).figures == evaluate(evaluated, risks, policy).figures


def test_groups_add_up():
    evaluated = make_split()
    found = evaluate(evaluated, risks_of(evaluated.labels), AlertPolicy(0.4, 2, HORIZON))
    assert set(found.groups) == {"scenario", "data_center", "device"}
    for group in found.groups.values():
        for name in ("incidents", "incidents_warned"):
            assert sum(getattr(one, name) for one in group.values()) == getattr(found.figures, name)
    for name in ("samples", "positives", "false_alarms", "true_alerts", "alerts_inside_incident"):
        assert sum(getattr(one, name) for one in found.groups["data_center"].values()) == getattr(
            found.figures, name
        )
    east = np.array([n % 2 == 0 for n in evaluated.sequences.device_of_row])
    mine = EvaluationSplit.where(east, evaluated.sequences, evaluated.labels, evaluated.incidents, HORIZON)
    alone = evaluate(mine, risks_of(evaluated.labels)[east], AlertPolicy(0.4, 2, HORIZON)).figures
    assert found.groups["data_center"]["east"] == alone


def test_intervals_hold_the_figures_and_narrow_with_more_devices():
    widths = []
    for devices in (10, 90):
        evaluated = make_split(devices=devices)
        found = evaluate(evaluated, risks_of(evaluated.labels, 3), AlertPolicy(0.6, 2, HORIZON))
        for name, spread in found.intervals.items():
            assert spread.low <= found.to_dict()[name] <= spread.high, name
        widths.append(found.intervals["average_precision"].high - found.intervals["average_precision"].low)
    assert widths[1] < widths[0] / 2


def test_groups_have_intervals_of_their_own():
    evaluated = make_split(devices=40)
    found = evaluate(evaluated, risks_of(evaluated.labels), AlertPolicy(0.4, 2, HORIZON))
    assert {kind: set(each) for kind, each in found.group_intervals.items()} == {
        kind: set(each) for kind, each in found.groups.items()
    }
    for kind in ("scenario", "data_center"):
        for name, intervals in found.group_intervals[kind].items():
            figures = found.groups[kind][name]
            for key, spread in intervals.items():
                assert spread.low <= getattr(figures, key) <= spread.high, (kind, name, key)
    # Incidents know of no false alarms.
    assert set(found.group_intervals["scenario"]["leak"]) == {"event_recall", "median_lead_seconds"}
    assert "false_alarms_per_device_day" in found.group_intervals["data_center"]["east"]
    whole = found.intervals["event_recall"]
    half = found.group_intervals["scenario"]["leak"]["event_recall"]
    assert half.high - half.low > whole.high - whole.low
    assert found.to_dict()["group_intervals"]["scenario"]["leak"]["event_recall"] == vars(half)


def test_the_curve_has_lead_times_at_every_threshold():
    evaluated, policy = make_split(), AlertPolicy(0.6, 2, HORIZON)
    risks = risks_of(evaluated.labels, 3)
    curve = evaluate(evaluated, risks, policy).curve
    for index in (20, 60, 120):
        at = evaluate(evaluated, risks, AlertPolicy(float(curve.threshold[index]), 2, HORIZON))
        np.testing.assert_allclose(curve.lead_quantiles[index], np.quantile(at.lead_seconds, LEAD_SHARES))
        assert curve.lead_quantiles[index, 2] == curve.median_lead_seconds[index] == at.figures.median_lead_seconds
        assert curve.precision[index] == at.figures.precision
        assert curve.event_recall[index] == at.figures.event_recall
    assert np.isnan(curve.lead_quantiles[0]).all()


def test_the_curve_holds_every_threshold():
    evaluated = make_split()
    curve = evaluate(evaluated, risks_of(evaluated.labels, 3), AlertPolicy(0.6, 2, HORIZON)).curve
    assert 100 <= len(curve.threshold) <= 201
    assert (np.diff(curve.threshold) < 0).all()
    assert (curve.event_recall[0], curve.false_alarms_per_device_day[0]) == (0, 0)
    assert curve.event_recall.max() > 0.9


def test_everything_is_json_without_data():
    sequences, labels, incidents = world(devices=3)
    healthy = EvaluationSplit.where(labels == 0, sequences, labels, incidents, HORIZON)
    raw = evaluate(healthy, np.zeros(len(healthy.labels)), AlertPolicy(0.5, 2, HORIZON)).to_dict()
    assert raw["average_precision"] is None
    assert raw["median_lead_seconds"] is None
    assert raw["threshold"] == 0.5
    json.dumps(raw, allow_nan=False)


def test_calibration_error_is_that_of_the_definition():
    labels = np.array([0, 1, 1, 1, -1], dtype=np.int8)
    found = reliability(np.array([0.1, 0.1, 0.9, 0.9, 0.5]), labels)
    assert found.samples.tolist() == [2, 2]
    assert found.expected_calibration_error == pytest.approx((0.4 * 2 + 0.1 * 2) / 4)
    assert found.brier == pytest.approx((0.01 + 0.81 + 0.01 + 0.01) / 4)
    assert found.calibration_error_at_risk == found.expected_calibration_error
    rare = reliability(np.array([0.01, 0.01, 0.05, 0.5, 0.9]), np.array([0, 0, 1, 0, 1], dtype=np.int8))
    assert rare.calibration_error_at_risk == pytest.approx((0.5 + 0.1) / 2)
    assert np.isnan(reliability(np.array([0.01]), np.zeros(1, dtype=np.int8)).calibration_error_at_risk)


def test_resampled_calibration_figures_are_those_of_the_drawn_samples():
    evaluated = make_split(devices=6)
    risks, units = risks_of(evaluated.labels), evaluated.periods.of_row
    weights = evaluated.periods.weights(0, 5)
    brier, error = resampled(risks, evaluated.labels, units, weights)
    for drawn, found in zip(weights, zip(brier, error, strict=True), strict=True):
        rows = np.repeat(np.arange(len(risks)), drawn[units].astype(int))
        whole = reliability(risks[rows], evaluated.labels[rows])
        assert found == pytest.approx((whole.brier, whole.expected_calibration_error))


def test_probabilities_change_what_risks_mean_and_nothing_else():
    evaluated, policy = make_split(), AlertPolicy(0.4, 2, HORIZON)
    risks = risks_of(evaluated.labels)
    plain, calibrated = (
        evaluate(evaluated, risks, policy),
        evaluate(evaluated, risks, policy, probabilities=risks**2),
    )
    assert calibrated.figures == plain.figures
    assert plain.uncalibrated is None
    assert calibrated.uncalibrated.brier == plain.reliability.brier
    assert calibrated.reliability.brier == pytest.approx(reliability(risks**2, evaluated.labels).brier)
    assert calibrated.intervals["brier"].low < calibrated.reliability.brier < calibrated.intervals["brier"].high
    same = ("average_precision", "event_recall", "precision", "false_alarms_per_device_day", "median_lead_seconds")
    assert all(calibrated.intervals[name] == plain.intervals[name] for name in same)


def test_the_interval_of_a_small_calibration_error_holds_it():
    """Risks that mean what they say: resampling finds more error than there is."""
    evaluated = make_split(devices=12)
    labels = evaluated.labels.copy()
    random = np.random.default_rng(0)
    risks = random.random(len(labels))
    labels[labels >= 0] = random.random((labels >= 0).sum()) < risks[labels >= 0]
    honest = EvaluationSplit(evaluated.sequences, labels, evaluated.incidents, HORIZON)
    found = evaluate(honest, risks, AlertPolicy(0.9, 2, HORIZON))
    error, spread = found.reliability.expected_calibration_error, found.intervals["expected_calibration_error"]
    assert error < 0.02
    assert spread.low <= error <= spread.high
