import pytest

from netops.serving.alert_store import Alert, AlertStore, identity


def alert(number: int = 1, **more) -> Alert:
    opened = f"2024-01-01T00:00:{number:02d}Z"
    values = {"id": identity("demo", "risk", "a", number), "kind": "risk", "network": "demo", "device": "a"}
    return Alert(**values | {"opened": opened} | more)


@pytest.fixture
def store(tmp_path):
    store = AlertStore(tmp_path / "alerts.sqlite")
    yield store
    store.close()


def test_an_alert_that_comes_up_again_is_told_once(store):
    for _ in range(2):
        store.save([alert()], ["hook"])
    due = store.due("hook")
    assert [(event, found.id) for event, found in due] == [("opened", alert().id)]
    store.told("hook", due)
    store.save([alert()], ["hook"])
    assert store.due("hook") == []
    store.save([alert(ended="2024-01-01T01:00:00Z")], ["hook"])
    assert [event for event, _ in store.due("hook")] == ["ended"]


def test_silenced_and_rolled_up_alerts_are_kept_but_not_told(store):
    store.save([alert(1, silenced=True), alert(2, rolled_up="x")], ["hook"])
    assert store.due("hook") == []
    assert len(store.recent()) == 2


def test_open_alerts_are_told_apart(store):
    store.save([alert(1), alert(2, ended="2024-01-01T01:00:00Z")])
    assert [found.id for found in store.recent(open_only=True)] == [alert(1).id]
    assert [found.opened for found in store.recent()] == [alert(2).opened, alert(1).opened]
