"""How well the model without labels does: fitted and given its threshold with the labels hidden, judged with them.

The design (transform of the deviations, tail of the threshold) was chosen on the default networks of seeds 0 and 1;
the networks here are others. The static thresholds and the clock-only model next to it are tuned on the labels.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from netops.alerting.outcomes import EvaluationSplit
from netops.evaluation.assessment import assess_baseline, assess_clock, assess_deviations
from netops.evaluation.evaluate import evaluate
from netops.evaluation.unlabelled import UnlabelledAssessment, unlabelled_model
from netops.telemetry.dataset import Dataset, finish, write_part
from netops.telemetry.schema import IS_ERROR
from netops.training.examples import prepare_examples
from netops.training.labelled import observe
from netops.training.splits import TEST
from netops.training.train import split_risks
from netops.workflows.settings import Settings, read_settings
from netops.workflows.stages.preparation import build, spec_for

from .quality import CLOCK, STATIC, Counted, count, network_of, say_pooled
from .quality_real import SOURCES, Source, figures_of, number, telemetry_of

#: Not those that the design was chosen on.
SEEDS = (2, 3, 4, 5, 6)
WITHOUT, WITH = "deviations", "deviations, threshold by labels"

#: The rows to judge with the labels, the risks, and what is known without them.
Judged = tuple[EvaluationSplit, np.ndarray, UnlabelledAssessment]


def hidden(telemetry: Dataset, out: Path) -> Dataset:
    """Copy telemetry without its labels."""
    out.mkdir()
    for number_of_part, table in enumerate(telemetry.tables()):
        index = table.column_names.index(IS_ERROR)
        healthy = pa.array(np.zeros(table.num_rows, bool))
        write_part(out, number_of_part, table.set_column(index, IS_ERROR, healthy))
    return finish(out, replace(telemetry.meta, incidents=0), telemetry.incidents().slice(0, 0))


def judge(telemetry: Dataset, settings: Settings, folder: Path) -> Judged:
    """Fit and set the threshold without labels; return the test split with them."""
    unlabelled = hidden(telemetry, folder / "hidden")
    features = build(unlabelled, folder / "hidden-features", spec_for(unlabelled, settings), settings)
    examples = prepare_examples(features, settings.training, folder / "hidden-examples")
    model = folder / "model"
    _, assessment = unlabelled_model(examples, settings.training, settings.alerting, model, network="quality")
    rows = examples.labelled[0].split.rows(TEST)
    sequences, labels, incidents, attributes = observe(telemetry, examples.horizon)
    split = EvaluationSplit.where(rows, sequences, labels, incidents, examples.horizon, attributes)
    return split, split_risks(examples, model, "test"), assessment


def measure(seed: int) -> dict[str, Counted]:
    """Judge the model and the baselines on the default network of a seed."""
    settings = read_settings()
    alerting = settings.alerting
    with TemporaryDirectory() as name:
        folder = Path(name)
        telemetry = network_of(seed, settings, folder / "telemetry")
        split, risks, found = judge(telemetry, settings, folder)
        say({"seed": seed}, split, risks, found)
        features = build(telemetry, folder / "features", spec_for(telemetry, settings), settings)
        examples = prepare_examples(features, settings.training, folder / "examples")
        test = examples.evaluation_split("test")
        _, static, by_static = assess_baseline(examples, alerting)
        clock, by_clock = assess_clock(examples, alerting)
        labelled, by_deviations = assess_deviations(examples, alerting)
        return {
            WITHOUT: count(split, risks, found.policy, seed),
            WITH: count(test, by_deviations, labelled.policy, seed),
            STATIC: count(test, by_static, static.policy, seed),
            CLOCK: count(test, by_clock, clock.policy, seed),
        }


def say(head: dict[str, Any], split: EvaluationSplit, risks: np.ndarray, found: UnlabelledAssessment) -> None:
    """Print the figures of the model on one network, by the labels."""
    evaluation = evaluate(split, risks, found.policy)
    spread = evaluation.intervals["average_precision"]
    line = {
        "benchmark": "quality_unlabelled",
        **head,
        **figures_of(evaluation.figures),
        "average_precision_interval": [number(spread.low), number(spread.high)],
        "chosen_by": found.choice.chosen_by,
        "alerts_per_device_day": number(found.test.per_device_day),
    }
    print(json.dumps(line), flush=True)


def say_real(name: str, source: Source, split: str) -> None:
    """Judge the model on real telemetry, next to baselines that are tuned on the labels."""
    for seed in range(source.draws):
        horizon = [f"training.horizon={source.horizon}"] if source.horizon else []
        settings = read_settings(overrides=[f"training.split={split}", f"training.seed={seed}", *horizon])
        with TemporaryDirectory() as folder:
            telemetry = telemetry_of(source, settings, Path(folder) / "telemetry")
            head = {"data": name, "split": split, "seed": seed}
            say(head | {"model": WITHOUT}, *judge(telemetry, settings, Path(folder)))
            for model, line in baselines(telemetry, settings, Path(folder)):
                print(json.dumps({"benchmark": "quality_unlabelled", **head, "model": model, **line}), flush=True)


def baselines(telemetry: Dataset, settings: Settings, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Judge static thresholds, clock, and the deviations with a threshold by labels."""
    features = build(telemetry, folder / "features", spec_for(telemetry, settings), settings)
    examples = prepare_examples(features, settings.training, folder / "examples")
    seed, alerting = settings.training.seed, settings.alerting
    yield WITH, figures_of(assess_deviations(examples, alerting, seed)[0].evaluation.figures)
    yield STATIC, figures_of(assess_baseline(examples, alerting, seed)[1].evaluation.figures)
    yield CLOCK, figures_of(assess_clock(examples, alerting, seed)[0].evaluation.figures)


def main(seeds: Sequence[int]) -> None:
    """Judge the generated networks, pooled, and the real ones."""
    say_pooled([measure(seed) for seed in seeds])
    for name in ("disks", "smd-servers"):
        for split in SOURCES[name].splits:
            say_real(name, SOURCES[name], split)


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or SEEDS)
