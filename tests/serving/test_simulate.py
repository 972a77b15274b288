"""Playing telemetry: generated and recorded, in order, and what is made of the answers."""

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from netops.alerting.sequences import Incidents
from netops.client.playback import Chunk, Playback, Truth, generated, recorded
from netops.client.simulate import simulate
from netops.config.durations import HOUR, MINUTE, SECOND
from netops.errors import NetopsError, UsageError
from netops.serving.alerts.outcome import assess
from netops.serving.alerts.store import Alert
from netops.serving.decode.times import iso
from tests.serving.models import METRICS

START = 1_700_000_000 * SECOND


@pytest.fixture(scope="module")
def network():
    from netops.simulator.network import make_network
    from netops.simulator.settings import GeneratorSettings

    path = Path(__file__).parents[2] / "configurations" / "metrics.yaml"
    return make_network(
        GeneratorSettings.from_yaml(path), devices=12, duration=HOUR, interval=None, start=START, seed=3
    )


def test_generated_telemetry_is_played_in_the_order_of_its_arrival(network):
    playback = generated(network)
    chunks = list(playback.chunks())
    assert sum(len(chunk.devices) for chunk in chunks) > 12 * 600
    assert chunks[0].values.shape[1] == len(playback.metrics)
    assert all(first.timestamps.min() <= second.timestamps.max() for first, second in pairwise(chunks))
    assert len(playback.locations) == len(playback.devices) == 12
    assert all(center for _, center in playback.locations)


def test_recorded_telemetry_is_played_across_devices_in_time(tmp_path):
    from netops.simulator.generate import generate
    from netops.simulator.settings import GeneratorSettings

    path = Path(__file__).parents[2] / "configurations" / "metrics.yaml"
    dataset = generate(
        GeneratorSettings.from_yaml(path), tmp_path, devices=5, duration=HOUR, interval=None, start=START, seed=3
    )
    playback = recorded(dataset)
    times = np.concatenate([chunk.timestamps for chunk in playback.chunks()])
    assert len(times) == dataset.meta.samples
    assert (np.diff(times) >= 0).all()


def test_incidents_are_derived_from_the_samples():
    chunk = Chunk(
        np.array([0, 1, 0, 1, 0, 1]),
        np.array([1, 1, 2, 2, 3, 3]),
        np.zeros((6, 1)),
        np.array([False, False, True, False, False, True]),
    )
    truth = Truth(Playback(("m",), ("a", "b"), ((None, None),) * 2, lambda: iter([chunk])))
    truth.add(chunk)
    incidents = truth.incidents(1, 3)
    assert list(zip(incidents.device, incidents.start, incidents.end, strict=True)) == [(0, 2, 3), (1, 3, 4)]
    assert len(truth.incidents(1, 2)) == 1


def test_alerts_are_evaluated_against_the_incidents():
    incidents = Incidents.of(2, [0, 1], [START + HOUR, START + HOUR], [START + 2 * HOUR] * 2)
    alerts = [
        Alert(id="1", network="n", kind="risk", device="a", opened=iso(START + HOUR - 5 * MINUTE)),
        Alert(id="2", network="n", kind="risk", device="b", opened=iso(START + MINUTE)),
        Alert(id="3", network="n", kind="silent", device="b", opened=iso(START + MINUTE)),
        Alert(id="4", network="n", kind="risk", device="other", opened=iso(START + MINUTE)),
    ]
    outcome = assess(alerts, incidents, ("a", "b"), 10 * MINUTE, START, START + 2 * HOUR)
    assert outcome.to_dict() == {
        "incidents": 2,
        "warned": 1,
        "true_alerts": 1,
        "false_alarms": 1,
        "median_lead_seconds": 300.0,
    }


def short(ticks: int = 60, devices: int = 6) -> Playback:
    tick, device = (grid.ravel() for grid in np.meshgrid(np.arange(ticks), np.arange(devices), indexing="ij"))
    values = np.full((len(tick), len(METRICS)), 0.1)
    hot = (device == 0) & (tick > ticks // 2)
    values[hot, 0] = 5.0
    failed = (device == 0) & (tick > ticks // 2 + 10)
    times = START + 5 * SECOND * tick
    indices = (("c", "d"),) * devices
    return Playback(
        METRICS, tuple("abcdefgh"[:devices]), indices, lambda: iter([Chunk(device, times, values, failed)])
    )


def test_a_replay_reports_samples_answers_and_alerts(server):
    seen = []
    report = simulate(server, short(), speed=0, connections=3, on_progress=seen.append)
    found = report.to_dict()
    assert found["sent"] == found["answered"]["scored"] == 360
    assert found["alerts"] == 1
    assert (found["incidents"], found["warned"], found["false_alarms"]) == (1, 1, 0)
    assert found["median_lead_seconds"] == 45.0
    assert found["p99_ms"] >= found["p50_ms"] > 0
    assert seen[-1].event_time == START + 59 * 5 * SECOND


@pytest.mark.timing
def test_a_play_keeps_to_its_speed(server):
    since = time.perf_counter()
    simulate(server, short(ticks=40), speed=200)
    assert 0.9 <= time.perf_counter() - since <= 2


def test_an_unreachable_server_is_reported():
    with pytest.raises(NetopsError, match="does not respond"):
        simulate("http://127.0.0.1:9", short(), reconnect_timeout=0.5)
    with pytest.raises(UsageError, match="is not a valid address"):
        simulate("127.0.0.1:8080", short())
