"""How well incidents of generated networks are predicted from metrics, from logs, and from both.

    python -m benchmarks.log_quality [weak] [default] SEED…

A network per seed, of 200 devices over 20 hours with a sample every 30 seconds; no neural network, so that it takes
minutes. With ``default``, it is that of ``netops run``: a sample every 5 seconds, and all model families. Some
incidents are announced by metrics alone, some by logs alone, most by both. With ``weak``, the metrics hardly change
before any of them. All figures are of the test splits; intervals come from resampling devices and incidents; all
choices have the same resamples, and their differences are of pairs.
"""

import dataclasses
import json
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from netops.alerting.outcomes import EvaluationSplit
from netops.evaluation.assessment import assess_model
from netops.logs.columns import LogColumns
from netops.simulator.logs import write_logs
from netops.simulator.network import Network, channels, make_network
from netops.telemetry.dataset import Dataset
from netops.training.train import split_risks
from netops.workflows.settings import Settings, read_settings
from netops.workflows.stages.log_columns import with_logs

from .learning import best_of, learn
from .quality import SEEDS, Counted, count, network_of, pool, say, say_pooled, spread

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
_WEAK, _DEFAULT = "weak", "default"
METRICS, LOGS, BOTH = "metrics only", "logs only", "both"


def measure(seed: int, more: Sequence[str]) -> dict[str, Counted]:
    """Train on the three choices of metrics of one network."""
    settings = read_settings(overrides=[*more, f"fleet.seed={seed}"])
    with TemporaryDirectory() as folder:
        both, known, _ = counted_telemetry(seed, settings, Path(folder))
        counted = tuple(name for name in both.meta.metrics if name not in known)
        return {
            name: _figures(seed, name, both, metrics, settings, Path(folder) / name)
            for name, metrics in ((METRICS, known), (LOGS, counted), (BOTH, both.meta.metrics))
        }


def counted_telemetry(seed: int, settings: Settings, folder: Path) -> tuple[Dataset, tuple[str, ...], Path]:
    """Generate a network and count its messages.

    Returns
    -------
    tuple
        The telemetry with counts, its other metrics, and the log file.
    """
    telemetry, log = network_of(seed, settings, folder / "telemetry"), folder / "network.log"
    known = telemetry.meta.metrics
    write_logs(_network(settings), telemetry, settings.generated_logs, log)
    options = dataclasses.replace(settings.logs, paths=(str(log),))
    return with_logs(telemetry, dataclasses.replace(settings, logs=options)), known, log


def restricted(telemetry: Dataset, metrics: tuple[str, ...]) -> Dataset:
    """Return telemetry with some of its metrics."""
    details = dict(telemetry.meta.details)
    counted = details[LogColumns.entry]
    own = [name for name in counted["columns"] if name in metrics]
    details[LogColumns.entry] = counted | {"columns": own}
    return dataclasses.replace(
        telemetry, meta=dataclasses.replace(telemetry.meta, metrics=metrics, details=details)
    )


def _network(settings: Settings) -> Network:
    fleet, logs = settings.fleet, settings.generated_logs
    return make_network(
        settings.metrics,
        devices=fleet.devices,
        duration=fleet.duration,
        interval=fleet.interval,
        start=fleet.start_time,
        seed=fleet.seed,
        silent=logs.silent_if_enabled,
    )


def _figures(
    seed: int, name: str, telemetry: Dataset, metrics: tuple[str, ...], settings: Settings, folder: Path
) -> Counted:
    examples, models = learn(restricted(telemetry, metrics), settings, folder)
    best = best_of(examples, models)
    assessment = assess_model(examples, models[best], settings.alerting)
    say(seed, name, assessment)
    risks = split_risks(examples, models[best], "test")
    return count(_by_channel(examples.evaluation_split("test"), settings), risks, assessment.policy, seed)


def _by_channel(split: EvaluationSplit, settings: Settings) -> EvaluationSplit:
    """Replace the scenario of each incident by what announces it."""
    logs, incidents, network = settings.generated_logs, split.incidents, _network(settings)
    index = {name: number for number, name in enumerate(network.fleet.names)}
    numbers = [channels(network, index[name]) for name in split.sequences.devices]
    drawn = [
        numbers[d][at] for d, at in zip(incidents.device.tolist(), incidents.precursor_start.tolist(), strict=True)
    ]
    names = tuple(LOGS if n < network.silent else BOTH if n < logs.precursor_share else METRICS for n in drawn)
    return dataclasses.replace(split, incidents=dataclasses.replace(incidents, scenario=names))


def say_channels(networks: Sequence[dict[str, Counted]]) -> None:
    """Print which of the incidents that metrics, logs or both announce each model warns of."""
    for model, channel in product((METRICS, LOGS, BOTH), repeat=2):
        counted = [network[model] for network in networks]
        warned = [np.isfinite(one.lead[one.scenarios == channel]) for one in counted]
        line = {"benchmark": "log_quality_channel", "model": model, "announced_by": channel}
        line |= {"incidents_warned": int(sum(map(sum, warned))), "incidents": sum(map(len, warned))}
        print(json.dumps(line | {"event_recall": spread(pool(counted, channel)["event_recall"])}), flush=True)


def say_differences(networks: Sequence[dict[str, Counted]]) -> None:
    """Print what both give beyond metrics or logs alone, with intervals."""
    both = pool(network[BOTH] for network in networks)
    for name in (METRICS, LOGS):
        alone = pool(network[name] for network in networks)
        gains = {figure: spread(both[figure] - alone[figure]) for figure in both}
        print(json.dumps({"benchmark": "log_quality_difference", "both_minus": name} | gains), flush=True)


def main(words: Sequence[str]) -> None:
    """Measure the networks, one after another, and pool them."""
    seeds = [int(word) for word in words if word not in (_WEAK, _DEFAULT)] or SEEDS
    overrides = ("generated_logs.enabled=true",) if _DEFAULT in words else OVERRIDES
    more = WEAK if _WEAK in words else ()
    networks = [measure(seed, [*overrides, *more]) for seed in seeds]
    say_pooled(networks)
    say_differences(networks)
    say_channels(networks)


if __name__ == "__main__":
    main(sys.argv[1:])
