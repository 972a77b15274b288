"""What announces incidents of a network with logs: messages, metrics, or both."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from netops.config.durations import HOUR, MINUTE, SECOND
from netops.simulator.generate import details_of, generate
from netops.simulator.log_settings import GeneratedLogSettings
from netops.simulator.logs import write_logs
from netops.simulator.network import Block, Network, Truth, channels, make_network, produce
from netops.simulator.settings import ErrorSettings, GeneratorSettings
from netops.telemetry.dataset import Dataset
from netops.workflows.project_folder import project_root
from netops.workflows.settings import read_settings
from tests.simulator.examples import digest, rich, write

START = 1_767_571_200 * SECOND
SETTINGS = GeneratorSettings.from_yaml(project_root() / "configurations" / "metrics.yaml")
LOGS = GeneratedLogSettings()
ABOUT = {"devices": 100, "duration": 20 * HOUR, "interval": MINUTE, "start": START, "seed": 4}
QUIET = {"per_hour": 0.0, "bursts": 0.0, "lookalike_share": 0.0, "false_precursors": 0.0, "strays": 0.0}


def network(silent: float = 0.0, settings: GeneratorSettings = SETTINGS, **about: int) -> Network:
    return make_network(settings, **ABOUT | about, silent=silent)  # type: ignore[arg-type]


def whole(net: Network) -> Block:
    return produce(net, np.arange(net.devices), net.first, net.ticks)


def number(net: Network, truth: Truth) -> float:
    return channels(net, truth.device)[net.time_of(truth.precursor)]


def metrics_until(net: Network, block: Block, truth: Truth) -> np.ndarray:
    start = truth.start - net.first
    # Two hours reach from before any precursor to the start of the incident.
    return block.values[:, truth.device, max(0, start - 120) : max(0, start)]


def overlap(truths: list[Truth], one: Truth) -> bool:
    return any(
        t.device == one.device and t is not one and t.end > one.start - 120 and t.start < one.end for t in truths
    )


def test_metrics_of_a_silent_incident_are_normal_until_it_starts() -> None:
    normal = whole(network(settings=replace(SETTINGS, errors=ErrorSettings(every=None))))
    net = network(silent=0.4)
    loud, some = whole(network()), whole(net)
    assert [(t.device, t.precursor, t.start, t.end) for t in some.truths] == [
        (t.device, t.precursor, t.start, t.end) for t in loud.truths
    ]
    np.testing.assert_array_equal(some.critical, loud.critical)
    alone = [t for t in some.truths if not overlap(some.truths, t) and t.start - net.first > 1]
    silent = [t for t in alone if number(net, t) < 0.4]
    assert 10 < len(silent) < len(alone) - 10
    for truth in alone:
        values = metrics_until(net, some, truth)
        expected = normal if truth in silent else loud
        np.testing.assert_array_equal(values, metrics_until(net, expected, truth))
    changed = [t for t in silent if (metrics_until(net, loud, t) != metrics_until(net, normal, t)).any()]
    assert len(changed) > 0.8 * len(silent)


def test_metrics_are_in_error_from_its_start_on() -> None:
    net = network(silent=1.0)
    block = whole(net)
    for truth in block.truths:
        first, last = truth.start - net.first, truth.end - net.first
        if 0 < first < net.ticks:
            errors = block.errors[:, truth.device, max(0, first - 5) : last]
            assert not errors[:, : min(first, 5)].any()
            assert errors[:, min(first, 5) :].any(axis=0).all()


def test_fractions_hold_in_each_scenario() -> None:
    net = network(LOGS.silent, devices=400, duration=60 * HOUR)
    drawn: dict[str, list[float]] = {}
    for truth in whole(net).truths:
        drawn.setdefault(truth.scenario, []).append(number(net, truth))
    numbers = np.concatenate(list(drawn.values()))
    assert abs((numbers < LOGS.precursor_share).mean() - 0.7) < 0.06
    assert abs((numbers < LOGS.silent).mean() - 0.7 * 0.25) < 0.05
    assert all(0.4 < np.mean(np.array(some) < 0.7) < 0.95 for some in drawn.values() if len(some) > 30)


def written(net: Network, dataset: Dataset, settings: GeneratedLogSettings, path: Path) -> set[str]:
    write_logs(net, dataset, settings, path)
    return set(path.read_text().splitlines())


def hour_before(net: Network, lines: set[str], truth: Truth) -> list[str]:
    """Return the messages of a device in the hour before an incident."""
    device, start = net.fleet.names[truth.device].replace(" ", ""), net.time_of(truth.start)
    rows = [line.split() for line in lines]
    times = [int(np.datetime64(row[1].rstrip("Z"), "ns").astype(np.int64)) for row in rows]
    return [
        " ".join(row[3:])
        for row, time in zip(rows, times, strict=True)
        if row[2] == device and start - HOUR < time < start
    ]


def test_messages_announce_what_metrics_do_not(tmp_path: Path) -> None:
    settings = replace(LOGS, precursor_share=0.6, silent_metrics=0.5, **QUIET)  # type: ignore[arg-type]
    net = network(settings.silent)
    dataset = generate(SETTINGS, tmp_path / "t", **ABOUT, silent=net.silent)  # type: ignore[arg-type]
    lines = written(net, dataset, settings, tmp_path / "a")
    lines -= written(net, dataset, replace(settings, precursor_share=0.0), tmp_path / "b")
    truths = whole(net).truths
    alone = [t for t in truths if not overlap(truths, t) and net.ticks > t.start - net.first > 60]
    counts = {(t.device, t.start): len(hour_before(net, lines, t)) for t in alone}
    silent = [counts[t.device, t.start] for t in alone if number(net, t) < settings.silent]
    both = [counts[t.device, t.start] for t in alone if settings.silent <= number(net, t) < 0.6]
    neither = [counts[t.device, t.start] for t in alone if number(net, t) >= 0.6]
    assert min(map(len, (silent, both, neither))) > 5
    assert min(*silent, *both) > 2
    assert not any(neither)


def test_messages_become_more_towards_an_incident(tmp_path: Path) -> None:
    settings = replace(LOGS, precursor_share=1.0, early_share=0.0, **QUIET)  # type: ignore[arg-type]
    net = network()
    dataset = generate(SETTINGS, tmp_path / "t", **ABOUT)  # type: ignore[arg-type]
    lines = written(net, dataset, settings, tmp_path / "a")
    lines -= written(net, dataset, replace(settings, precursor_share=0.0), tmp_path / "b")
    by_device = {truth.device: truth for truth in whole(net).truths}
    halves = [0, 0]
    for line in lines:
        _, time, host, *_ = line.split()
        truth = next((t for d, t in by_device.items() if net.fleet.names[d].replace(" ", "") == host), None)
        assert truth is not None
        at = int(np.datetime64(time.rstrip("Z"), "ns").astype(np.int64))
        first, last = net.time_of(truth.precursor), net.time_of(truth.start)
        if first <= at < last:
            halves[2 * (at - first) >= last - first] += 1
    assert 2 < halves[1] / halves[0] < 4.5


def test_other_devices_do_not_change() -> None:
    some, loud = whole(network(1.0)), whole(network())
    healthy = sorted(set(range(100)) - {truth.device for truth in loud.truths})
    assert healthy
    np.testing.assert_array_equal(some.values[:, healthy], loud.values[:, healthy])


def test_the_same_seed_gives_the_same_network(tmp_path: Path) -> None:
    one, other = (digest(write(rich(), tmp_path / name, silent=0.5)) for name in "ab")
    assert one == other
    assert one != digest(write(rich(), tmp_path / "c"))


def test_any_part_of_a_network_can_be_generated_alone() -> None:
    net = network(silent=0.5, devices=20)
    block = whole(net)
    part = produce(net, np.array([7]), net.first + 300, 200)
    np.testing.assert_array_equal(part.values[:, 0], block.values[:, 7, 300:500])


def test_a_network_without_logs_does_not_depend_on_them(tmp_path: Path) -> None:
    assert GeneratedLogSettings().silent_if_enabled == 0
    assert read_settings(overrides=["generated_logs.enabled=true"]).generated_logs.silent_if_enabled == LOGS.silent
    assert "silent" not in details_of(network())
    assert details_of(network())["fingerprint"] != details_of(network(0.5))["fingerprint"]
    assert digest(write(rich(), tmp_path / "a", silent=0.0)) == digest(write(rich(), tmp_path / "b"))
