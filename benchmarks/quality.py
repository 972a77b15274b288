"""How well incidents are foretold on the default network: five seeds, intervals, beside tuned static thresholds.

Every seed is a network of its own. Its champion is chosen and its threshold set on validation; all figures are of
the test splits. Counts are pooled over the networks; intervals come from resampling devices and incidents within
each of them.
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from netops.alerting.matching import MISSED
from netops.alerting.outcomes import EvaluationSplit, outcomes
from netops.alerting.policy import AlertPolicy
from netops.alerting.resampling import interval
from netops.config.durations import SECOND
from netops.evaluation.assessment import Assessment, assess_baseline, assess_clock, assess_model
from netops.simulator.generate import generate
from netops.telemetry.dataset import Dataset
from netops.training.train import split_risks
from netops.workflows.settings import Settings, read_settings

from .learning import Floats, best_of, learn
from .report import report

SEEDS = (1, 2, 3, 4, 5)
#: An outage of a whole site is rare: networks where it is not show how it is foretold.
OUTAGES = ("metrics.scenarios.site_outage.weight=30",)
TIMES = 1_000
CHAMPION, STATIC, CLOCK = "champion", "static_threshold", "clock_only"


@dataclass(frozen=True)
class Counted:
    """What the alerts of one model did to the test split of one network, in every resample.

    Row 0 of each array is the part as it is; the others are resamples. Columns are incidents, or nothing.
    """

    scenarios: npt.NDArray[np.str_]
    incidents: Floats  # resamples × incidents: how often each was drawn
    lead: Floats  # incidents: seconds, NaN where it was missed
    possible: Floats  # incidents: min(precursor, horizon), seconds
    false: Floats
    days: Floats


def count(split: EvaluationSplit, risks: Floats, policy: AlertPolicy, seed: int) -> Counted:
    """Count what the alerts of a policy do to a part."""
    found = outcomes(split, risks, policy, np.array([policy.threshold]))
    resampled = split.periods.weights(seed, TIMES)
    weights = np.vstack([np.ones(len(split.periods)), resampled])
    incidents, selected = split.incidents, split.observed
    lead = np.where(found.lead[0] == MISSED, np.nan, found.lead[0] / SECOND)
    precursor = np.minimum(incidents.start - incidents.precursor_start, split.horizon) / SECOND
    return Counted(
        np.array(incidents.scenario)[selected],
        weights[:, split.period_of_incident[selected]],
        lead[selected],
        precursor[selected],
        weights @ found.false[0],
        weights @ split.device_days,
    )


def network_of(seed: int, settings: Settings, folder: Path) -> Dataset:
    """Generate the default network of a seed."""
    fleet = settings.fleet
    return generate(
        settings.metrics,
        folder,
        devices=fleet.devices,
        duration=fleet.duration,
        interval=fleet.interval,
        start=fleet.start_time,
        seed=seed,
        silent=settings.generated_logs.silent_if_enabled,
        workers=os.cpu_count() or 1,
    )


def measure(seed: int, overrides: Sequence[str] = ()) -> dict[str, Counted]:
    """Judge the families, the champion among them, and the baselines on the network of a seed."""
    settings = read_settings(overrides=list(overrides))
    alerting = settings.alerting
    with TemporaryDirectory() as folder:
        telemetry = network_of(seed, settings, Path(folder) / "telemetry")
        examples, models = learn(telemetry, settings, Path(folder))
        test, found = examples.evaluation_split("test"), {}
        for name, model in models.items():
            assessment = assess_model(examples, model, alerting)
            found[name] = count(test, split_risks(examples, model, "test"), assessment.policy, seed)
            say(seed, name, assessment)
        _, assessment, static = assess_baseline(examples, alerting)
        say(seed, STATIC, assessment)
        by_clock, clock = assess_clock(examples, alerting)
        say(seed, CLOCK, by_clock)
        baselines = {
            STATIC: count(test, static, assessment.policy, seed),
            CLOCK: count(test, clock, by_clock.policy, seed),
        }
        return found | {CHAMPION: found[best_of(examples, models)]} | baselines


def say(seed: int, name: str, assessment: Assessment) -> None:
    """Print the figures of one model on one network."""
    found = assessment.evaluation.figures
    report(
        "quality",
        found.average_precision,
        "base rate",
        found.base_rate,
        seed=seed,
        model=name,
        incidents_warned=found.incidents_warned,
        incidents=found.incidents,
        false_alarms_per_device_day=found.false_alarms_per_device_day,
        median_lead_seconds=found.median_lead_seconds,
        expected_calibration_error=assessment.evaluation.reliability.expected_calibration_error,
    )


def pool(networks: Iterable[Counted], scenario: str | None = None) -> dict[str, Floats]:
    """Pool networks: every figure as it is (place 0) and in each resample."""
    networks = list(networks)
    chosen = [one.scenarios == scenario if scenario else np.full(len(one.lead), True) for one in networks]
    incidents = np.hstack([one.incidents[:, mine] for one, mine in zip(networks, chosen, strict=True)])
    lead, possible = (
        np.concatenate([getattr(one, name)[mine] for one, mine in zip(networks, chosen, strict=True)])
        for name in ("lead", "possible")
    )
    warned = np.isfinite(lead)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "event_recall": incidents @ warned / incidents.sum(axis=1),
            "false_alarms_per_device_day": sum(one.false for one in networks) / sum(one.days for one in networks),
            "median_lead_seconds": medians(lead[warned], incidents[:, warned]),
            "median_share_of_possible_lead": medians((lead / possible)[warned], incidents[:, warned]),
        }


def medians(values: Floats, weights: Floats) -> Floats:
    """Take the median of values drawn so often, for each row of weights."""
    return np.array([np.median(np.repeat(values, row.astype(int))) if row.any() else np.nan for row in weights])


def spread(values: Floats) -> list[float]:
    """Say a figure and its 95% interval."""
    found = interval(values[1:])
    return [round(float(value), 3) for value in (values[0], found.low, found.high)]


def say_pooled(networks: list[dict[str, Counted]]) -> None:
    """Print the pooled figures of every model, each with its interval."""
    for model in networks[0]:
        counted = [network[model] for network in networks]
        line = {
            "benchmark": "quality_pooled",
            "model": model,
            "incidents_warned": sum(int(np.isfinite(one.lead).sum()) for one in counted),
            "incidents": sum(len(one.lead) for one in counted),
        }
        print(json.dumps(line | {name: spread(values) for name, values in pool(counted).items()}), flush=True)


def say_scenarios(networks: list[dict[str, Counted]], only: str | None = None) -> None:
    """Print the event recall by scenario, the champion's and the static thresholds', and the difference."""
    champion, static = ([network[name] for network in networks] for name in (CHAMPION, STATIC))
    there = {str(name) for one in champion for name in one.scenarios}
    for scenario in sorted(there & {only} if only else there):
        ours, theirs = (pool(counted, scenario)["event_recall"] for counted in (champion, static))
        line = {
            "benchmark": "quality_scenario",
            "scenario": scenario,
            "incidents": sum(int((one.scenarios == scenario).sum()) for one in champion),
            "champion": spread(ours),
            "static_threshold": spread(theirs),
            "difference": spread(ours - theirs),
        }
        print(json.dumps(line), flush=True)


def main(seeds: Sequence[int]) -> None:
    """Measure the networks, one after another, and pool them."""
    networks = [measure(seed) for seed in seeds]
    say_pooled(networks)
    say_scenarios(networks)
    say_scenarios([measure(seed, OUTAGES) for seed in seeds[:3]], only="site_outage")


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or SEEDS)
