import numpy as np
import pytest

from netops.config.durations import HOUR
from netops.simulator.generate import Batch, stream
from netops.simulator.network import make_network, produce
from netops.simulator.samples import samples_of
from netops.simulator.settings import GeneratorSettings
from tests.simulator.examples import START, rich


def batches(ticks: int, **sections: object) -> list[Batch]:
    settings = GeneratorSettings.from_yaml({**rich(), **sections})
    network = make_network(settings, devices=5, duration=HOUR, interval=None, start=START, seed=3)
    return list(stream(network, ticks))


def joined(found: list[Batch], name: str) -> np.ndarray:
    return np.concatenate([getattr(batch, name) for batch in found])


@pytest.mark.parametrize("ticks", [1, 7, 60, 10_000])
def test_batches_change_nothing(ticks: int) -> None:
    one, other = batches(ticks), batches(100)
    for name in ("devices", "timestamps", "values", "is_error", "arrivals"):
        np.testing.assert_array_equal(joined(one, name), joined(other, name))


def test_samples_come_in_the_order_of_arrival() -> None:
    found = batches(20)
    assert (np.diff(joined(found, "arrivals")) >= 0).all()
    behind = np.maximum.accumulate(joined(found, "timestamps")) - joined(found, "timestamps")
    assert behind.max() > 10 * 10**9  # some are late


def test_stream_without_faults_is_in_the_order_of_time() -> None:
    found = batches(20, faults={})
    assert (np.diff(joined(found, "timestamps")) >= 0).all()


def test_stream_holds_what_files_hold() -> None:
    settings = GeneratorSettings.from_yaml(rich())
    network = make_network(settings, devices=5, duration=HOUR, interval=None, start=START, seed=3)
    block = produce(network, np.arange(5), network.first, network.ticks)
    sampled = samples_of(network, block)
    found = list(stream(network, 33))
    order = np.lexsort((joined(found, "timestamps"), joined(found, "devices")))
    np.testing.assert_array_equal(joined(found, "timestamps")[order], sampled.timestamps)
    values = block.values.reshape(len(block.values), -1)[:, sampled.positions].T
    np.testing.assert_array_equal(joined(found, "values")[order], values)
