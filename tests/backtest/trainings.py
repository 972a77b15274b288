"""A small generated network, and models trained on it as a run trains them."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from netops.alerting.settings import AlertSettings
from netops.config.durations import DAY, HOUR, MINUTE
from netops.evaluation.assessment import assess
from netops.evaluation.evaluate import Evaluation
from netops.features.build import build_features
from netops.features.spec import FeatureSpec
from netops.models.card import read_card, write_card
from netops.models.platt import Platt
from netops.serving.engine.champion import FixedModel
from netops.simulator.generate import generate
from netops.simulator.settings import GeneratorSettings
from netops.telemetry.dataset import TEST, Dataset
from netops.training.examples import prepare_examples
from netops.training.settings import TrainingSettings
from netops.training.train import split_risks, train_family
from netops.workflows.project_folder import project_root

SPEC = FeatureSpec(("cpu_utilization", "latency", "packet_loss", "throughput"), (5 * MINUTE, HOUR))
HORIZON = 20 * MINUTE
DAYS = 4 * DAY
#: The start of a day: a timestamp whose unit a server can detect by magnitude.
START = 19_700 * DAY


def telemetry(folder: Path, start: int, duration: int) -> Dataset:
    """Generate a stretch of the network; ``start`` is nanoseconds after the beginning of all."""
    settings = yaml.safe_load((project_root() / "configurations" / "metrics.yaml").read_text())
    settings["errors"]["every"] = "6h"
    settings = GeneratorSettings.from_yaml(settings)
    return generate(
        settings, folder, devices=12, duration=duration, interval=MINUTE, start=START + start, seed=5, origin=START
    )


@dataclass(frozen=True)
class Training:
    """A model and the metrics of its test split."""

    telemetry: Dataset
    folder: Path
    evaluation: Evaluation

    @property
    def model(self) -> FixedModel:
        """The model, to be served."""
        return FixedModel(read_card(self.folder).version, self.folder)


def train(folder: Path, dataset: Dataset, split: str = "time", test: Dataset | None = None) -> Training:
    """Train on a dataset and judge by its test split, or by other telemetry."""
    features = build_features(dataset, folder / "features", SPEC)
    if test is not None:
        build_features(test, folder / "test-features", SPEC)
        shutil.move(folder / "test-features", features.path / TEST)
    settings = TrainingSettings(horizon=HORIZON, split=split)
    examples = prepare_examples(Dataset.open(features.path), settings, folder / "work")
    card = train_family(examples, "xgboost", settings, folder / "model", network="small")
    risks = [split_risks(examples, folder / "model", split) for split in ("validation", "test")]
    assessment = assess(examples, *risks, AlertSettings(), calibration=Platt.from_dict(card.calibration))
    write_card(
        folder / "model", card.updated(threshold=assessment.policy.threshold, alert=asdict(assessment.policy))
    )
    return Training(dataset, folder / "model", assessment.evaluation)
