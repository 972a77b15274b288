"""What monitoring exports."""

from netops.monitoring.exported import MonitoringMetrics


def test_drift_is_exported_with_its_significance() -> None:
    metrics = MonitoringMetrics("demo")
    metrics.drift("feature", "latency", 0.3, True)
    labels = {"network": "demo", "kind": "feature", "name": "latency"}
    assert metrics.registry.get_sample_value("netops_drift_score", labels) == 0.3
    assert metrics.registry.get_sample_value("netops_drift_detected", labels) == 1


def test_a_failed_run_keeps_the_time_of_the_last_success() -> None:
    metrics = MonitoringMetrics("demo")
    metrics.run_ended("retrain", False, 100.0, {"train": 3.0}, {"train": 10})
    metrics.run_ended("retrain", True, 200.0, {}, {})
    labels = {"network": "demo", "workflow": "retrain"}
    assert metrics.registry.get_sample_value("netops_run_failed", labels) == 1
    assert metrics.registry.get_sample_value("netops_run_success_timestamp_seconds", labels) == 100


def test_unknown_metrics_are_not_exported() -> None:
    metrics = MonitoringMetrics("demo")
    metrics.model("xgboost", "v1", {"event_recall": 0.9, "median_lead_seconds": None})
    labels = {"network": "demo", "family": "xgboost", "version": "v1"}
    assert metrics.registry.get_sample_value("netops_model_figure", {**labels, "figure": "event_recall"}) == 0.9
    assert (
        metrics.registry.get_sample_value("netops_model_figure", {**labels, "figure": "median_lead_seconds"})
        is None
    )
