"""A small generated network, its model with a reference, and what comes after."""

from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from netops.alerting.settings import AlertSettings
from netops.config.durations import DAY, HOUR, MINUTE
from netops.evaluation.assessment import assess
from netops.features.build import build_features
from netops.features.spec import FeatureSpec
from netops.models.card import write_card
from netops.monitoring.examine import examine
from netops.monitoring.reference import reference_of, write_reference
from netops.monitoring.report import Report
from netops.monitoring.settings import MonitoringSettings
from netops.simulator.generate import generate
from netops.simulator.settings import GeneratorSettings
from netops.telemetry.dataset import Dataset
from netops.training.examples import prepare_examples
from netops.training.settings import TrainingSettings
from netops.training.train import split_risks, train_family
from netops.workflows.project_folder import project_root

DEVICES, INTERVAL, SEED = 12, MINUTE, 5
#: Two of the twelve devices are of it. It comes after all that is looked at, unless a test brings it forward.
NEW_CLASS = {"kind": "new_device_class", "after": "99d", "share": 0.15, "shift": {"cpu_utilization": 15}}


class Network:
    """A network with some days of training telemetry, and later telemetry."""

    def __init__(self, folder: Path, days: int) -> None:
        self.folder, self.days = folder, days
        self._number = 0

    def telemetry(self, start: int, days: float, **changes: Any) -> Dataset:
        """Generate a stretch of the network; ``changes`` are scenarios."""
        settings = yaml.safe_load((project_root() / "configurations" / "metrics.yaml").read_text())
        settings["scenarios"] |= {"strangers": NEW_CLASS} | changes
        self._number += 1
        return generate(
            GeneratorSettings.from_yaml(settings),
            self.folder / f"telemetry-{self._number}",
            devices=DEVICES,
            duration=round(days * DAY),
            interval=INTERVAL,
            start=start,
            seed=SEED,
            origin=0,
        )

    def features(self, telemetry: Dataset) -> Dataset:
        """Build the feature vectors of telemetry."""
        spec = FeatureSpec(("cpu_utilization", "latency", "packet_loss", "throughput"), (5 * MINUTE, HOUR))
        return build_features(telemetry, telemetry.path.with_name(f"{telemetry.path.name}-features"), spec)

    @cached_property
    def model(self) -> Path:
        """The folder of its model."""
        out, settings = self.folder / "model", TrainingSettings(horizon=20 * MINUTE, cross_fit="never")
        examples = prepare_examples(self.features(self.telemetry(0, self.days)), settings, self.folder / "work")
        card = train_family(examples, "xgboost", settings, out, network="small")
        risks = [split_risks(examples, out, split) for split in ("validation", "test")]
        assessment = assess(examples, *risks, AlertSettings())
        card = card.updated(
            threshold=assessment.policy.threshold,
            alert=asdict(assessment.policy),
            evaluation=assessment.evaluation.to_dict(),
        )
        write_card(out, card)
        write_reference(out, reference_of(examples, out, MonitoringSettings()))
        return out

    def report(self, days: float, settings: MonitoringSettings | None = None, **changes: Any) -> Report:
        """Look at the days after the training."""
        telemetry = self.telemetry(self.days * DAY, days, **changes)
        return examine(self.features(telemetry), self.model, settings or MonitoringSettings())
