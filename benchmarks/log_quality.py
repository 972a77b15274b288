"""How well incidents of generated networks are predicted from metrics, from logs, and from both.

    python -m benchmarks.log_quality [weak] SEED…

A network per seed, of 200 devices over 20 hours with a sample every 30 seconds; no neural network, so that it takes
minutes. With ``weak``, the metrics hardly change before incidents. All figures are of the test splits; intervals
come from resampling devices and incidents.
"""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from netops.evaluation.assessment import assess_model
from netops.telemetry.dataset import Dataset
from netops.training.train import split_risks
from netops.workflows.settings import Settings, read_settings
from netops.workflows.stages.log_columns import with_generated_logs

from .learning import best_of, learn
from .quality import SEEDS, Counted, count, network_of, say, say_pooled

OVERRIDES = (
    "fleet.interval=30s",
    "features.windows=[5m,1h]",
    "training.horizon=10m",
    "training.families.tensorflow.enabled=false",
    "generated_logs.enabled=true",
)
#: Incidents that the metrics hardly announce.
WEAK = (
    *(f"metrics.scenarios.{name}.depth=0.1" for name in ("cascade", "degradation", "congestion", "site_outage")),
    *(f"metrics.scenarios.{name}.depth=0.15" for name in ("memory_leak", "flapping")),
    "metrics.scenarios.cascade.height=0.1",
)
METRICS, LOGS, BOTH = "metrics only", "logs only", "both"


def measure(seed: int, more: Sequence[str]) -> dict[str, Counted]:
    """Train on the three choices of metrics of one network."""
    settings = read_settings(overrides=[*OVERRIDES, *more, f"fleet.seed={seed}"])
    start = settings.fleet.start_time
    with TemporaryDirectory() as folder:
        telemetry = network_of(seed, settings, Path(folder) / "telemetry")
        known = telemetry.meta.metrics
        both = with_generated_logs(telemetry, settings, start, start)
        counted = tuple(name for name in both.meta.metrics if name not in known)
        return {
            name: _figures(seed, name, both, metrics, settings, Path(folder) / name)
            for name, metrics in ((METRICS, known), (LOGS, counted), (BOTH, both.meta.metrics))
        }


def _figures(
    seed: int, name: str, telemetry: Dataset, metrics: tuple[str, ...], settings: Settings, folder: Path
) -> Counted:
    chosen = dataclasses.replace(telemetry, meta=dataclasses.replace(telemetry.meta, metrics=metrics))
    examples, models = learn(chosen, settings, folder)
    best = best_of(examples, models)
    assessment = assess_model(examples, models[best], settings.alerting)
    say(seed, name, assessment)
    risks = split_risks(examples, models[best], "test")
    return count(examples.evaluation_split("test"), risks, assessment.policy, seed)


def main(words: Sequence[str]) -> None:
    """Measure the networks, one after another, and pool them."""
    weak = "weak" in words
    seeds = [int(word) for word in words if word != "weak"] or SEEDS
    say_pooled([measure(seed, WEAK if weak else ()) for seed in seeds])


if __name__ == "__main__":
    main(sys.argv[1:])
