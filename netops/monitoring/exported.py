"""Prometheus metrics of monitoring and the pipeline; dashboards and alerting rules use these names."""

from collections.abc import Mapping
from typing import Literal

from prometheus_client import CollectorRegistry, Gauge

Drift = Literal["feature", "risk", "missing", "concept", "schema"]


class MonitoringMetrics:
    """Gauges of one network: drift, missing values, runs of the pipeline and figures of its models.

    Parameters
    ----------
    network : str
        The value of the label ``network`` of every series.
    registry : CollectorRegistry, optional
        Where the gauges are registered; default: a new registry.
    """

    def __init__(self, network: str, registry: CollectorRegistry | None = None) -> None:
        self.network = network
        self.registry = registry or CollectorRegistry()
        self._score = self._gauge("netops_drift_score", "Distance from the reference", "kind", "name")
        self._detected = self._gauge("netops_drift_detected", "1 if the drift is significant", "kind", "name")
        self._missing = self._gauge("netops_missing_share", "Fraction of missing values (0..1)", "metric")
        self._failed = self._gauge("netops_run_failed", "1 if the last run failed", "workflow")
        self._success = self._gauge(
            "netops_run_success_timestamp_seconds", "End of the last successful run, since the epoch", "workflow"
        )
        self._seconds = self._gauge("netops_run_stage_seconds", "Duration in the last run", "workflow", "stage")
        self._rows = self._gauge("netops_run_stage_rows", "Input rows in the last run", "workflow", "stage")
        self._runs = self._gauge("netops_runs", "Stored runs by state", "workflow", "state")
        self._figures = self._gauge(
            "netops_model_figure", "Metrics of a model on its held-out split", "family", "version", "figure"
        )

    def drift(self, kind: Drift, name: str, score: float, detected: bool) -> None:
        """Set the drift score of a feature, the risk or an outcome, and whether it is significant."""
        self._score.labels(self.network, kind, name).set(score)
        self._detected.labels(self.network, kind, name).set(detected)

    def missing(self, shares: Mapping[str, float]) -> None:
        """Set the fraction of missing values (0..1) of each metric."""
        for metric, share in shares.items():
            self._missing.labels(self.network, metric).set(share)

    def run_ended(
        self, workflow: str, failed: bool, at: float, seconds: Mapping[str, float], rows: Mapping[str, int]
    ) -> None:
        """Set the gauges of the last run of a workflow.

        Parameters
        ----------
        workflow : str
            ``main``, ``retrain`` or ``score``.
        failed : bool
            Whether it failed.
        at : float
            End of the run, in seconds since the epoch.
        seconds, rows : mapping
            By stage.
        """
        self._failed.labels(self.network, workflow).set(failed)
        if not failed:
            self._success.labels(self.network, workflow).set(at)
        for stage, value in seconds.items():
            self._seconds.labels(self.network, workflow, stage).set(value)
        for stage, count in rows.items():
            self._rows.labels(self.network, workflow, stage).set(count)

    def runs(self, workflow: str, states: Mapping[str, int]) -> None:
        """Set the number of stored runs of a workflow in each state."""
        for state, count in states.items():
            self._runs.labels(self.network, workflow, state).set(count)

    def model(self, family: str, version: str, figures: Mapping[str, float | None]) -> None:
        """Set the metrics of a model; unknown ones are not exported."""
        for figure, value in figures.items():
            if value is not None:
                self._figures.labels(self.network, family, version, figure).set(value)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(name, about, ("network", *labels), registry=self.registry)
