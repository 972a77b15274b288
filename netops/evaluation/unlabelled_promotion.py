"""Whether a model without labels goes into service: nothing shows which of two predicts better."""

from pathlib import Path

import numpy as np

from netops.alerting.outcomes import outcomes
from netops.alerting.policy import AlertPolicy
from netops.alerting.resampling import interval
from netops.alerting.sequences import Floats
from netops.errors import NetopsError
from netops.evaluation.comparison import latency_ms, missing_features
from netops.evaluation.promotion import Decision, PromotionSettings, Scorecard
from netops.evaluation.selection import DECISIVE, Difference
from netops.models.card import ModelCard, read_card
from netops.training.examples import Examples
from netops.training.train import split_risks


def decide_without_labels(
    examples: Examples,
    challenger: Path,
    champion: Path | Scorecard | None,
    settings: PromotionSettings,
    *,
    seed: int = 0,
) -> Decision:
    """Decide whether a new model without labels replaces the champion.

    It never replaces a champion that was trained on labels. It replaces one without labels that alerts more often
    on the newest telemetry, beyond the bootstrap interval: what was unusual for the old one has become usual. It
    also replaces one without labels whose threshold was chosen for another alert budget.

    Parameters
    ----------
    examples : Examples
        The newest data, without labels.
    challenger, champion : Path
        Model folders; no champion if nothing serves yet, a failed scorecard if its files no longer exist.
    settings : PromotionSettings
        ``latency_ms`` is read.
    seed : int
        Of the bootstrap.
    """
    if (latency := latency_ms(challenger)) > settings.latency_ms:
        ceiling = f"above the ceiling of {settings.latency_ms:g} ms"
        return Decision(False, (f"a sample takes {latency:.3g} ms, {ceiling}",))
    if champion is None:
        return Decision(True, ("first model of the network; without labels nothing shows how good it is",))
    if isinstance(champion, Scorecard):
        return _replaced(champion.version, champion.failure)
    try:
        return _against(examples, challenger, champion, seed)
    except NetopsError as error:
        return _replaced(champion.name, str(error))


def _against(examples: Examples, challenger: Path, champion: Path, seed: int) -> Decision:
    new, old = read_card(challenger), read_card(champion)
    if old.version == new.version:
        return Decision(False, (f"version {new.version} is in service already",))
    if missing := missing_features(examples, old):
        return _replaced(old.version, f"it requires feature '{missing[0]}', which this telemetry lacks")
    if old.supervised:
        return Decision(
            False, (f"the champion {old.version} was trained on labels: it stays, and needs newer ones",)
        )
    before, now = (card.evaluation.get("unlabelled", {}).get("budget") for card in (old, new))
    if before != now and None not in (before, now):
        budgets = f"{now:.3g} instead of {before:.3g} false alarms per device-day"
        return Decision(True, (f"the alert budget has changed since the champion {old.version}: {budgets}",))
    difference = _alert_difference(examples, (champion, old), (challenger, new), seed)
    low, high = difference.interval.low, difference.interval.high
    found = (
        f"the champion {old.version} raises {difference.value:+.3f} alerts per device-day more than the new model "
        f"on validation (95% interval {low:+.3f} to {high:+.3f})"
    )
    if difference.better:
        return Decision(True, (f"{found}: what was unusual has become usual",))
    return Decision(False, (f"{found}: without labels nothing shows that the new model is better",))


def _replaced(version: str, failure: str) -> Decision:
    return Decision(True, (f"the champion {version} can no longer be evaluated: {failure}",))


def _alert_difference(
    examples: Examples, first: tuple[Path, ModelCard], second: tuple[Path, ModelCard], seed: int
) -> Difference:
    """Return how many more alerts per device-day the first model raises on validation, with its interval."""
    split = examples.evaluation_split("validation")
    counts = _alerts(examples, *first) - _alerts(examples, *second)
    weights = split.periods.weights(seed, DECISIVE)
    with np.errstate(divide="ignore", invalid="ignore"):
        resampled = (weights @ counts) / (weights @ split.device_days)
    return Difference(float(counts.sum() / split.device_days.sum()), interval(resampled))


def _alerts(examples: Examples, folder: Path, card: ModelCard) -> Floats:
    """Count the alerts of each device of validation, by the policy of the model."""
    if card.threshold is None:
        raise NetopsError("it has no threshold")
    split, risks = examples.evaluation_split("validation"), split_risks(examples, folder, "validation")
    policy = AlertPolicy(**card.alert)
    return outcomes(split, risks, policy, np.array([policy.threshold])).false[0].astype(np.float64)
