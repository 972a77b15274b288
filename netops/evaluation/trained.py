"""A model trained and assessed: its threshold chosen, its figures on its card."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from netops.alerting.settings import AlertSettings
from netops.evaluation.assessment import Assessment, assess_model
from netops.models.card import ModelCard, write_card
from netops.training.examples import Examples
from netops.training.settings import TrainingSettings
from netops.training.train import train_family


def train_model(
    examples: Examples,
    family: str,
    training: TrainingSettings,
    alerting: AlertSettings,
    out: Path,
    *,
    network: str,
    **how: Any,
) -> tuple[ModelCard, Assessment]:
    """Train one family, choose its threshold on the validation split, and take its figures on the test split.

    Parameters
    ----------
    examples : Examples
        What to fit on and to assess with.
    family : str
        A name of the registry of families.
    training, alerting
        Sections of the configuration.
    out : Path
        Model folder to write.
    network : str
        Whose model it is.
    **how
        For :func:`netops.training.train.train_family`: ``workers``, ``progress``, ``on_trial``.

    Returns
    -------
    tuple
        The card as it is in the folder, and the assessment.
    """
    card = train_family(examples, family, training, out, network=network, **how)
    judged = assess_model(examples, out, alerting, training.seed)
    card = card.updated(
        threshold=judged.policy.threshold,
        alert=asdict(judged.policy),
        evaluation=judged.evaluation.to_dict() | {"validation": vars(judged.choice)},
    )
    write_card(out, card)
    return card, judged
