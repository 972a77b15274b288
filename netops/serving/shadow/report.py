"""The report of a shadow: the form of its JSON."""

from typing import Literal, TypeAlias, TypedDict

__all__ = ["Agreement", "AlertCounts", "Assessment", "Role", "RoleOutcome", "ShadowReport"]

Role: TypeAlias = Literal["champion", "challenger"]


class Agreement(TypedDict):
    """Samples by which of the two models is at or above its threshold; ``share``: fraction on which they agree."""

    share: float | None
    both: int
    champion_only: int
    challenger_only: int
    neither: int


class AlertCounts(TypedDict):
    """Alerts opened by a model; those with, and those without an open alert of the other one."""

    opened: int
    shared: int
    only: int


class RoleOutcome(TypedDict):
    """The alerts of a model, compared with the incidents."""

    incidents: int
    warned: int
    true_alerts: int
    false_alarms: int
    median_lead_seconds: float | None
    event_recall: float | None
    false_alarms_per_device_day: float | None


class Assessment(TypedDict):
    """Outcomes of both models for alerts up to a time."""

    until: str
    device_days: float
    champion: RoleOutcome
    challenger: RoleOutcome


class ShadowReport(TypedDict, total=False):
    """Comparison of champion and challenger; without figures if the shadow could not be started.

    ``skipped`` are samples that the challenger has not scored: it did not keep up, or their device was dropped.
    """

    failure: str | None
    network: str
    champion: str
    challenger: str
    since: str | None
    until: str | None
    samples: int
    skipped: int
    mean_difference: float | None
    agreement: Agreement
    histograms: dict[Role, list[int]]
    alerts: dict[Role, AlertCounts]
    judged: Assessment | None
