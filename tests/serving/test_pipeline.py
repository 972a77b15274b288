"""What becomes of samples, step after step."""

import json

import numpy as np
import pytest

from netops.config.durations import MINUTE, SECOND
from netops.features.batch import transform
from netops.models.explanation import Explainer
from netops.models.onnx_file import Scorer
from netops.models.platt import Platt
from netops.serving.engine.champion import FixedModel
from netops.serving.settings import LimitSettings, ServingSettings, TimeSettings
from tests.serving.models import METRICS, SPEC, make_model
from tests.serving.samples import INTERVAL, START, body, fleet, sample


def statuses(answers) -> list[str]:
    return [answer.status for answer in answers]


def test_answers_name_device_time_and_model_in_the_order_of_the_samples(start):
    answers = start().run(body(sample("b", 0), sample("a", 0), sample("b", 1)))
    assert [(a.device, a.timestamp, a.status, a.model) for a in answers] == [
        ("b", START, "scored", "v1"),
        ("a", START, "scored", "v1"),
        ("b", START + INTERVAL, "scored", "v1"),
    ]
    assert all(0 <= a.risk <= 1 for a in answers)


def test_streaming_equals_scoring_the_batch(start, model):
    samples = fleet(7, 150)
    samples[40]["latency"] = None
    pipeline = start()
    answers = [answer for at in range(0, len(samples), 64) for answer in pipeline.run(body(*samples[at : at + 64]))]
    order = sorted(range(len(samples)), key=lambda row: (samples[row]["device"], samples[row]["timestamp"]))
    times = np.array([samples[row]["timestamp"] * SECOND for row in order])
    values = np.array([[samples[row][metric] for metric in METRICS] for row in order], dtype=np.float64)
    features = transform(SPEC, np.arange(0, len(samples) + 1, 150), times, values, 1)
    expected = Scorer(model).score(features)
    np.testing.assert_allclose([answers[row].risk for row in order], expected, atol=1e-6, rtol=0)


def test_answers_have_the_probability_of_a_calibrated_model(start, model, tmp_path):
    samples = body(*fleet(3, 4), {"device": "a"})
    plain = start().run(samples)
    assert [answer.probability for answer in plain] == [None] * 13
    calibration = Platt(0.5, -1.0, 100, 10)
    folder = make_model(tmp_path / "calibrated", calibration=calibration)
    reported = start(source=FixedModel("v1", folder), folder=tmp_path / "other").run(samples)
    assert [answer.risk for answer in reported] == [answer.risk for answer in plain]
    expected = calibration.apply(np.array([answer.risk for answer in plain[:-1]]))
    np.testing.assert_allclose([answer.probability for answer in reported[:-1]], expected, atol=1e-6)
    assert (reported[-1].status, reported[-1].probability) == ("rejected", None)


def test_out_of_order_samples_are_scored_as_if_in_order_and_older_ones_are_late(start):
    pipeline = start()
    pipeline.run(body(*[sample("a", tick) for tick in range(20) if tick not in (10, 18)]))
    late = pipeline.run(body(sample("a", 18), sample("a", 10), sample("a", 18)))
    assert statuses(late) == ["scored", "late", "duplicate"]
    other = start(folder=pipeline.runtime.folder.parent / "other")
    for tick in range(20):
        (expected,) = other.run(body(sample("a", tick)))
        if tick == 18:
            assert late[0].risk == pytest.approx(expected.risk, abs=1e-9)


def test_late_and_rejected_samples_are_counted_and_stored(start):
    pipeline = start()
    pipeline.run(body(sample("a", 100)))
    pipeline.run(body(sample("a", 0, latency=None), {"device": "a"}))
    letters = [json.loads(line) for line in pipeline.runtime.letters.path().read_text().splitlines()]
    assert [letter["why"] for letter in letters] == ["late", "rejected"]
    assert letters[0]["sent"]["device"] == "a"
    assert letters[0]["sent"]["latency"] is None
    text = pipeline.runtime.metrics.export().decode()
    for status, count in (("scored", 1), ("late", 1), ("rejected", 1), ("duplicate", 0)):
        assert f'netops_samples_total{{network="demo",status="{status}"}} {count}.0' in text


def test_two_hot_samples_open_an_alert_and_a_cool_while_ends_it(start):
    pipeline = start()
    answers = pipeline.run(body(*[sample("a", tick, hot=tick in (3, 4, 5), data_center="x") for tick in range(10)]))
    assert [answer.alert for answer in answers] == [False] * 4 + [True] * 6
    (alert,) = pipeline.runtime.active_alerts.current()
    assert (alert.device, alert.data_center, alert.kind, alert.model) == ("a", "x", "risk", "v1")
    assert alert.reasons[0].feature.startswith("cpu_utilization")
    assert alert.reasons == answers[4].reasons
    assert alert.opened == "2023-11-14T22:13:40Z"
    assert alert.peak == max(answer.risk for answer in answers)
    answers = pipeline.run(body(*[sample("a", tick) for tick in range(10, 200)]))
    assert not answers[-1].alert
    assert pipeline.runtime.active_alerts.current() == []
    (ended,) = pipeline.runtime.store.recent()
    assert ended.id == alert.id
    assert ended.ended is not None


def test_a_silent_device_has_an_alert_of_its_own_and_no_risk(start):
    pipeline = start()
    for tick in range(100):
        pipeline.run(body(*[sample(device, tick) for device in "abc" if device != "c" or tick < 5]))
    (alert,) = pipeline.runtime.active_alerts.current()
    assert (alert.kind, alert.device, alert.risk if hasattr(alert, "risk") else None) == ("silent", "c", None)
    code = pipeline.runtime.state.table.code("c")
    assert np.isnan(pipeline.runtime.state.risk[code])
    pipeline.run(body(sample("c", 100)))
    assert pipeline.runtime.active_alerts.current() == []
    assert not np.isnan(pipeline.runtime.state.risk[code])


def test_a_clock_in_the_future_affects_neither_other_devices_nor_itself(start):
    pipeline = start()
    for tick in range(30):
        pipeline.run(body(*[sample(device, tick) for device in "abcd"]))
    ahead = pipeline.run(body(sample("a", 30 + 10_000, hot=True), sample("a", 30 + 10_001, hot=True)))
    assert statuses(ahead) == ["scored", "scored"]
    assert not any(answer.alert for answer in ahead), "a device on trial does not alert"
    others = pipeline.run(body(*[sample(device, 30) for device in "bcd"]))
    assert statuses(others) == ["scored"] * 3
    assert pipeline.runtime.active_alerts.current() == []
    # The clock is corrected: the device continues normally.
    back = pipeline.run(body(sample("a", 31)))
    expected = start(folder=pipeline.runtime.folder.parent / "other")
    for tick in [*range(30), 31]:
        (answer,) = expected.run(body(sample("a", tick)))
    assert statuses(back) == ["scored"]
    assert back[0].risk == pytest.approx(answer.risk, abs=1e-9)


def test_after_an_outage_of_the_network_nothing_is_lost(start):
    pipeline = start()
    for tick in [*range(20), *range(5000, 5020)]:
        answers = pipeline.run(body(*[sample(device, tick) for device in "abcde"]))
        assert statuses(answers) == ["scored"] * 5
    assert pipeline.runtime.state.quarantine == {}


def test_a_device_ahead_from_its_first_sample_is_reset(start):
    pipeline = start()
    pipeline.run(body(sample("a", 100_000)))
    for tick in range(20):
        answers = pipeline.run(body(*[sample(device, tick) for device in "abc"]))
    assert statuses(answers) == ["scored"] * 3


def test_the_least_recently_seen_device_is_evicted(start):
    limits = LimitSettings(devices=3, batch=3)
    pipeline = start(ServingSettings(limits=limits))
    for tick, device in enumerate("abcad"):
        pipeline.run(body(sample(device, tick)))
    assert sorted(name for name in pipeline.runtime.state.table.names if name) == ["a", "c", "d"]
    assert pipeline.runtime.state.table.evicted == 1
    assert 'netops_devices_evicted_total{network="demo"} 1.0' in pipeline.runtime.metrics.export().decode()


def test_many_devices_of_a_site_are_one_alert(start):
    pipeline = start()
    for tick in range(10):
        hot = [sample(f"d{n}", tick, hot=tick > 5 and n < 4, company="c", data_center="x") for n in range(6)]
        pipeline.run(body(*hot, sample("other", tick, company="c", data_center="y")))
    alerts = pipeline.runtime.active_alerts.current()
    (site,) = [alert for alert in alerts if alert.kind == "site"]
    assert site.devices == ["d0", "d1", "d2", "d3"]
    assert (site.company, site.data_center, site.device) == ("c", "x", None)
    assert {alert.rolled_up for alert in alerts if alert.kind == "risk"} == {site.id}
    pipeline.run(body(*[sample(f"d{n}", tick) for tick in range(10, 200) for n in range(6)]))
    pipeline.run(body(sample("other", 200)))
    assert pipeline.runtime.active_alerts.current() == []


def test_settings_of_time_are_heeded(start):
    time = TimeSettings(allowed_lateness=1 * SECOND, silent_after=1 * MINUTE)
    pipeline = start(ServingSettings(time=time))
    answers = pipeline.run(body(sample("a", 1), sample("a", 0)))
    assert statuses(answers) == ["scored", "late"]


def test_reasons_are_exact_where_a_sample_alerts_and_quick_elsewhere(start, model):
    explainer = Explainer(model)
    pipeline = start()
    samples = [sample("a", tick, hot=tick > 5) for tick in range(9)]
    work = pipeline.explain(pipeline.score(pipeline.features(pipeline.validate(body(*samples)))))
    for row, found in enumerate(work.reasons):
        (expected,) = explainer.reasons(work.features[row : row + 1], exact=bool(work.risks[row] >= 0.5))
        alerts = bool(work.risks[row] >= 0.5)
        named = [(reason.feature, pytest.approx(reason.contribution), reason.text) for reason in found]
        assert named == [(name, value, text if alerts else "") for name, value, text in expected]
        assert len(found) <= 3
