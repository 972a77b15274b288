"""Alerts and feedback of partitions on this machine, without a running server."""

import pytest

from netops.client.feedback import LocalFeedbackClient
from netops.errors import UsageError
from netops.feedback.records import Incident, Statement
from netops.serving.folders import alert_files, networks, state_folder
from tests.serving.samples import sample
from tests.serving.stream.process import Process, log_of


@pytest.fixture
def client(model, tmp_path, monkeypatch) -> LocalFeedbackClient:
    monkeypatch.setenv("NETOPS_HOME", str(tmp_path))
    with Process(model, state_folder("edge")) as process:
        for number, device in enumerate("ab"):
            log = log_of([sample(device, tick + 5 * number, hot=True) for tick in range(5)])
            process.feed(process.open(log, number=number), log)
        process.stop()
    return LocalFeedbackClient("edge")


def test_the_alerts_of_all_partitions_are_listed_newest_first(client) -> None:
    assert networks() == ["edge"]
    assert [path.parent.parent.name for path in alert_files("edge")] == ["t-0", "t-1"]
    assert [alert.device for alert in client.alerts(False, 0, 10)] == ["b", "a"]
    assert [alert.device for alert in client.alerts(False, 0, 1)] == ["b"]


def test_feedback_goes_to_the_partition_of_the_alert(client) -> None:
    newer, older = client.alerts(False, 0, 10)
    for alert in (newer, older):
        found, statements, changed = client.record_verdict(alert.id, Statement(verdict="confirmed"))
        assert (found.device, len(statements), changed) == (alert.device, 1, True)
        assert client.show(alert.id[:8])[0].id == alert.id
    assert {one.device for one in client.feedback().verdicts} == {"a", "b"}
    with pytest.raises(UsageError, match="no alert 'nothing'"):
        client.show("nothing")


def test_incidents_of_the_network_are_returned_with_the_verdicts_of_partitions(client) -> None:
    incident = Incident(source="log", id="1", device="a", start="2023-11-14T23:00:00Z")
    assert client.record([incident])["recorded"] == 1
    assert [one.id for one in client.feedback().incidents] == ["1"]
    assert client.remove("log", None) == 1
    assert client.feedback().incidents == []


def test_deliveries_of_all_partitions(client) -> None:
    assert client.deliveries(every=True) == []
    assert client.retry() == 0
