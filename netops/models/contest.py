"""Champion against challenger, on the same newest data: the validation part, which both are strangers to judge by.

The test part stays out of it, so that the figures told of the winner have chosen nothing.
"""

import time
from pathlib import Path

import numpy as np

from netops.alerting.settings import AlertSettings
from netops.errors import NetopsError
from netops.models.card import ModelCard, read_card
from netops.models.evaluation import evaluate
from netops.models.examples import Examples, feature_names
from netops.models.onnx_file import Scorer
from netops.models.promotion import Decision, PromotionSettings, Standing, decide
from netops.models.selection import Difference, compare
from netops.models.training import part_risks
from netops.telemetry.dataset import Dataset

_TIMED = 200


def contest(
    examples: Examples,
    challenger: Path,
    champion: Path | Standing | None,
    alerting: AlertSettings,
    promotion: PromotionSettings,
    seed: int = 0,
) -> Decision:
    """Decide whether a newly trained model takes the place of the one in service.

    Parameters
    ----------
    examples : Examples
        The newest data.
    challenger, champion : Path
        Model folders; no champion where nothing serves yet, its failed standing where its files are gone.
    alerting : AlertSettings
        When a risk becomes an alert.
    promotion : PromotionSettings
        What the challenger may not break.
    seed : int
        Of the bootstrap.
    """
    new = _standing(examples, challenger, alerting, seed)
    if champion is None or isinstance(champion, Standing):
        return decide(new, champion, None, promotion)
    old = _standing(examples, champion, alerting, seed)
    if old.version == new.version:
        return Decision(False, (f"version {new.version} is in service already",))
    return decide(new, old, _difference(examples, challenger, champion, new, old, seed), promotion)


def _difference(
    examples: Examples, challenger: Path, champion: Path, new: Standing, old: Standing, seed: int
) -> Difference | None:
    if any(model.failure or model.missing_features for model in (new, old)):
        return None
    risks = (part_risks(examples, folder, "validation") for folder in (challenger, champion))
    return compare(examples.part("validation"), *risks, seed=seed)


def _standing(examples: Examples, folder: Path, alerting: AlertSettings, seed: int) -> Standing:
    """Judge a model on the validation part; one that cannot be judged has a failure in place of figures."""
    try:
        card = read_card(folder)
    except NetopsError as error:
        return Standing.failed(folder.name, str(error))
    if missing := _missing(examples, card):
        failure = f"it takes feature '{missing[0]}', which this telemetry does not have"
        return Standing.failed(card.version, failure, missing)
    try:
        return _judged(examples, folder, card, alerting, seed)
    except NetopsError as error:
        return Standing.failed(card.version, str(error))


def _judged(examples: Examples, folder: Path, card: ModelCard, alerting: AlertSettings, seed: int) -> Standing:
    risks = part_risks(examples, folder, "validation")
    policy = alerting.policy(float("nan") if card.threshold is None else card.threshold, examples.horizon)
    figures = evaluate(examples.part("validation"), risks, policy, seed=seed, resamples=1).figures
    return Standing(
        card.version,
        figures.average_precision,
        figures.event_recall,
        figures.false_alarms_per_device_day,
        latency_ms=latency_ms(folder),
    )


def _missing(examples: Examples, card: ModelCard) -> tuple[str, ...]:
    there = set(feature_names(Dataset.open(Path(examples.sources["validation"]))))
    return tuple(name for name in card.features if name not in there)


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
