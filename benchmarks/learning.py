"""Every model family trained on a network, as the pipeline does it, for the benchmarks that judge models."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from netops.evaluation.selection import choose_best
from netops.models.vote import VOTE
from netops.telemetry.dataset import Dataset
from netops.training.examples import Examples, prepare_examples
from netops.training.train import Workers, split_risks, train_family
from netops.training.voting import build_vote_model
from netops.workflows.settings import Settings
from netops.workflows.stages.preparation import build, spec_for

Floats = npt.NDArray[np.float64]


def learn(telemetry: Dataset, settings: Settings, folder: Path) -> tuple[Examples, dict[str, Path]]:
    """Train the families, and build their vote.

    Returns
    -------
    tuple
        The examples, and the model folder of each family and of the vote.
    """
    training = settings.training
    features = build(telemetry, folder / "features", spec_for(telemetry, settings), settings)
    examples = prepare_examples(features, training, folder / "examples")
    examples.require_labels()
    models = {name: folder / name for name in training.enabled_families}
    with Workers(training.threads) as workers, ThreadPoolExecutor(len(models)) as pool:
        fits = [
            pool.submit(train_family, examples, name, training, model, network="quality", workers=workers)
            for name, model in models.items()
        ]
        for fit in fits:
            fit.result()
    if training.vote and build_vote_model(examples, models, folder / VOTE, network="quality"):
        models[VOTE] = folder / VOTE
    return examples, models


def best_of(examples: Examples, models: Mapping[str, Path]) -> str:
    """Choose the best family on validation."""
    risks = {name: split_risks(examples, model, "validation") for name, model in models.items()}
    return choose_best(examples.evaluation_split("validation"), risks).best
