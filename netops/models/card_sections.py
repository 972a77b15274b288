"""The sections of a model card: the form of their JSON.

A key that some cards lack, because an earlier version wrote them or there was nothing to write, is not required.
"""

from typing import TypeAlias, TypedDict

__all__ = [
    "AlertValues",
    "Background",
    "Calibration",
    "CurveValues",
    "EvaluationValues",
    "EventValues",
    "FigureValues",
    "Hyperparameters",
    "IntervalValues",
    "LabelSources",
    "LogValues",
    "ReliabilityValues",
    "ScalingValues",
    "SearchResult",
    "Split",
    "TrainingData",
    "UnlabelledValues",
    "ValidationValues",
]

#: Hyper-parameters of a family, whose names differ from family to family, its seed and threads.
Hyperparameters: TypeAlias = dict[str, object]


class ScalingValues(TypedDict, total=False):
    """Centre and spread of each feature (``Scaling``)."""

    centre: list[float]
    spread: list[float]
    limit: float
    fill: bool


class SearchResult(TypedDict, total=False):
    """Trials and result of a hyper-parameter search; empty without one."""

    objective: str
    trials: int
    failed: int
    chosen: int
    best: float
    configured: float
    worst: float
    median: float
    seconds: float
    note: str
    tried: list[dict[str, object]]


class Split(TypedDict, total=False):
    """How telemetry was split into training, validation and test."""

    kind: str
    boundaries: list[int]
    devices: list[list[str]]


class LabelSources(TypedDict, total=False):
    """Where the labels come from; ``unused``: why they were too few to train on."""

    incidents: dict[str, int]
    verdicts: dict[str, int]
    positives: int
    hard_negatives: int
    left_out: int
    borne_out: int
    contradicted: int
    unused: str


TrainingData = TypedDict(
    "TrainingData",
    {
        "source": str,
        "devices": int,
        "incidents": int,
        "rows": int,
        "positives": int,
        "samples": int,
        "base_rate": float,
        "fingerprint": str,
        "from": int,
        "to": int,
        "counters": list[str],
        "device_names": list[str],
        "labels": LabelSources,
        "fitted_rows": int,
        "read": str,
        "workers": int,
    },
    total=False,
)
TrainingData.__doc__ = "Rows and origin of the training split."


class Background(TypedDict, total=False):
    """Distribution of each feature in the training split."""

    shares: list[float]
    quantiles: dict[str, list[float] | None]
    missing: dict[str, float]


class Calibration(TypedDict, total=False):
    """Calibration of risks to probabilities (``Platt``), or the reason why there is none."""

    method: str | None
    part: str
    slope: float
    intercept: float
    reason: str
    rows: int
    positives: int


class AlertValues(TypedDict, total=False):
    """The alert policy (``AlertPolicy``)."""

    threshold: float
    for_samples: int
    cooldown: int
    close_below: float
    expire: int | None


class IntervalValues(TypedDict):
    """A 95% interval; None where it cannot be estimated."""

    low: float | None
    high: float | None


class FigureValues(TypedDict, total=False):
    """The figures of a split, or of a group of it; None where nothing defines them."""

    samples: int
    positives: int
    base_rate: float | None
    average_precision: float | None
    roc_auc: float | None
    incidents: int
    incidents_warned: int
    true_alerts: int
    false_alarms: int
    alerts_inside_incident: int
    device_days: float
    event_recall: float | None
    precision: float | None
    false_alarms_per_device_day: float | None
    median_lead_seconds: float | None


class ReliabilityValues(TypedDict, total=False):
    """Observed frequency of failures against the predicted probability, by bin."""

    predicted: list[float]
    happened: list[float]
    samples: list[int]
    brier: float | None
    expected_calibration_error: float | None


class CurveValues(TypedDict, total=False):
    """Figures by event at every threshold, falling thresholds."""

    threshold: list[float]
    event_recall: list[float | None]
    false_alarms_per_device_day: list[float | None]
    precision: list[float | None]
    median_lead_seconds: list[float | None]
    lead_quantiles: list[list[float | None]]


class ValidationValues(TypedDict, total=False):
    """What validation shows of the threshold (``ThresholdChoice``)."""

    threshold: float
    event_recall: float | None
    false_alarms_per_device_day: float | None
    false_alarms: int
    device_days: float
    upper_bound: float
    budget: float
    note: str


class LogValues(TypedDict, total=False):
    """The metrics that count log messages (``LogColumns``); empty without logs."""

    columns: list[str]
    selected: list[int]
    reach: int
    delay: int
    rare: int
    interval: int
    groups: dict[str, list[int]]
    texts: dict[str, str]
    keys: dict[str, str]
    carried: list[str]
    templates: dict[str, object]


class EventValues(TypedDict, total=False):
    """The metrics that count events (``EventColumns``); empty without events."""

    columns: list[str]
    kinds: list[str]
    reach: int


class UnlabelledValues(TypedDict):
    """What validation shows of a threshold that is chosen without labels (``UnlabelledChoice``)."""

    threshold: float
    chosen_by: str
    alerts: int
    device_days: float
    alerts_per_device_day: float
    budget: float
    note: str


class EvaluationValues(FigureValues, total=False):
    """Figures on the test split, and what they are made of (``Evaluation``); empty before the evaluation.

    A model without labels has ``alerts``, ``alerts_per_device_day`` and ``unlabelled``, and no figure of incidents.
    """

    threshold: float
    brier: float | None
    expected_calibration_error: float | None
    calibration_error_at_risk: float | None
    intervals: dict[str, IntervalValues]
    reliability: ReliabilityValues
    confusion: dict[str, int]
    lead_seconds: list[float]
    curve: CurveValues
    recall: list[float]
    sample_precision: list[float]
    groups: dict[str, dict[str, FigureValues]]
    group_intervals: dict[str, dict[str, dict[str, IntervalValues]]]
    uncalibrated: ReliabilityValues | None
    validation: ValidationValues
    alerts: int
    alerts_per_device_day: float | None
    unlabelled: UnlabelledValues
