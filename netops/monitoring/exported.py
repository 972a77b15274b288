"""What monitoring and the pipeline export to Prometheus; dashboards and rules are built on these names."""

from collections.abc import Mapping
from typing import Literal

from prometheus_client import CollectorRegistry, Gauge

Drift = Literal["feature", "risk", "missing", "concept", "schema"]


class MonitoringMetrics:
    """Gauges of one network: drift, missing values, runs of the pipeline and figures of its models.

    Parameters
    ----------
    network : str
        The label that every series carries.
    registry : CollectorRegistry, optional
        Where they are registered; by default in a registry of their own.
    """

    def __init__(self, network: str, registry: CollectorRegistry | None = None) -> None:
        self.network = network
        self.registry = registry or CollectorRegistry()
        self._score = self._gauge("netops_drift_score", "How far it moved from its reference", "kind", "name")
        self._detected = self._gauge("netops_drift_detected", "1 where the move is beyond chance", "kind", "name")
        self._missing = self._gauge("netops_missing_share", "Share of values missing (0..1)", "metric")
        self._failed = self._gauge("netops_run_failed", "1 where the last run failed", "workflow")
        self._success = self._gauge(
            "netops_run_success_timestamp_seconds", "When a run last ended well, since the epoch", "workflow"
        )
        self._seconds = self._gauge("netops_run_stage_seconds", "Duration in the last run", "workflow", "stage")
        self._rows = self._gauge("netops_run_stage_rows", "Rows taken in, in the last run", "workflow", "stage")
        self._runs = self._gauge("netops_runs", "Runs kept, by state", "workflow", "state")
        self._figures = self._gauge(
            "netops_model_figure", "Figures of a model on its held-out part", "family", "version", "figure"
        )

    def drift(self, kind: Drift, name: str, score: float, detected: bool) -> None:
        """Tell how far a feature, the risk or its worth has moved, and whether that is beyond chance."""
        self._score.labels(self.network, kind, name).set(score)
        self._detected.labels(self.network, kind, name).set(detected)

    def missing(self, shares: Mapping[str, float]) -> None:
        """Tell the share of missing values (0..1) of each metric."""
        for metric, share in shares.items():
            self._missing.labels(self.network, metric).set(share)

    def run_ended(
        self, workflow: str, failed: bool, at: float, seconds: Mapping[str, float], rows: Mapping[str, int]
    ) -> None:
        """Tell of the last run of a workflow.

        Parameters
        ----------
        workflow : str
            ``main``, ``retrain`` or ``score``.
        failed : bool
            Whether it failed.
        at : float
            When it ended, seconds since the epoch.
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
        """Tell how many runs of a workflow are kept in each state."""
        for state, count in states.items():
            self._runs.labels(self.network, workflow, state).set(count)

    def model(self, family: str, version: str, figures: Mapping[str, float | None]) -> None:
        """Tell the figures of a model; unknown ones are left out."""
        for figure, value in figures.items():
            if value is not None:
                self._figures.labels(self.network, family, version, figure).set(value)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(name, about, ("network", *labels), registry=self.registry)
