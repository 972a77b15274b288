"""Every model family trained on a network, as the pipeline does it, for the benchmarks that judge models."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from netops.alerting.settings import AlertSettings
from netops.models.card import read_card
from netops.models.examples import Examples, prepare_examples
from netops.models.judgement import Judgement, judge
from netops.models.platt import Platt
from netops.models.selection import choose_best
from netops.models.training import Workers, part_risks, train_family
from netops.orchestration.preparation import build, spec_for
from netops.orchestration.settings import section
from netops.telemetry.dataset import Dataset

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Learned:
    """A trained model by what it says of the parts that it has not learned from."""

    validation: Floats
    test: Floats
    calibration: Platt | None

    @classmethod
    def of(cls, examples: Examples, model: Path) -> "Learned":
        """Score both parts with a model folder."""
        risks = (part_risks(examples, model, part) for part in ("validation", "test"))
        return cls(*risks, Platt.from_dict(read_card(model).calibration))

    def judge(self, examples: Examples, settings: AlertSettings) -> Judgement:
        """Choose its threshold on validation and take its figures on the test part."""
        return judge(examples, self.validation, self.test, settings, calibration=self.calibration)


def learn(telemetry: Dataset, settings: Any, folder: Path) -> tuple[Examples, dict[str, Learned]]:
    """Train the families.

    Returns
    -------
    tuple
        The examples, and what each family learned.
    """
    training = section(settings, "training")
    features = build(telemetry, folder / "features", spec_for(telemetry, settings), settings)
    examples = prepare_examples(features, training, folder / "examples")
    models = {name: folder / name for name in training.enabled_families}
    with Workers(training.threads) as workers, ThreadPoolExecutor(len(models)) as pool:
        fits = [
            pool.submit(train_family, examples, name, training, model, network="quality", workers=workers)
            for name, model in models.items()
        ]
        for fit in fits:
            fit.result()
    return examples, {name: Learned.of(examples, model) for name, model in models.items()}


def best_of(examples: Examples, models: Mapping[str, Learned]) -> str:
    """Choose the best family on validation."""
    risks = {name: model.validation for name, model in models.items()}
    return choose_best(examples.part("validation"), risks).best
