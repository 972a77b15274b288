"""Assessment of a model without labels: how often it alerts, and nothing that depends on incidents."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from netops.alerting.outcomes import EvaluationSplit, outcomes, rates
from netops.alerting.policy import AlertPolicy
from netops.alerting.resampling import Interval, interval
from netops.alerting.sequences import Floats
from netops.alerting.settings import AlertSettings
from netops.evaluation.unlabelled_threshold import UnlabelledChoice, choose_without_labels
from netops.models.card import ModelCard, write_card
from netops.models.card_sections import AlertValues, EvaluationValues, UnlabelledValues
from netops.training.deviations import build_deviations
from netops.training.examples import Examples
from netops.training.settings import TrainingSettings
from netops.training.train import split_risks

#: Placeholder of the threshold before one is chosen.
_ANY = 0.5


@dataclass(frozen=True)
class AlertRate:
    """How often a policy alerts on a split.

    Attributes
    ----------
    alerts : int
    device_days : float
    per_device_day : float
    interval : Interval
        95%, from resampled devices.
    devices : int
        With at least one alert.
    """

    alerts: int
    device_days: float
    per_device_day: float
    interval: Interval
    devices: int

    @classmethod
    def of(cls, split: EvaluationSplit, risks: Floats, policy: AlertPolicy, seed: int = 0) -> "AlertRate":
        """Count the alerts of a split without incidents."""
        found = outcomes(split, risks, policy, np.array([policy.threshold]))
        each, days = found.false[0], float(split.device_days.sum())
        resampled = rates(split, found, split.periods.weights(seed), 0).false_alarms_per_device_day
        alerts = int(each.sum())
        rate = alerts / days if days > 0 else float("nan")
        return cls(alerts, days, rate, interval(resampled), int((each > 0).sum()))


@dataclass(frozen=True)
class UnlabelledAssessment:
    """Threshold and alert rate of a model without labels.

    Attributes
    ----------
    policy : AlertPolicy
        With the threshold chosen for the alert budget.
    choice : UnlabelledChoice
        What validation shows of the threshold.
    test : AlertRate
        On the test split, which is used for no choice.
    """

    policy: AlertPolicy
    choice: UnlabelledChoice
    test: AlertRate

    def figures(self) -> dict[str, float | None]:
        """Return the figures of the test split by name; unknown ones are None."""
        rate = self.test.per_device_day
        return {
            "alerts_per_device_day": rate if np.isfinite(rate) else None,
            "threshold": self.policy.threshold,
        }

    def interval_ends(self) -> dict[str, float]:
        """Return the ends of the 95% intervals by name."""
        ends = {f"alerts_per_device_day.{end}": getattr(self.test.interval, end) for end in ("low", "high")}
        return {name: value for name, value in ends.items() if np.isfinite(value)}

    def to_dict(self) -> EvaluationValues:
        """Return the section of the model card."""
        rate, spread = self.test.per_device_day, self.test.interval
        low, high = (value if np.isfinite(value) else None for value in (spread.low, spread.high))
        return {
            "threshold": self.policy.threshold,
            "alerts": self.test.alerts,
            "device_days": self.test.device_days,
            "alerts_per_device_day": rate if np.isfinite(rate) else None,
            "intervals": {"alerts_per_device_day": {"low": low, "high": high}},
            "unlabelled": cast(UnlabelledValues, asdict(self.choice)),
        }


def assess_without_labels(
    examples: Examples, model: Path, settings: AlertSettings, seed: int = 0
) -> UnlabelledAssessment:
    """Choose the threshold of a model on validation, and count its alerts on the test split.

    Parameters
    ----------
    examples : Examples
        Without labels.
    model : Path
        Model folder.
    settings : AlertSettings
        Alert policy and budget.
    seed : int
        Of the bootstrap.
    """
    validation, test = (split_risks(examples, model, split) for split in ("validation", "test"))
    policy, budget = settings.policy(_ANY, examples.horizon), settings.false_alarms_per_device_day
    choice = choose_without_labels(examples.evaluation_split("validation"), validation, policy, budget)
    note = " ".join(filter(None, (settings.budget_caution(examples.horizon), choice.note)))
    policy = replace(policy, threshold=choice.threshold)
    found = AlertRate.of(examples.evaluation_split("test"), test, policy, seed)
    return UnlabelledAssessment(policy, replace(choice, note=note), found)


def unlabelled_model(
    examples: Examples, training: TrainingSettings, alerting: AlertSettings, out: Path, *, network: str
) -> tuple[ModelCard, UnlabelledAssessment]:
    """Fit the model without labels, choose its threshold, and count its alerts.

    Parameters
    ----------
    examples : Examples
        Without labels.
    training, alerting
        Sections of the configuration.
    out : Path
        Model folder to write.
    network : str
        Whose model it is.

    Returns
    -------
    tuple
        The written card and the assessment.
    """
    purpose = (asdict(alerting.policy(_ANY, examples.horizon)), alerting.false_alarms_per_device_day)
    card = build_deviations(examples, out, network=network, seed=training.seed, purpose=purpose)
    assessment = assess_without_labels(examples, out, alerting, training.seed)
    card = card.updated(
        threshold=assessment.policy.threshold,
        alert=cast(AlertValues, asdict(assessment.policy)),
        evaluation=assessment.to_dict(),
    )
    write_card(out, card)
    return card, assessment
