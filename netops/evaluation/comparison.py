"""Champion against challenger, on the newest data that neither was fitted on: the validation split.

The test split is not used, so that the metrics of the winner are unbiased.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from netops.alerting.sequences import Floats
from netops.alerting.settings import AlertSettings
from netops.compute.cluster import Cluster, ClusterError
from netops.errors import NetopsError
from netops.evaluation.evaluate import evaluate
from netops.evaluation.promotion import Decision, PromotionSettings, Scorecard, decide
from netops.evaluation.report.importance import metric_of
from netops.evaluation.seen import restricted, unseen_by
from netops.evaluation.selection import Difference, against_chance, compare
from netops.models.card import ModelCard, read_card
from netops.models.card_sections import LogValues
from netops.models.onnx_file import Scorer
from netops.telemetry.dataset import Dataset
from netops.training.columns import existing_features
from netops.training.examples import Examples
from netops.training.train import split_risks

_TIMED = 200


def compare_with_champion(
    examples: Examples,
    challenger: Path,
    champion: Path | Scorecard | None,
    alerting: AlertSettings,
    promotion: PromotionSettings,
    seed: int = 0,
    *,
    rivals: Sequence[Path] = (),
    baseline: Floats | None = None,
    cluster: Cluster | None = None,
) -> Decision:
    """Decide whether a newly trained model replaces the champion.

    Parameters
    ----------
    examples : Examples
        The newest data.
    challenger, champion : Path
        Model folders; no champion if nothing serves yet, a failed scorecard if its files no longer exist.
    alerting : AlertSettings
        When a risk becomes an alert.
    promotion : PromotionSettings
        What the challenger may not break.
    seed : int
        Of the bootstrap.
    rivals : sequence of Path
        The other models that the challenger was chosen from on the validation split; the comparison is corrected
        for that choice.
    baseline : float64 array, rows of the validation split, optional
        Risks by static thresholds, which the first model of a network has to beat.
    cluster : Cluster, optional
        Whose workers score the champion.
    """
    new = _standing(examples, challenger, alerting, seed)
    if isinstance(champion, Scorecard):
        return decide(new, champion, None, promotion)
    if champion is None:
        useless = () if new.failure else _useless(examples, new, challenger, rivals, baseline, seed)
        return decide(new, None, None, promotion, useless)
    old = _standing(examples, champion, alerting, seed, cluster)
    if old.version == new.version:
        return Decision(False, (f"version {new.version} is in service already",))
    if any(model.failure or model.missing_features for model in (new, old)):
        return decide(new, old, None, promotion)
    card = read_card(champion)
    split = examples.evaluation_split("validation")
    unseen = unseen_by(card, split)
    fresh = restricted(split, unseen)
    if not (fresh.observed.any() and (fresh.labels == 1).any() and (fresh.labels == 0).any()):
        return Decision(False, (_nothing_unseen(old.version),))
    first, second, *others = (
        split_risks(examples, folder, "validation")[unseen] for folder in (challenger, champion, *rivals)
    )
    return decide(new, old, compare(fresh, first, second, rivals=others, seed=seed), promotion)


def _nothing_unseen(version: str) -> str:
    return (
        f"the champion {version} was trained on every device and time of the validation split that fails: they "
        "cannot be compared; give newer telemetry, or put the new version in service by hand: netops models promote"
    )


def _useless(
    examples: Examples, new: Scorecard, challenger: Path, rivals: Sequence[Path], baseline: Floats | None, seed: int
) -> tuple[str, ...]:
    """Return why a first model is not useful: it must beat chance and static thresholds, and predict incidents."""
    split = examples.evaluation_split("validation")
    risks, *others = (split_risks(examples, folder, "validation") for folder in (challenger, *rivals))
    reasons = []
    chance = against_chance(split, risks, rivals=others, seed=seed)
    if not chance.better:
        reasons.append(_no_better("chance", new, chance))
    if baseline is not None:
        static = compare(split, risks, baseline, rivals=others, seed=seed)
        if not static.better:
            reasons.append(_no_better("static thresholds", new, static))
    if new.event_recall == 0:
        reasons.append(f"it warns of none of the {int(split.observed.sum())} incidents of the validation split")
    return tuple(reasons)


def _no_better(than: str, model: Scorecard, difference: Difference) -> str:
    low, high, found = difference.interval.low, difference.interval.high, model.average_precision
    return (
        f"the model is no better than {than} on validation (average precision {found:.3f} against "
        f"{found - difference.value:.3f}, 95% interval of the difference {low:+.3f} to {high:+.3f})"
    )


def _standing(
    examples: Examples, folder: Path, alerting: AlertSettings, seed: int, cluster: Cluster | None = None
) -> Scorecard:
    """Evaluate a model on the validation split; if that fails, the result has a failure instead of figures."""
    try:
        card = read_card(folder)
    except NetopsError as error:
        return Scorecard.failed(folder.name, str(error))
    if missing := missing_features(examples, card):
        failure = f"it requires feature '{missing[0]}', which this telemetry lacks"
        return Scorecard.failed(card.version, failure, missing)
    try:
        return _scorecard(examples, folder, card, alerting, seed, cluster)
    except ClusterError:
        raise  # a failure of the cluster is none of the model
    except NetopsError as error:
        return Scorecard.failed(card.version, str(error))


def _scorecard(
    examples: Examples, folder: Path, card: ModelCard, alerting: AlertSettings, seed: int, cluster: Cluster | None
) -> Scorecard:
    risks = split_risks(examples, folder, "validation", cluster)
    policy = alerting.policy(float("nan") if card.threshold is None else card.threshold, examples.horizon)
    figures = evaluate(examples.evaluation_split("validation"), risks, policy, seed=seed, resamples=1).figures
    return Scorecard(
        card.version,
        figures.average_precision,
        figures.event_recall,
        figures.false_alarms_per_device_day,
        latency_ms=latency_ms(folder),
    )


def missing_features(examples: Examples, card: ModelCard) -> tuple[str, ...]:
    """Return the features of a model that the telemetry does not have.

    A column of the same name that counts the messages of another template is not the feature of the model.
    """
    there = set(existing_features(Dataset.open(Path(examples.sources["validation"]))))
    other = _other_templates(card.logs, examples.info.get("logs", {}))
    named = ((name, other.get(metric_of(name, card.metrics))) for name in card.features)
    return tuple(name if text is None else f"{name}: {text}" for name, text in named if text or name not in there)


def _other_templates(of_model: LogValues, found: LogValues) -> dict[str, str]:
    """Return the columns that count another template in the telemetry, with that of the model."""
    # Earlier versions stored no hashes.
    entry: Literal["keys", "texts"] = "keys" if "keys" in of_model else "texts"
    counted = found.get(entry, {})
    other = [name for name, value in of_model.get(entry, {}).items() if counted.get(name) != value]
    return {name: of_model["texts"].get(name, "messages before incidents") for name in other}


def latency_ms(folder: Path) -> float:
    """Measure the median time to score one sample, in milliseconds."""
    scorer = Scorer(folder)
    row = np.zeros((1, len(scorer.card.features)))
    times = []
    for _ in range(_TIMED):
        started = time.perf_counter()
        scorer.score(row)
        times.append(time.perf_counter() - started)
    return float(np.median(times) * 1e3)
