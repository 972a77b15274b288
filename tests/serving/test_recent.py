"""A server warns if samples differ from the training data of its champion."""

import logging

import numpy as np
import pytest

from netops.models.background import QUANTILES
from netops.serving.engine.champion import FixedModel
from netops.serving.requests.endpoints.health import health
from tests.serving.models import METRICS, make_model
from tests.serving.samples import INTERVAL, body, sample


@pytest.fixture
def send(start, tmp_path):
    """Send samples of 20 devices to a champion trained on values of 40 to 60, every five seconds."""
    usual = {name: np.quantile(np.linspace(40, 60, 100), QUANTILES).tolist() for name in METRICS}
    folder = make_model(tmp_path / "usual", background={"quantiles": usual}, interval_seconds=float(INTERVAL))
    pipeline = start(source=FixedModel("v1", folder))

    def send(ticks: int, every: int = 1, first: int = 0, **values: float | None) -> list[str]:
        random = np.random.default_rng(0)
        for tick in range(first, first + ticks * every, every):
            usual = {name: float(random.uniform(40, 60)) for name in METRICS}
            pipeline.run(body(*(sample(f"d{index}", tick, **(usual | values)) for index in range(20))))
        return health(pipeline.runtime).warnings

    send.runtime = pipeline.runtime
    return send


def test_usual_samples_are_nothing_to_speak_of(send):
    assert send(40) == []


def test_too_little_telemetry_gives_no_warning(send):
    assert send(9, latency=0.5) == []


def test_another_unit_is_reported_and_logged_once(send, caplog):
    with caplog.at_level(logging.WARNING):
        found = send(400, latency=0.5)
    assert found == ["latency: values are about 1/110 of those in training: another unit?"]
    assert caplog.text.count("latency: values are about") == 1


def test_a_metric_that_never_comes_is_reported(send):
    assert send(40, latency=None) == ["latency: missing: the model was trained with these metrics"]


def test_another_interval_is_reported(send):
    (found,) = send(40, every=12)
    assert found.startswith("a sample every 1m, in training every 5s")


def test_what_was_set_right_is_reported_no_more(send):
    assert send(40, latency=0.5)
    assert send(300, first=40) == []


def test_a_new_champion_is_compared_again(send, tmp_path):
    assert send(40, latency=0.5)
    send.runtime.swap(send.runtime.model)
    assert health(send.runtime).warnings == []
    assert send(1, first=40, latency=0.5)


def test_one_large_request_does_not_dominate_the_sample(send):
    rows = [sample(f"d{index}", 0, latency=0.5) for index in range(900)]
    from netops.serving.engine.pipeline import Pipeline

    Pipeline(send.runtime).run(body(*rows))
    assert health(send.runtime).warnings == []
