"""A challenger in the shadow of the champion: it costs no answer anything, and is compared truthfully."""

import asyncio
import json
import logging

import msgspec
import numpy as np
import pytest

from netops.alerting.settings import AlertSettings
from netops.config.durations import DAY, HOUR, MINUTE, SECOND
from netops.errors import NetopsError
from netops.features.spec import FeatureSpec
from netops.feedback.records import Incident
from netops.serving.decode.times import iso, nanoseconds
from netops.serving.engine.background import refresh
from netops.serving.engine.champion import Champion, ChampionFile, FixedModel, load_model
from netops.serving.settings import LimitSettings, ServingSettings
from netops.serving.shadow.scoring import report_path, require_same_features
from tests.serving.models import METRICS, make_model
from tests.serving.samples import body, fleet, sample
from tests.serving.test_snapshot import play


@pytest.fixture(scope="session")
def challenger(tmp_path_factory):
    """A model of other trees, with another threshold."""
    return make_model(tmp_path_factory.mktemp("challenger") / "v2", "v2", seed=9, threshold=0.35)


@pytest.fixture
def file(model, tmp_path):
    """A champion file that names v1."""
    named = ChampionFile(tmp_path / "models" / "champion.json")
    named.promote("v1", model)
    return named


def report_of(pipeline, version="v2"):
    return json.loads(report_path(pipeline.runtime.folder, version).read_text())


def plain(answers):
    return msgspec.to_builtins(answers)


def test_it_changes_no_answer_and_no_alert(start, file, challenger):
    samples = fleet(8, 200)
    alone = start(source=file)
    expected = plain(play(alone, samples))
    alerts = [alert.id for alert in alone.runtime.store.recent(limit=1000)]
    file.put_in_shadow("v2", challenger)
    beside = start(source=file, folder=alone.runtime.folder.parent / "other")
    assert beside.runtime.shadow.model.version == "v2"
    assert plain(play(beside, samples)) == expected
    assert [alert.id for alert in beside.runtime.store.recent(limit=1000)] == alerts
    assert beside.runtime.shadow.report()["samples"] == len(samples)


def test_each_alerts_as_it_would_alone(start, file, model, tmp_path):
    samples = fleet(8, 400)
    challenger = make_model(tmp_path / "v2", "v2", seed=9, threshold=0.056)  # within the usual risks
    quick = {"alerting": AlertSettings(cooldown=30 * SECOND)}
    file.put_in_shadow("v2", challenger)
    both = start(source=file, **quick)
    play(both, samples)
    report = both.runtime.shadow.report()
    opened, risks = {}, {}
    for role, folder in (("champion", model), ("challenger", challenger)):
        own = start(source=FixedModel("x", folder), folder=tmp_path / role, **quick)
        risks[role] = np.array([answer.risk for answer in play(own, samples)])
        alerts = own.runtime.store.recent(limit=1000)
        opened[role] = [(alert.device, nanoseconds(alert.opened), alert.ended) for alert in alerts]
        assert report["alerts"][role]["opened"] == len(alerts) > 3
    assert report["alerts"]["challenger"]["opened"] != report["alerts"]["champion"]["opened"]
    for role, other in (("champion", "challenger"), ("challenger", "champion")):
        shared = sum(any(overlap(mine, theirs) for theirs in opened[other]) for mine in opened[role])
        assert report["alerts"][role]["shared"] == shared
        assert report["alerts"][role]["only"] == len(opened[role]) - shared
        assert report["histograms"][role] == np.histogram(risks[role], 20, (0, 1))[0].tolist()
    high = risks["champion"] >= 0.5, risks["challenger"] >= 0.056
    assert report["agreement"] == {
        "share": pytest.approx((high[0] == high[1]).mean()),
        "both": (high[0] & high[1]).sum(),
        "champion_only": (high[0] & ~high[1]).sum(),
        "challenger_only": (~high[0] & high[1]).sum(),
        "neither": (~high[0] & ~high[1]).sum(),
    }
    assert report["mean_difference"] == pytest.approx(np.abs(risks["champion"] - risks["challenger"]).mean())
    assert report["judged"] is None


def overlap(one, other):
    ends = [nanoseconds(end) if end else 2**62 for _, _, end in (one, other)]
    return one[0] == other[0] and one[1] < ends[1] and other[1] < ends[0]


def failing(devices=6, ticks=1600):
    """Samples with ``is_error``: a device is hot for two minutes, then fails for one, repeatedly."""
    found = []
    for row in fleet(devices, ticks):
        tick = (row["timestamp"] - 1_700_000_000) // 5
        device = int(row["device"][1:])
        phase = (tick + 40 * device) % 240
        hot = 5.0 if phase in range(200, 228) else 0.1
        found.append(row | {"cpu_utilization": hot, "is_error": phase in range(224, 236)})
    return found


def test_incidents_in_the_samples_assess_both_models(start, file, challenger):
    file.put_in_shadow("v2", challenger)
    pipeline = start(source=file)
    samples = failing()
    play(pipeline, samples)
    comparison = pipeline.runtime.shadow._scorer.comparison
    evaluated = pipeline.runtime.shadow.report()["judged"]
    starts = [
        (row["device"], nanoseconds(row["timestamp"]))
        for before, row in zip(samples, samples[6:], strict=False)
        if row["is_error"] and not before["is_error"]
    ]
    until = comparison.until - 10 * MINUTE
    assert evaluated["champion"]["incidents"] == sum(at <= until for _, at in starts) > 20
    for role, alerts in zip(("champion", "challenger"), comparison.alerts, strict=True):
        found = evaluated[role]
        assert 0 < found["warned"] <= found["incidents"]
        assert found["event_recall"] == found["warned"] / found["incidents"]
        true = sum(
            any(name == d and at - 10 * MINUTE <= opened < at for d, at in starts) for name, opened in alerts
        )
        assert found["true_alerts"] <= true
    healthy = sum(not row["is_error"] for row in samples) * 5e9 / DAY
    assert evaluated["device_days"] == pytest.approx(healthy, rel=0.02)


def test_recorded_incidents_evaluate_both_models(start, file, challenger):
    file.put_in_shadow("v2", challenger)
    pipeline = start(source=file)
    play(pipeline, [{key: row[key] for key in row if key != "is_error"} for row in failing(2, 700)])
    assert pipeline.runtime.shadow.report()["judged"] is None
    comparison = pipeline.runtime.shadow._scorer.comparison
    device, opened = comparison.alerts[0][0]
    known = Incident(source="csv", id="1", device=device, start=iso(opened + MINUTE), end=iso(opened + 2 * MINUTE))
    pipeline.runtime.store.record([known], opened)
    evaluated = pipeline.runtime.shadow.report()["judged"]
    assert evaluated["champion"]["warned"] == evaluated["champion"]["incidents"] == 1
    assert evaluated["champion"]["median_lead_seconds"] == 60


def test_a_running_server_takes_it_up_and_lets_it_go(start, file, challenger):
    pipeline = start(source=file)
    runtime = pipeline.runtime
    play(pipeline, fleet(4, 50))
    assert runtime.shadow.model is None
    file.put_in_shadow("v2", challenger)
    asyncio.run(refresh(runtime))
    play(pipeline, fleet(4, 50, first=50))
    assert runtime.shadow.report()["samples"] == 200
    file.file.write_text(json.dumps({"version": "v1", "path": str(runtime.source.champion().path)}))
    asyncio.run(refresh(runtime))
    assert runtime.shadow.model is None
    assert runtime.shadow.report() is None
    assert report_of(pipeline)["samples"] == 200
    play(pipeline, fleet(4, 50, first=100))


@pytest.mark.parametrize("together", [True, False])
def test_a_shadow_that_is_promoted_is_none_any_more(start, file, challenger, together):
    file.put_in_shadow("v2", challenger)
    pipeline = start(source=file)
    play(pipeline, fleet(4, 50))
    file.promote("v2", challenger)
    assert file.shadow() is None
    if together:
        asyncio.run(refresh(pipeline.runtime))
    else:
        pipeline.runtime.swap(load_model(file.champion()))
    answers = play(pipeline, fleet(4, 50, first=50))
    assert {answer.model for answer in answers} == {"v2"}
    assert pipeline.runtime.shadow.model is None
    assert pipeline.runtime.shadow.failures == 0
    assert report_of(pipeline)["samples"] == 200


def test_a_new_champion_begins_a_new_comparison(start, file, challenger, tmp_path):
    third = make_model(tmp_path / "v3", "v3", seed=3)
    file.put_in_shadow("v2", challenger)
    pipeline = start(source=file)
    play(pipeline, fleet(4, 50))
    file.promote("v3", third)
    asyncio.run(refresh(pipeline.runtime))
    play(pipeline, fleet(4, 20, first=50))
    report = pipeline.runtime.shadow.report()
    assert (report["champion"], report["challenger"], report["samples"]) == ("v3", "v2", 80)


def broken_file(tmp_path):
    folder = make_model(tmp_path / "broken", "v2", seed=9)
    (folder / "model.onnx").write_bytes(b"no model")
    return folder


def of_other_windows(tmp_path):
    return make_model(tmp_path / "other", "v2", spec=FeatureSpec(METRICS, (MINUTE, 2 * HOUR)))


@pytest.mark.parametrize(
    ("make", "why"), [(broken_file, "cannot be read"), (of_other_windows, "uses other metrics, windows")]
)
def test_an_unsuitable_shadow_is_reported_once(start, file, tmp_path, caplog, make, why):
    expected = plain(play(start(source=file), fleet(4, 60)))
    file.put_in_shadow("v2", make(tmp_path))
    pipeline = start(source=file, folder=tmp_path / "second")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            asyncio.run(refresh(pipeline.runtime))
    assert plain(play(pipeline, fleet(4, 60))) == expected
    assert pipeline.runtime.shadow.failures == 1
    assert why in report_of(pipeline)["failure"]
    assert len([record for record in caplog.records if "shadow" in record.message]) <= 1


@pytest.mark.parametrize("at_fault", ["raises", "nan", "too few"])
def test_one_that_fails_while_it_scores_ends(start, file, challenger, tmp_path, at_fault):
    expected = plain(play(start(source=file), fleet(4, 200)))
    file.put_in_shadow("v2", challenger)
    pipeline = start(source=file, folder=tmp_path / "second")
    answers = play(pipeline, fleet(4, 30))
    shadow = pipeline.runtime.shadow
    assert shadow.report()["samples"] == 120
    shadow.model.scorer = Faulty(at_fault)
    answers += play(pipeline, fleet(4, 200)[120:])
    assert plain(answers) == expected
    assert shadow.model is None
    assert shadow.failures == 1
    asyncio.run(refresh(pipeline.runtime))
    assert shadow.model is None
    assert report_of(pipeline)["failure"]
    assert report_of(pipeline)["samples"] == 120
    assert b'netops_shadow_failures_total{network="demo"} 1.0' in pipeline.runtime.metrics.export()
    file.promote("v1", file.champion().path)
    file.file.write_text(json.dumps({"version": "v1", "path": str(file.champion().path)}))
    asyncio.run(refresh(pipeline.runtime))
    file.put_in_shadow("v2", challenger)
    asyncio.run(refresh(pipeline.runtime))
    assert shadow.model.version == "v2"  # put there again, it is tried again


class Faulty:
    def __init__(self, fault):
        self.fault = fault

    def score(self, features):
        if self.fault == "raises":
            raise RuntimeError("out of order")
        return np.full(len(features) - (self.fault == "too few"), np.nan if self.fault == "nan" else 0.5)


def test_the_comparison_outlives_a_restart(start, file, challenger, tmp_path):
    samples = failing(6, 500)
    file.put_in_shadow("v2", challenger)
    whole = start(source=file)
    play(whole, samples)
    expected = whole.runtime.shadow.report()
    first = start(source=file, folder=tmp_path / "second")
    play(first, samples[:1500])
    first.runtime.save()
    assert report_of(first)["samples"] == 1500
    play(first, samples[1500:1700])  # lost, and sent again
    second = start(source=file, folder=tmp_path / "second")
    assert second.runtime.shadow.report()["samples"] == 1500
    play(second, samples[1500:])
    assert second.runtime.shadow.report() == {
        **expected,
        "mean_difference": pytest.approx(expected["mean_difference"]),
    }


def test_a_saved_comparison_of_other_models_is_not_restored(start, file, challenger, tmp_path):
    file.put_in_shadow("v2", challenger)
    first = start(source=file)
    play(first, fleet(4, 50))
    first.runtime.save()
    file.put_in_shadow("v3", make_model(tmp_path / "v3", "v3", seed=3))
    second = start(source=file)
    assert second.runtime.shadow.report()["samples"] == 0


def test_devices_that_are_dropped_are_forgotten(start, file, challenger):
    file.put_in_shadow("v2", challenger)
    pipeline = start(ServingSettings(limits=LimitSettings(devices=3)), source=file)
    for round in range(30):
        hot = [sample(f"d{round}-{n}", 10 * round, hot=True) for n in range(3)]
        pipeline.run(body(*hot))
    # One hot sample each: no device, and no code given to the next, has two in a row.
    assert pipeline.runtime.shadow.report()["alerts"]["challenger"]["opened"] == 0
    assert pipeline.runtime.shadow.failures == 0


def test_both_roles_are_exported(start, file, challenger):
    pipeline = start(source=file)
    assert b"netops_shadow_info" not in pipeline.runtime.metrics.export()
    file.put_in_shadow("v2", challenger)
    asyncio.run(refresh(pipeline.runtime))
    play(pipeline, failing(4, 400))
    text = pipeline.runtime.metrics.export().decode()
    assert 'netops_shadow_info{network="demo",version="v2"} 1.0' in text
    for role in ("champion", "challenger"):
        labels = f'{{network="demo",role="{role}"}}'
        for name in (
            "samples",
            "alerts_opened",
            "alerts_only",
            "incidents",
            "warned",
            "false_alarms",
            "risk_count",
        ):
            assert f"netops_shadow_{name}{labels}" in text
    assert 'netops_shadow_risk_bucket{le="0.05",network="demo",role="champion"}' in text


def test_only_the_same_features_will_do(model, tmp_path):
    champion = load_model(Champion("v1", model))
    require_same_features(champion, load_model(Champion("v2", make_model(tmp_path / "v2", "v2", seed=1))))
    with pytest.raises(NetopsError, match="v3 uses other metrics"):
        require_same_features(champion, load_model(Champion("v3", of_other_windows(tmp_path))))
