"""The same seed gives the same bytes for a device, however and beside whatever it is generated."""

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.config.durations import HOUR, SECOND
from netops.simulator import writing
from netops.simulator.generate import generate_arrays
from netops.simulator.network import Block, Network, Walks, make_network, produce
from netops.simulator.samples import samples_of
from netops.simulator.settings import GeneratorSettings
from netops.telemetry.dataset import Dataset
from tests.simulator.examples import START, column_bytes, digest, rich, table, write


def network(devices: int = 6, hours: int = 3, start: int = START, seed: int = 5) -> Network:
    return make_network(
        GeneratorSettings.from_yaml(rich()),
        devices=devices, duration=hours * HOUR, interval=None, start=start, seed=seed, origin=START,
    )  # fmt: skip


def rows_of_device(dataset: Dataset, number: int) -> dict[str, bytes]:
    samples = table(dataset)
    mine = samples.filter(pc.equal(samples.column("device").cast("string"), network().fleet.names[number]))
    columns = [mine.column(name) for name in mine.column_names]
    text = [c.cast("string") if pa.types.is_dictionary(c.type) else c for c in columns]
    return {name: column_bytes(column) for name, column in zip(mine.column_names, text, strict=True)}


def test_the_number_of_other_devices_changes_nothing(tmp_path: Path) -> None:
    few, many = write(rich(), tmp_path / "few", devices=3), write(rich(), tmp_path / "many", devices=20)
    for device in range(3):
        assert rows_of_device(few, device) == rows_of_device(many, device)


def test_workers_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "GROUP", 6_000)
    one, three = write(rich(), tmp_path / "one"), write(rich(), tmp_path / "three", workers=3)
    assert len(one.parts) > 2
    assert [p.read_bytes() for p in one.parts] == [p.read_bytes() for p in three.parts]
    assert digest(one) == digest(three)


@pytest.mark.parametrize("group", [500, 10_000])
def test_sizes_of_parts_and_row_groups_change_nothing(
    group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = digest(write(rich(), tmp_path / "whole"))
    monkeypatch.setattr(writing, "GROUP", group)
    assert digest(write(rich(), tmp_path / "cut")) == whole


@pytest.mark.parametrize("cut", [1, 7, 500, 1999])
def test_consecutive_periods_fit_together(cut: int) -> None:
    net = network()
    devices, walks = np.arange(6), Walks()
    whole = produce(net, devices, net.first, 2000)
    parts = [
        produce(net, devices, net.first, cut, walks),
        produce(net, devices, net.first + cut, 2000 - cut, walks),
    ]
    for name in ("values", "errors", "critical"):
        joined = np.concatenate([getattr(part, name) for part in parts], axis=-1)
        np.testing.assert_array_equal(joined, getattr(whole, name))


def test_any_device_and_time_can_be_drawn_alone() -> None:
    net = network()
    whole = produce(net, np.arange(6), net.first, 2000)
    alone = produce(net, np.array([4]), net.first + 1234, 10)
    np.testing.assert_array_equal(alone.values[:, 0], whole.values[:, 4, 1234:1244])


def test_a_network_continues_in_time(tmp_path: Path) -> None:
    whole = write(rich(), tmp_path / "whole", duration=4 * HOUR)
    first = write(rich(), tmp_path / "first", duration=2 * HOUR)
    then = write(rich(), tmp_path / "then", duration=2 * HOUR, start=START + 2 * HOUR, origin=START)
    for device in range(6):
        a, b, c = (rows_of_device(dataset, device) for dataset in (first, then, whole))
        for name in ("timestamp", "load", "flow", "count", "is_error", "arrived"):
            assert a[name] + b[name] == c[name]


def test_a_network_starts_differently_at_another_time_but_is_the_same_network() -> None:
    made = GeneratorSettings.from_yaml(changed_drift())
    one, other = (
        generate_arrays(made, devices=4, duration=24 * HOUR, interval=10 * SECOND, start=start, seed=3)
        for start in (START, START + 240 * HOUR)
    )
    assert one.names == other.names
    assert one.attributes == other.attributes
    assert not np.array_equal(one.values, other.values)
    levels = [np.nanmedian(arrays.values[:, :, 0], axis=1) for arrays in (one, other)]
    np.testing.assert_allclose(*levels, atol=3)


def changed_drift() -> dict[str, object]:
    configuration = rich()
    sampled = ("traffic_peak", "maintenance")
    configuration["scenarios"] = {name: configuration["scenarios"][name] for name in sampled}
    return configuration


@pytest.mark.parametrize("seeds", [(5, 6), (0, 2**40)])
def test_seeds_differ(seeds: tuple[int, int], tmp_path: Path) -> None:
    one, other = (digest(write(rich(), tmp_path / str(seed), seed=seed)) for seed in seeds)
    assert one != other


def test_faults_do_not_depend_on_the_period() -> None:
    net = network()
    whole = samples_of(net, produce(net, np.array([2]), net.first, 1000)).timestamps
    parts = [samples_of(net, produce(net, np.array([2]), net.first + a, 500)).timestamps for a in (0, 500)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@settings(max_examples=40, deadline=None)
@given(device=st.integers(0, 5), at=st.integers(0, 1999), ticks=st.integers(1, 300), seed=st.sampled_from([5, 6]))
def test_any_period_of_any_device_is_a_slice_of_the_whole(device: int, at: int, ticks: int, seed: int) -> None:
    net, whole = whole_network(seed)
    ticks = min(ticks, 2000 - at)
    alone = produce(net, np.array([device]), net.first + at, ticks)
    for name in ("values", "errors", "critical"):
        part = getattr(whole, name)[..., device, at : at + ticks]
        np.testing.assert_array_equal(getattr(alone, name)[..., 0, :], part)


@cache
def whole_network(seed: int) -> tuple[Network, Block]:
    net = network(seed=seed)
    return net, produce(net, np.arange(6), net.first, 2000)
