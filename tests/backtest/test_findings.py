"""Why incidents were predicted or missed, on histories with known risks."""

import numpy as np
import pytest

from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Incidents, Sequences
from netops.backtest.findings import ServedAlerts, find, unobserved
from netops.backtest.history import History
from netops.config.durations import MINUTE
from netops.evaluation.report.matched_alerts import MatchedAlerts
from netops.serving.alerts.store import Alert
from netops.serving.decode.times import iso

HORIZON, START = 10, 50
POLICY = AlertPolicy(0.6, for_samples=2, cooldown=5 * MINUTE)


def history(rows: int = 70) -> History:
    sequences = Sequences(("a",), np.array([0, rows]), np.arange(rows) * MINUTE)
    incidents = Incidents.of(1, [0], [START * MINUTE], [60 * MINUTE], scenario=["leak"])
    labels = np.zeros(rows, np.int8)
    return History(sequences, labels, incidents, {}, np.zeros((rows, 1)), HORIZON * MINUTE)


def found(risks: np.ndarray, alerts: list[Alert] | None = None):
    past = history()
    matched = MatchedAlerts.of(past.evaluation_split(np.ones(len(risks), bool)), risks, POLICY)
    return find(past, matched, ServedAlerts(alerts or [], ("a",)), trained=False)


def risks(**high: float) -> np.ndarray:
    values = np.full(70, 0.1)
    for minute, risk in high.items():
        values[int(minute[1:])] = risk
    return values


def alert(opened: int, ended: int | None = None, **more: object) -> Alert:
    end = None if ended is None else iso(ended * MINUTE)
    return Alert(id="x", kind="risk", network="n", device="a", opened=iso(opened * MINUTE), ended=end, **more)


def test_an_incident_is_warned_of_by_the_first_alert_in_time() -> None:
    here = found(risks(m44=0.7, m45=0.9, m46=0.8))
    incident = here.incidents[0]
    assert (incident.outcome, incident.lead_seconds, incident.peak) == ("warned", 300.0, 0.9)
    assert incident.opened == iso(45 * MINUTE)
    assert here.rows.tolist() == [45]
    assert not here.false_alarms


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (risks(m47=0.41), "The threshold is 0.600; the risk rose to 0.410 at most, 3 min before"),
        (risks(m47=0.61), "on 1 sample, but not on 2 in a row"),
        (
            risks(**{f"m{m}": 0.7 for m in range(35, 50)}),
            "one had been open since 1970-01-01 00:36:00 UTC, too early",
        ),
        (risks(**{f"m{m}": np.nan for m in range(30, 50)}), "No sample before it was scored"),
    ],
)
def test_a_missed_incident_has_a_reason(known: np.ndarray, why: str) -> None:
    incident = found(known).incidents[0]
    assert incident.outcome == "missed"
    assert why in incident.note


def test_a_late_alert_is_reported() -> None:
    incident = found(risks(m47=0.41), [alert(52)]).incidents[0]
    assert "The alert opened 2 min after its start." in incident.note


def test_a_false_alarm_has_a_note() -> None:
    here = found(risks(m10=0.7, m11=0.8))
    (alarm,) = here.false_alarms
    assert (alarm.device, alarm.opened, alarm.peak) == ("a", iso(11 * MINUTE), 0.8)
    assert "The device failed 39 min later" in alarm.note
    assert here.rows_of_alarms == [11]


@pytest.mark.parametrize(
    ("served", "note"),
    [
        (alert(45, silenced=True), "Silenced: not sent."),
        (alert(45, rolled_up="y"), "Sent as part of a site alert."),
        (alert(20), "In service no new alert opened: the alert of 1970-01-01 00:20:00 UTC was still open."),
        (alert(20, 30), ""),
        (alert(45), ""),
    ],
)
def test_differences_of_the_server_are_noted(served: Alert, note: str) -> None:
    assert found(risks(m44=0.7, m45=0.9), [served]).incidents[0].note == note


def test_an_incident_without_a_sample_before_it_is_unobserved() -> None:
    (incident,) = unobserved(history(), [0], np.array([True]))
    assert (incident.outcome, incident.trained, incident.scenario) == ("unobserved", True, "leak")
    assert "No healthy sample in the 10 min before it." in incident.note
