"""What monitoring finds."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from netops.monitoring.exported import Drift, MonitoringMetrics
from netops.monitoring.histograms import Floats


@dataclass(frozen=True)
class Finding:
    """One thing that was compared.

    Attributes
    ----------
    kind : str
        ``feature``, ``risk``, ``missing``, ``concept`` or ``schema``.
    name : str
    score : float
        How far it has moved, in the newest window; NaN where that says nothing.
    minimum : float or None
        A smaller move is not worth telling.
    p_value : float or None
        The chance of such a move where nothing has changed, for this one comparison.
    detected : bool
        Whether it is beyond chance and worth telling, in the newest window.
    since : int or None
        When it was first found in the time that was looked at, nanoseconds since the epoch, also where it is over.
    about : str
        In words.
    """

    kind: Drift
    name: str
    score: float
    minimum: float | None = None
    p_value: float | None = None
    detected: bool = False
    since: int | None = None
    about: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON takes it; unknown values None."""
        plain = {key: None if _unknown(value) else value for key, value in asdict(self).items()}
        return plain | {"since": None if self.since is None else written(self.since)}


@dataclass(frozen=True)
class Report:
    """What became of a network since its champion was trained.

    Attributes
    ----------
    network, version : str
        Whose telemetry, and which model it was compared with.
    start, end : int
        The time that was looked at, nanoseconds since the epoch.
    statistic : str
    window : int
        Length of a window in nanoseconds.
    findings : tuple of Finding
        Drift first, then by how far things have moved.
    ends : tuple of int
        When each window ends.
    scores : dict
        Feature → its scores, window by window, in units of the smallest move that is worth telling.
    found : dict
        Feature → the windows in which it had drifted.
    missing : dict
        Metric → share of missing values in the newest window.
    notes : tuple of str
        What the reference could not tell.
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
    found: dict[str, Any] = field(repr=False)
    missing: dict[str, float] = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def drifted(self) -> tuple[Finding, ...]:
        """What has drifted."""
        return tuple(finding for finding in self.findings if finding.detected)

    def to_dict(self) -> dict[str, Any]:
        """Give the report as JSON takes it."""
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
        """Set the gauges that tell of drift."""
        for finding in self.findings:
            if not math.isnan(finding.score):
                metrics.drift(finding.kind, finding.name, finding.score, finding.detected)
        metrics.missing({name: share for name, share in self.missing.items() if not math.isnan(share)})


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Put drift first, then what has moved furthest."""

    def key(finding: Finding) -> tuple[bool, float]:
        far = finding.score / finding.minimum if finding.minimum else finding.score
        return not finding.detected, -(0.0 if math.isnan(far) else far)

    return tuple(sorted(findings, key=key))


def written(moment: int) -> str:
    """Write nanoseconds since the epoch as ISO 8601, to the second."""
    return f"{datetime.fromtimestamp(moment // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _unknown(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
