"""Agreement with the original generator (metrics-gen 0.2.2) on a configuration with its keys alone.

These of its faults are corrected, and so compared on our side only, or after the same correction:

- metrics other than the first never enter the scenario (it notifies metrics at its first tick alone), so rates and
  lengths are compared on the first metric, and `is_error` is checked to be what was meant: all metrics in error;
- `accuracy` is not read: its values are rounded here before they are compared;
- `stochastic_interval` is not read: it says that the time between samples varies, so it does;
- nothing can be seeded; here its generators are given seeds.
"""

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp

from netops.config.durations import SECOND
from netops.simulator.generate import Arrays, generate_arrays
from netops.simulator.settings import GeneratorSettings
from tests.simulator.examples import ORIGINAL, START

pytest.importorskip("metrics_gen", reason="the original generator is not installed")

DEVICES, TICKS = 30, 800
METRICS = ("cpu_utilization", "latency", "packet_loss", "throughput")
DECIMALS = (2, 2, 0, 2)


class Theirs:
    """What the original generates: values, metric errors, and whether a scenario is on."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        from metrics_gen.metric.metric_group import Metric_Group

        shape = (DEVICES, TICKS)
        self.values, self.error = np.empty((*shape, len(METRICS))), np.zeros(shape, bool)
        self.on = np.zeros(shape, bool)
        errors = configuration["errors"]
        for device in range(DEVICES):
            group = Metric_Group(
                configuration["metrics"],
                error_rate_ticks=errors["rate_in_ticks"],
                error_length_ticks=errors["length_in_ticks"],
            )
            for tick, sample in zip(range(TICKS), group.generate(), strict=False):
                self.values[device, tick] = [float(sample[name]) for name in METRICS]
                self.error[device, tick] = sample["cpu_utilization_is_error"]
                self.on[device, tick] = group.is_error


@pytest.fixture(scope="module")
def theirs() -> Iterator[Theirs]:
    import yaml
    from metrics_gen.metric import metric, metric_group

    numbers = count()
    with pytest.MonkeyPatch.context() as patch:
        for module in (metric, metric_group):
            patch.setattr(module, "Random", lambda *_: Random(next(numbers)))
        np.random.seed(1)  # noqa: NPY002 - it draws from numpy's global generator
        yield Theirs(yaml.safe_load(ORIGINAL.read_text()))


@pytest.fixture(scope="module")
def ours() -> Arrays:
    settings = GeneratorSettings.from_yaml(ORIGINAL)
    return generate_arrays(settings, devices=DEVICES, duration=20 * TICKS * 5 * SECOND, start=START, seed=1)


def scenario_on(arrays: Arrays) -> np.ndarray:
    """Mark the ticks from the start of a precursor to the end of its incident."""
    on = np.zeros_like(arrays.errors)
    for row in arrays.incidents.to_pylist():
        a, b = np.searchsorted(arrays.timestamps, [row["precursor_start"].value, row["end"].value + 3 * SECOND])
        on[arrays.names.index(row["device"]), a:b] = True
    return on


def runs(flags: np.ndarray) -> np.ndarray:
    """Return the lengths of the whole runs of each device."""
    lengths = []
    for row in flags:
        edges = np.flatnonzero(np.diff(row.astype(int)))
        starts, ends = edges[row[edges + 1]], edges[~row[edges + 1]]
        ends = ends[len(ends) - len(ends[ends > (starts[0] if len(starts) else 0)]) :]
        lengths += list(ends[: len(starts)] - starts[: len(ends)])
    return np.array(lengths)


def agrees(one: np.ndarray, other: np.ndarray) -> bool:
    """Compare two means within four standard errors."""
    error = np.hypot(one.std() / np.sqrt(len(one)), other.std() / np.sqrt(len(other)))
    return bool(abs(one.mean() - other.mean()) < 4 * error)


@pytest.mark.parametrize("index", range(4), ids=METRICS)
def test_metrics_have_the_same_distribution_in_the_normal_state(index: int, theirs: Theirs, ours: Arrays) -> None:
    # The last tick of a scenario is normal again in the original, but still counts as part of it.
    normal = theirs.values[~theirs.on][:, index].round(DECIMALS[index])
    own = ours.values[~scenario_on(ours)][:, index]
    assert ks_2samp(normal, own).pvalue > 0.001
    assert own.min() >= 0
    assert own.max() <= (100, 100, 50, 300)[index]


def test_scenarios_come_as_often(theirs: Theirs, ours: Arrays) -> None:
    begun = np.diff(theirs.on.astype(int), axis=1) == 1
    per_device = ours.incidents.num_rows / len(ours.names) / (ours.errors.shape[1] / TICKS)
    own = begun.sum(axis=1)
    assert abs(own.mean() - per_device) < 4 * own.std() / np.sqrt(DEVICES)
    assert per_device == pytest.approx(TICKS / 200, rel=0.05)  # 150 ticks of health, 50 of scenario


def test_metric_errors_last_as_long(theirs: Theirs, ours: Arrays) -> None:
    their_runs, own = runs(theirs.error), runs(ours.metric_errors[:, :, 0])
    assert agrees(their_runs, own)
    assert own.std() == pytest.approx(their_runs.std(), rel=0.3)


def test_values_are_clamped_to_the_same_limits(theirs: Theirs, ours: Arrays) -> None:
    assert set(theirs.values[theirs.error][:, 0]) == {100.0}
    for index, limit in enumerate((100, 100, 50, 0)):
        assert set(ours.values[ours.metric_errors[:, :, index]][:, index]) == {limit}


def test_first_metric_jumps_as_often_in_its_precursor(theirs: Theirs, ours: Arrays) -> None:
    before = theirs.on & ~theirs.error
    own_before = scenario_on(ours) & ~ours.metric_errors[:, :, 0]
    share, own = (theirs.values[before][:, 0] == 100), (ours.values[own_before][:, 0] == 100)
    # Jumps of one scenario share its chance: their number is taken as four times as uncertain as if they did not.
    assert abs(share.mean() - own.mean()) < 4 * 2 * share.std() / np.sqrt(len(share))


def test_metrics_enter_at_tenths_of_the_length_and_fail_together(ours: Arrays) -> None:
    np.testing.assert_array_equal(ours.errors, ours.metric_errors.all(axis=-1))
    shares = ours.metric_errors.mean(axis=(0, 1))
    # Metric k has 50 - 5k ticks left and spends half of them in error.
    np.testing.assert_allclose(shares / shares[0], [1, 0.9, 0.8, 0.7], atol=0.03)
    assert ours.errors.any()
