"""How well incidents are foretold on real telemetry, by split and by device, beside tuned static thresholds.

The data sets are modest: three servers whose incidents experts labelled, eleven routers with injected faults that
announce themselves weakly. The figures are told as they are.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from netops.errors import NetopsError
from netops.evaluation.assessment import assess_baseline, assess_clock, assess_model
from netops.evaluation.clock_incidents import following_clock
from netops.evaluation.evaluate import Figures, evaluate
from netops.evaluation.selection import compare
from netops.telemetry.dataset import TEST, Dataset
from netops.telemetry.ingest import ingest
from netops.telemetry.network_schema import NetworkSchema
from netops.training.train import split_risks
from netops.workflows.settings import Settings, read_settings

from .learning import Floats, best_of, learn

DATA = Path(__file__).parents[2] / "shared" / "data"
STATIC, CLOCK = "static_threshold", "clock_only"


@dataclass(frozen=True)
class Source:
    """A data set: telemetry, incidents, separate test data; horizon, splits to try, and draws of each (seeds)."""

    telemetry: str
    incidents: str | None = None
    test: str | None = None
    test_incidents: str | None = None
    horizon: str | None = None
    splits: tuple[str, ...] = ("time", "device")
    draws: int = 1


def routers(learned: str, tested: str | None = None) -> Source:
    """Give a capture of the routers; half an hour has no room for a horizon of minutes."""
    folder, log = "cisco-routers/telemetry/{}", "cisco-routers/{}.incidents.csv"
    if tested is None:
        return Source(folder.format(learned), log.format(learned), horizon="1m")
    names = (form.format(name) for name in (learned, tested) for form in (folder, log))
    return Source(*names, horizon="1m", splits=("device",))


SOURCES = {
    "disks": Source("disks/telemetry.parquet", horizon="7d", splits=("device",), draws=5),
    "smd-servers": Source("smd-servers/telemetry.parquet"),
    "cisco bgp-clear": routers("bgpclear_second"),
    "cisco port-flap": routers("portflap_first"),
    "cisco port-flap, tested on bgp-clear": routers("portflap_first", "bgpclear_second"),
    "cisco bgp-clear, tested on port-flap": routers("bgpclear_second", "portflap_first"),
}


def telemetry_of(source: Source, settings: Settings, folder: Path) -> Dataset:
    """Bring a data set into the schema."""
    options = settings.telemetry
    dataset = ingest([DATA / source.telemetry], folder, options, path(source.incidents))
    if source.test:
        like = NetworkSchema.of(dataset.meta)
        ingest([DATA / source.test], folder / TEST, options, path(source.test_incidents), like=like)
    return Dataset.open(folder)


def path(name: str | None) -> Path | None:
    """Find a file of the data."""
    return DATA / name if name else None


def lines(source: Source, split: str, seed: int) -> Iterator[dict[str, Any]]:
    """Judge the families and the baselines: a line each, one without clock incidents, and one for each device.

    The last lines are the best one's average precision less that of each baseline, with its interval.
    """
    horizon = [f"training.horizon={source.horizon}"] if source.horizon else []
    settings = read_settings(overrides=[f"training.split={split}", f"training.seed={seed}", *horizon])
    alerting = settings.alerting
    with TemporaryDirectory() as folder:
        telemetry = telemetry_of(source, settings, Path(folder) / "telemetry")
        examples, models = learn(telemetry, settings, Path(folder))
        best = best_of(examples, models)
        split = examples.evaluation_split("test")
        split = replace(split, attributes={"device": split.sequences.devices})
        assessments = {name: assess_model(examples, model, alerting) for name, model in models.items()}
        _, assessments[STATIC], static = assess_baseline(examples, alerting)
        tested: dict[str, Floats] = {name: split_risks(examples, model, "test") for name, model in models.items()}
        tested[STATIC] = static
        assessments[CLOCK], tested[CLOCK] = assess_clock(examples, alerting)
        chosen = following_clock(split, examples.labelled[-1].dataset.meta.interval_seconds)
        for name, assessment in assessments.items():
            found = evaluate(split, tested[name], assessment.policy)
            low, high = found.intervals["average_precision"].low, found.intervals["average_precision"].high
            interval = {"average_precision_interval": [number(low), number(high)]}
            yield {"model": name, "best": name == best, "device": None} | figures_of(found.figures) | interval
            if (chosen & split.observed).any():
                rest = evaluate(split.without(chosen), tested[name], assessment.policy).figures
                yield {"model": name, "best": name == best, "device": None, "without": "clock"} | figures_of(rest)
            for device, figures in found.groups.get("device", {}).items():
                if name in (best, STATIC) and figures.samples:
                    yield {"model": name, "best": name == best, "device": device} | figures_of(figures)
        for name in (STATIC, CLOCK):
            difference = compare(split, tested[best], tested[name])
            low, high = difference.interval.low, difference.interval.high
            found = [number(value) for value in (difference.value, low, high)]
            yield {"model": best, "best": True, "ahead_of": name, "average_precision_difference": found}


def figures_of(figures: Figures) -> dict[str, Any]:
    """Say the figures of a part or a device."""
    names = ("average_precision", "base_rate", "roc_auc", "event_recall", "false_alarms_per_device_day")
    counts = {name: getattr(figures, name) for name in ("incidents", "incidents_warned", "false_alarms")}
    return counts | {name: number(getattr(figures, name)) for name in (*names, "median_lead_seconds")}


def number(value: float) -> float | None:
    """Round a figure; None where nothing defines it."""
    return round(value, 4) if np.isfinite(value) else None


def main() -> None:
    """Measure every data set under each of its splits; where one is refused, say why."""
    for name, source in SOURCES.items():
        for split in source.splits:
            for seed in range(source.draws):
                head = {"benchmark": "quality_real", "data": name, "split": split, "seed": seed}
                try:
                    for line in lines(source, split, seed):
                        print(json.dumps(head | line), flush=True)
                except NetopsError as error:
                    print(json.dumps(head | {"refused": str(error)}), flush=True)


if __name__ == "__main__":
    main()
