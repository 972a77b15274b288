"""A model trained and assessed: its threshold chosen, its figures on its card."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import cast

from netops.alerting.settings import AlertSettings
from netops.compute.cluster import Cluster
from netops.evaluation.assessment import Assessment, assess_model
from netops.models.card import ModelCard, write_card
from netops.models.card_sections import AlertValues, ValidationValues
from netops.progress import Progress, silent
from netops.training.examples import Examples
from netops.training.search import TrialCallback
from netops.training.settings import TrainingSettings
from netops.training.train import Workers, train_family
from netops.training.voting import build_vote_model


def train_model(
    examples: Examples,
    family: str,
    training: TrainingSettings,
    alerting: AlertSettings,
    out: Path,
    *,
    network: str,
    workers: Workers | None = None,
    cluster: Cluster | None = None,
    progress: Progress = silent,
    on_trial: TrialCallback = lambda trial: None,
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
    workers, cluster, progress, on_trial
        For :func:`netops.training.train.train_family`.

    Returns
    -------
    tuple
        The written card and the assessment.
    """
    card = train_family(
        examples,
        family,
        training,
        out,
        network=network,
        workers=workers,
        cluster=cluster,
        progress=progress,
        on_trial=on_trial,
    )
    return _assessed(card, examples, training, alerting, out)


def vote_model(
    examples: Examples,
    models: Mapping[str, Path],
    training: TrainingSettings,
    alerting: AlertSettings,
    out: Path,
    *,
    network: str,
) -> tuple[ModelCard, Assessment] | None:
    """Build the vote of trained models (:func:`netops.training.voting.build_vote_model`), and assess it as them.

    Returns
    -------
    tuple or None
        As for :func:`train_model`; None where the settings want no vote, or fewer than two models can vote.
    """
    card = build_vote_model(examples, models, out, network=network) if training.vote else None
    return _assessed(card, examples, training, alerting, out) if card else None


def _assessed(
    card: ModelCard, examples: Examples, training: TrainingSettings, alerting: AlertSettings, out: Path
) -> tuple[ModelCard, Assessment]:
    assessment = assess_model(examples, out, alerting, training.seed)
    card = card.updated(
        threshold=assessment.policy.threshold,
        alert=cast(AlertValues, asdict(assessment.policy)),
        evaluation=assessment.evaluation.to_dict()
        | {"validation": cast(ValidationValues, asdict(assessment.choice))},
    )
    write_card(out, card)
    return card, assessment
