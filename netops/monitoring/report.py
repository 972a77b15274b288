"""The report of monitoring."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from netops.alerting.sequences import Flags
from netops.monitoring.exported import Drift, MonitoringMetrics
from netops.monitoring.histograms import Floats


@dataclass(frozen=True)
class Finding:
    """The result of one comparison.

    Attributes
    ----------
    kind : str
        ``feature``, ``risk``, ``missing``, ``concept`` or ``schema``.
    name : str
    score : float
        Drift score in the newest window; NaN if there are too few samples.
    minimum : float or None
        Smaller scores are not reported as drift.
    p_value : float or None
        Probability of such a score without drift, for this comparison alone.
    detected : bool
        Whether there is drift in the newest window: significant and at least ``minimum``.
    since : int or None
        When drift was first detected in the examined time range, in nanoseconds since the epoch, even if it is
        over.
    about : str
        Description.
    """

    kind: Drift
    name: str
    score: float
    minimum: float | None = None
    p_value: float | None = None
    detected: bool = False
    since: int | None = None
    about: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the finding as plain values for JSON; unknown values are None."""
        plain = {key: None if _unknown(value) else value for key, value in asdict(self).items()}
        return plain | {"since": None if self.since is None else written(self.since)}


@dataclass(frozen=True)
class Report:
    """The drift of a network since its champion was trained.

    Attributes
    ----------
    network, version : str
        The network, and the model version it was compared with.
    start, end : int
        The examined time range, in nanoseconds since the epoch.
    statistic : str
    window : int
        Length of a window in nanoseconds.
    findings : tuple of Finding
        Drift first, then by decreasing score.
    ends : tuple of int
        End of each window.
    scores : dict
        Feature → its score per window, as a multiple of the minimum reported score.
    found : dict
        Feature → whether it had drifted, per window.
    missing : dict
        Metric → fraction of missing values in the newest window.
    notes : tuple of str
        Limitations of the reference.
    """

    network: str
    version: str
    start: int
    end: int
    statistic: str
    window: int
    findings: tuple[Finding, ...]
    ends: tuple[int, ...]
    scores: dict[str, Floats] = field(repr=False)
    found: dict[str, Flags] = field(repr=False)
    missing: dict[str, float] = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def drifted(self) -> tuple[Finding, ...]:
        """The findings with drift."""
        return tuple(finding for finding in self.findings if finding.detected)

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain values for JSON."""
        return {
            "network": self.network,
            "model_version": self.version,
            "start": written(self.start),
            "end": written(self.end),
            "statistic": self.statistic,
            "window_seconds": self.window / 1e9,
            "windows": len(self.ends),
            "drift": bool(self.drifted),
            "findings": [finding.to_dict() for finding in self.findings],
            "notes": list(self.notes),
        }

    def export(self, metrics: MonitoringMetrics) -> None:
        """Set the drift gauges."""
        for finding in self.findings:
            if not math.isnan(finding.score):
                metrics.drift(finding.kind, finding.name, finding.score, finding.detected)
        metrics.missing({name: share for name, share in self.missing.items() if not math.isnan(share)})


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings: drift first, then by decreasing relative score."""

    def key(finding: Finding) -> tuple[bool, float]:
        relative = finding.score / finding.minimum if finding.minimum else finding.score
        return not finding.detected, -(0.0 if math.isnan(relative) else relative)

    return tuple(sorted(findings, key=key))


def written(moment: int) -> str:
    """Format nanoseconds since the epoch as ISO 8601, to the second."""
    return f"{datetime.fromtimestamp(moment // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _unknown(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
