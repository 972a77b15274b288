"""The backtest of trained models: the figures of their own test split, and what a server did."""

import json
import shutil
from dataclasses import asdict, replace
from html import unescape
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from netops.alerting.matching import TRUE
from netops.alerting.settings import AlertSettings
from netops.alerting.silences import Silence
from netops.backtest.backtest import Backtest, backtest
from netops.backtest.page import write_page
from netops.cli.output import plain
from netops.client.playback import recorded
from netops.client.simulate import simulate
from netops.config.durations import DAY, HOUR
from netops.errors import NetopsError
from netops.evaluation.evaluate import Evaluation
from netops.evaluation.report.matched_alerts import MatchedAlerts
from netops.models.card import read_card, write_card
from netops.serving.engine.champion import FixedModel
from netops.serving.settings import ServingSettings
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import TelemetrySettings
from tests.backtest.trainings import DAYS, START, Training, telemetry, train
from tests.serving.live import LiveServer


def run(training: Training, **alerting: object) -> Backtest:
    return backtest(training.telemetry, training.model, "small", ServingSettings(), AlertSettings(**alerting))


def assert_same(found: Evaluation, expected: Evaluation) -> None:
    assert found.figures == expected.figures
    assert found.intervals == expected.intervals
    np.testing.assert_array_equal(found.lead_seconds, expected.lead_seconds)
    assert found.reliability.brier == expected.reliability.brier


def test_the_figures_are_those_of_the_training(training: Training, done: Backtest) -> None:
    assert done.evaluation is not None
    assert done.evaluation.figures.incidents > 3
    assert_same(done.evaluation, training.evaluation)


def test_a_split_by_device_counts_held_out_devices(tmp_path: Path, training: Training) -> None:
    trained = train(tmp_path, training.telemetry, split="device")
    found = run(trained)
    assert found.evaluation is not None
    assert_same(found.evaluation, trained.evaluation)
    apart = set(read_card(trained.folder).split["devices"][2])
    assert {incident.device for incident in found.incidents if not incident.trained} <= apart


def test_separate_test_telemetry_is_counted_completely(tmp_path: Path, training: Training) -> None:
    later = telemetry(tmp_path / "later", DAYS + HOUR, DAY)
    trained = train(tmp_path, training.telemetry, test=later)
    found = run(replace(trained, telemetry=later))
    assert found.evaluation is not None
    assert_same(found.evaluation, trained.evaluation)
    assert not found.trained.any()
    nothing = run(trained)
    assert nothing.evaluation is None
    assert nothing.trained.all()
    assert nothing.thresholds == nothing.budgets == []


def test_every_incident_and_false_alarm_is_reported_once(done: Backtest) -> None:
    assert done.evaluation is not None
    figures = done.evaluation.figures
    assert len(done.incidents) == len(done.history.incidents)
    counted = [incident for incident in done.incidents if not incident.trained]
    outcomes = [incident.outcome for incident in counted]
    assert outcomes.count("warned") == figures.incidents_warned
    assert outcomes.count("warned") + outcomes.count("missed") == figures.incidents
    assert sum(not alarm.trained for alarm in done.false_alarms) == figures.false_alarms
    leads = [incident.lead_seconds for incident in counted if incident.lead_seconds is not None]
    assert np.median(leads) == figures.median_lead_seconds
    assert all(incident.note for incident in done.incidents if incident.outcome == "missed")
    assert all(incident.reasons for incident in done.incidents if incident.outcome == "warned")
    assert all(alarm.reasons and alarm.note for alarm in done.false_alarms)


def test_the_alerts_are_those_of_a_server(training: Training, done: Backtest, tmp_path: Path) -> None:
    with LiveServer(training.folder, tmp_path / "state") as server:
        report = simulate(server.url, recorded(training.telemetry), speed=0, connections=1)
        reported = httpx.get(f"{server.url}/alerts?all=true&limit=100000").json()
    assert report.live.answered["scored"] == done.replayed.statuses["scored"] == len(done.history.sequences)
    served = [alert for alert in reported if alert["kind"] == "risk"]
    names = ("device", "opened", "ended", "peak", "peak_at", "silenced")
    ours = [alert for alert in done.replayed.alerts if alert.kind == "risk"]
    assert len(served) > 10
    assert sorted(tuple(alert.get(name) for name in names) for alert in served) == sorted(
        tuple(getattr(alert, name) for name in names) for alert in ours
    )
    opened = {(alert["device"], alert["opened"]): alert["reasons"] for alert in served}
    same = [found for found in done.incidents if (found.device, found.opened) in opened]
    assert len(same) > 5
    for found in same:
        mine = [asdict_reason(reason) for reason in found.reasons]
        theirs = opened[found.device, str(found.opened)]
        assert [reason["feature"] for reason in mine] == [reason["feature"] for reason in theirs]
        np.testing.assert_allclose(
            [r["contribution"] for r in mine], [r["contribution"] for r in theirs], rtol=1e-9
        )


def asdict_reason(reason: object) -> dict[str, object]:
    return {name: getattr(reason, name) for name in ("feature", "contribution")}


def test_other_thresholds_do_what_they_would_do(done: Backtest) -> None:
    split, risks = done.history.evaluation_split(done.counted), done.replayed.risks[done.counted]
    assert [one.in_force for one in done.thresholds].count(True) == 1
    assert len(done.thresholds) > 3
    falling = [one.threshold for one in done.thresholds]
    assert falling == sorted(falling, reverse=True)
    for one in done.thresholds:
        matched = MatchedAlerts.of(split, risks, replace(done.policy, threshold=one.threshold))
        warned = (matched.matching.lead[split.observed] >= 0).mean()
        assert one.event_recall == pytest.approx(warned)
        false = len(matched.alerts) - (matched.matching.kind == TRUE).sum() - (matched.matching.kind == 2).sum()
        assert one.false_alarms_per_device_day == pytest.approx(false / split.device_days.sum())
    for one in done.budgets:
        assert one.budget is not None
        assert one.false_alarms_per_device_day <= one.budget / 7
    recalls = [one.event_recall for one in done.budgets]
    assert recalls == sorted(recalls)


def test_another_policy_alerts_otherwise(training: Training, done: Backtest) -> None:
    strict = run(training, for_=10)
    assert strict.policy.for_samples == 10
    assert len(strict.replayed.alerts) < len(done.replayed.alerts)


def test_alerts_that_are_not_sent_are_marked(training: Training) -> None:
    silent = run(training, silences=(Silence(0, START + 10 * DAYS),))
    assert any("Silenced" in found.note for found in silent.incidents if found.outcome == "warned")


def test_a_model_without_a_threshold_is_refused(training: Training, tmp_path: Path) -> None:
    shutil.copytree(training.folder, tmp_path / "model")
    write_card(tmp_path / "model", read_card(tmp_path / "model").updated(threshold=None))
    with pytest.raises(NetopsError, match="no threshold"):
        backtest(
            training.telemetry, FixedModel("x", tmp_path / "model"), "small", ServingSettings(), AlertSettings()
        )


def test_telemetry_without_known_incidents_has_false_alarms_alone(training: Training, tmp_path: Path) -> None:
    frame = pq.read_table(training.telemetry.path).to_pandas().sort_values("timestamp")
    recent = frame[frame.timestamp > frame.timestamp.max() - pd.Timedelta("12h")]
    recent.drop(columns=[name for name in recent if name.endswith("is_error")]).to_csv(tmp_path / "x.csv")
    schema = read_card(training.folder).schema
    unknown = ingest([tmp_path / "x.csv"], tmp_path / "telemetry", TelemetrySettings(), like=schema)
    found = run(replace(training, telemetry=unknown))
    assert found.evaluation is not None
    assert found.incidents == found.evaluation.lead_seconds.tolist() == []
    assert len(found.false_alarms) == found.evaluation.figures.false_alarms > 0
    json.dumps(plain(found.to_dict()), allow_nan=False)
    assert write_page(tmp_path / "backtest.html", found, 0.1).stat().st_size


def test_it_is_drawn_on_a_page(training: Training, done: Backtest, tmp_path: Path) -> None:
    page = write_page(tmp_path / "backtest.html", done, 0.1).read_text(encoding="utf-8")
    first = page.partition("<tbody>")[2].partition("</tbody>")[0]
    assert first.count("<tr>") == len(done.incidents)
    assert page.count("<svg") >= 1 + min(3, done.evaluation.figures.incidents_warned)  # type: ignore[union-attr]
    assert "in force" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    missed = [one.note for one in done.incidents if one.outcome == "missed"]
    assert all(note in unescape(page) for note in missed)
    nothing = replace(done, evaluation=None)
    with pytest.raises(NetopsError, match="no sample is counted"):
        write_page(tmp_path / "none.html", nothing, 0.1)
    assert not (tmp_path / "none.html").exists()


def test_the_json_has_all_results(done: Backtest) -> None:
    reported = json.loads(json.dumps(plain(done.to_dict()), allow_nan=False))
    assert done.evaluation is not None
    expected = done.evaluation.to_dict()
    assert reported["figures"] == {name: expected[name] for name in reported["figures"]}
    assert reported["figures"].keys() >= asdict(done.evaluation.figures).keys() | reported["intervals"].keys()
    assert reported["samples_trained_on"] + reported["samples_counted"] <= reported["telemetry"]["samples"]
    assert len(reported["incidents"]) == reported["telemetry"]["incidents"]
    assert reported["server"]["samples"]["scored"] == reported["telemetry"]["samples"]
