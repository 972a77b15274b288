"""Feedback and incidents over HTTP."""

import httpx
import pytest

from netops.client.feedback import RemoteFeedbackClient, fetch_feedback
from netops.errors import NetopsError, UsageError
from netops.feedback.records import Incident, Statement
from tests.serving.hooks import Hook, status
from tests.serving.samples import START, sample

pytest.importorskip("mlrun")


@pytest.fixture
def alert(server):
    """The id of an open alert of device a."""
    hot = [sample("a", tick, hot=True) for tick in range(4)]
    answers = httpx.post(server + "/telemetry", json=hot, timeout=60).json()
    assert answers[-1]["alert"]
    return httpx.get(server + "/alerts").json()[0]["id"]


def say(server, alert, **body):
    return httpx.post(f"{server}/alerts/{alert}/feedback", json=body)


def test_feedback_on_an_alert_is_recorded(server, alert):
    answer = say(server, alert, verdict="confirmed", by="ada", note="fan").json()
    assert (answer["alert"]["id"], answer["alert"]["verdict"], answer["changed"]) == (alert, "confirmed", True)
    assert not say(server, alert, verdict="confirmed", by="ada", note="fan").json()["changed"]
    answer = say(server, alert[:6], verdict="repaired", repaired_at=START + 60).json()
    assert [statement["verdict"] for statement in answer["statements"]] == ["confirmed", "repaired"]
    assert all(statement["given"].endswith("Z") for statement in answer["statements"])
    for path in ("/alerts", "/alerts?all=true"):
        assert httpx.get(server + path).json()[0]["verdict"] == "repaired"
    # The feedback stays after the end of the alert, with the start of its cool-down.
    httpx.post(server + "/telemetry", json=[sample("a", tick) for tick in range(4, 200)])
    (ended,) = httpx.get(server + "/alerts?all=true").json()
    assert (ended["verdict"], ended["calm_since"]) == ("repaired", "2023-11-14T22:13:40Z")
    (verdict,) = httpx.get(server + "/feedback").json()["verdicts"]
    assert (verdict["repaired_at"], verdict["calm_since"]) == ("2023-11-14T22:14:20Z", ended["calm_since"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (b'{"verdict": "maybe"}', "Invalid enum value 'maybe'"),
        (b'{"by": "ada"}', "missing required field `verdict`"),
        (b'{"verdict": "confirmed", "why": 1}', "unknown field `why`"),
        (b'{"verdict": "repaired", "repaired_at": "soon"}', "repaired_at: 'soon' is not an ISO 8601 time"),
        (b'{"verdict": "repaired", "repaired_at": 1600000000}', "the repair must be later"),
        (b'{"verdict": "dismissed", "repaired_at": 1900000000}', "requires the verdict 'repaired'"),
        (b'{"verdict": "confirmed", "note": "%s"}' % (b"x" * 3000), "length <= 2000"),
    ],
)
def test_an_invalid_verdict_is_refused_in_one_line(server, alert, body, message):
    answer = httpx.post(f"{server}/alerts/{alert}/feedback", content=body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert httpx.get(server + "/feedback").json()["verdicts"] == []


def test_an_alert_that_is_not_there_is_not_found(server, alert):
    for name in ("x", "%27", "..%2F..%2Fx", alert + "0"):
        answer = say(server, name, verdict="confirmed")
        assert answer.status_code == 404
        assert list(answer.json()) == ["error"] or "detail" in answer.json()


def test_incidents_come_in_by_a_webhook_and_replays_change_nothing(server, alert):
    rows = [
        {"device": "a", "start": START, "end": START + 60, "source": "pager", "id": "p1", "cause": "fan", "x": 1},
        {"device": "b", "start": "2024-01-01T00:00:00Z"},
        {"device": "", "start": START},
        {"device": "a", "start": "soon"},
        {"device": "a", "start": START, "end": START},
        17,
    ]
    answer = httpx.post(server + "/incidents", json=rows).json()
    assert [answer[key] for key in ("recorded", "changed", "known")] == [2, 0, 0]
    assert [aside["index"] for aside in answer["set_aside"]] == [2, 3, 4, 5]
    assert answer["unknown_devices"] == ["b"]
    assert httpx.post(server + "/incidents", json=rows[:2]).json()["known"] == 2
    assert httpx.post(server + "/incidents", json=rows[1] | {"scenario": "power"}).json()["changed"] == 1
    found = httpx.get(server + "/feedback").json()["incidents"]
    assert [(i["source"], i["device"], i["scenario"], i["end"]) for i in found] == [
        ("pager", "a", "fan", "2023-11-14T22:14:20Z"),
        ("webhook", "b", "power", None),
    ]


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"{}", 400), (b"17", 400), (b'[{"device": 3, "start": 1}]', 400)]
)
def test_what_is_no_incident_is_refused(server, body, status):
    answer = httpx.post(server + "/incidents", content=body)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert httpx.post(server + "/incidents", content=b"[]").json()["recorded"] == 0


def test_alertmanager_may_post_its_alerts_as_incidents_but_never_our_own(server):
    down = {
        "status": "firing",
        "labels": {"alertname": "InstanceDown", "instance": "r1"},
        "startsAt": "2024-01-01T00:00:00.123Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "f1",
    }
    ours = down | {"labels": {"alertname": "DeviceAboutToFail", "network": "demo", "alert": "x", "device": "r1"}}
    answer = httpx.post(server + "/incidents", json={"version": "4", "alerts": [down, ours]}).json()
    assert (answer["recorded"], len(answer["set_aside"])) == (1, 1)
    over = down | {"status": "resolved", "endsAt": "2024-01-01T00:10:00Z"}
    assert httpx.post(server + "/incidents", json={"alerts": [over]}).json()["changed"] == 1
    (found,) = httpx.get(server + "/feedback").json()["incidents"]
    assert (found["device"], found["scenario"], found["end"]) == ("r1", "InstanceDown", "2024-01-01T00:10:00Z")


class Requests(Hook):
    """Stores what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(lambda *_: status(200, b"[]"))

    def _handle(self, request) -> None:
        self.asked.append(request.path)
        super()._handle(request)


def test_the_remote_feedback_client_asks_for_no_more_alerts_than_wanted():
    with Requests() as hook:
        for limit in (7, 10**6):
            assert RemoteFeedbackClient(hook.url, None).alerts(False, 0, limit) == []
    assert hook.asked == ["/alerts?all=true&limit=7", "/alerts?all=true&limit=100000"]


def test_the_remote_feedback_client_gives_the_same(server, alert):
    client = RemoteFeedbackClient(server, None)
    assert [found.id for found in client.alerts(True, 0, 10)] == [alert]
    assert client.alerts(False, (START + 10**6) * 10**9, 10) == []
    found, statements, changed = client.record_verdict(alert[:8], Statement(verdict="dismissed", by="ada"))
    assert (found.verdict, statements[-1].by, changed) == ("dismissed", "ada", True)
    many = [Incident(source="log", id=str(n), device="a", start="2024-01-01T00:00:00Z") for n in range(1500)]
    assert client.record(many) == {"recorded": 1500, "changed": 0, "known": 0}
    assert len(fetch_feedback(server + "/feedback", None).incidents) == 1500
    with pytest.raises(UsageError, match="no alert 'nothing'"):
        client.record_verdict("nothing", Statement(verdict="dismissed"))
    with pytest.raises(NetopsError, match="does not respond"):
        RemoteFeedbackClient("http://127.0.0.1:9", None).alerts(False, 0, 1)
