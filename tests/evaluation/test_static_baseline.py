"""The static-threshold baseline."""

import numpy as np
import pytest

from netops.config.durations import HOUR, MINUTE
from netops.evaluation.static_baseline import baseline_columns, fit_baseline
from netops.features.spec import FeatureSpec

NAMES = ["idle", "high", "low", "noise"]


def training(rows=20_000, seed=0):
    generator = np.random.default_rng(seed)
    labels = (generator.random(rows) < 0.1).astype(np.int8)
    features = generator.normal(50, 5, size=(rows, 4))
    features[:, 0] = 7
    hit, other = (labels == 1) & (np.arange(rows) % 2 == 0), (labels == 1) & (np.arange(rows) % 2 == 1)
    features[hit, 1] += 30
    features[other, 2] -= 30
    return features, labels, np.ones(rows)


def test_metrics_and_directions_are_found_and_combined():
    features, labels, weights = training()
    found = fit_baseline(features, labels, weights, NAMES, NAMES)
    assert {(signal.column, signal.above) for signal in found.signals[:2]} == {("high", True), ("low", False)}
    assert found.average_precision > 0.99
    fresh, truth, _ = training(seed=1)
    from sklearn.metrics import average_precision_score

    assert average_precision_score(truth, found.score(fresh, NAMES)) > 0.99


def test_risks_rise_with_the_metric_also_beyond_what_was_seen():
    features, labels, weights = training()
    found = fit_baseline(features, labels, weights, NAMES, ["high"])
    line = np.full((400, 4), 50.0)
    line[:, 1] = np.linspace(40, 120, 400)
    risks = found.score(line, NAMES)
    assert ((risks >= 0) & (risks <= 1)).all()
    assert (np.diff(risks) >= 0).all()
    assert (np.diff(risks[(line[:, 1] > 60) & (line[:, 1] < 75)]) > 0).all()


def test_a_risk_represents_plain_thresholds():
    features, labels, weights = training()
    found = fit_baseline(features, labels, weights, NAMES, ["high"])
    threshold = float(found.score(np.full((1, 4), 66.0), NAMES)[0])
    assert found.describe(threshold) == ["high >= 66"]
    assert found.to_dict(threshold)["thresholds"] == ["high >= 66"]


def test_missing_values_do_not_alert():
    features, labels, weights = training()
    features[::3, 1] = np.nan
    found = fit_baseline(features, labels, weights, NAMES, NAMES)
    assert found.score(np.full((2, 4), np.nan), NAMES).tolist() == [0, 0]


def test_thinned_rows_count_with_their_weight():
    features, labels, weights = training()
    selected = (labels == 1) | (np.arange(len(labels)) % 10 == 0)
    thinned = np.where(labels == 0, 10.0, 1.0)[selected]
    whole = fit_baseline(features, labels, weights, NAMES, ["high"])
    part = fit_baseline(features[selected], labels[selected], thinned, NAMES, ["high"])
    assert part.average_precision == pytest.approx(whole.average_precision, abs=0.03)


def test_wide_data_are_screened_first():
    features, labels, weights = training(rows=12_000)
    wide = np.hstack([np.random.default_rng(1).normal(size=(12_000, 100)), features])
    names = [f"n{n}" for n in range(100)] + NAMES
    found = fit_baseline(wide, labels, weights, names, names)
    assert {"high", "low"} <= set(found.columns)


def test_current_values_and_the_shortest_means_are_looked_at():
    spec = FeatureSpec(("cpu", "loss"), (HOUR, MINUTE))
    assert baseline_columns(spec) == ["cpu", "cpu_mean_1m", "loss", "loss_mean_1m"]
