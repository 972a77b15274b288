"""``netops alerts`` and ``netops incidents`` on the files of this machine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from netops.serving.alerts.feedback_store import FeedbackStore
from netops.serving.alerts.store import Alert, identity
from netops.serving.folders import ALERTS, state_folder

from .conftest import Call

NETWORK = "edge"


def alert(device: str, minute: int, ended: bool = False) -> Alert:
    opened = f"2026-01-05T00:{minute:02d}:00Z"
    return Alert(
        id=identity(NETWORK, "risk", device, minute),
        kind="risk",
        network=NETWORK,
        device=device,
        opened=opened,
        ended=f"2026-01-05T01:{minute:02d}:00Z" if ended else None,
        peak=0.9,
    )


ALERTS_THERE = [alert("r1", 1, ended=True), alert("r2", 2), alert("r3", 3)]


@pytest.fixture(autouse=True)
def there(home: Path) -> Iterator[None]:
    path = state_folder(NETWORK) / ALERTS
    store = FeedbackStore(path)
    store.save(ALERTS_THERE)
    store.close()
    yield
    for file in path.parent.iterdir():
        file.unlink()


def test_alerts_are_listed_the_newest_first(netops: Call) -> None:
    every = netops("alerts", "list", "--name", NETWORK, "--json").rows
    assert [row["device"] for row in every] == ["r3", "r2", "r1"]
    assert every[0]["verdict"] is None
    still = netops("alerts", "list", "--name", NETWORK, "--open", "--json").rows
    assert [row["device"] for row in still] == ["r3", "r2"]
    late = netops(
        "alerts", "list", "--name", NETWORK, "--since", "2026-01-05T00:02:00Z", "--limit", 1, "--json"
    ).rows
    assert [row["device"] for row in late] == ["r3"]
    table = netops("alerts", "list", "--name", NETWORK)
    assert table.out.splitlines()[0].split()[:3] == ["id", "kind", "device"]
    assert len(table.out.splitlines()) == 4


def test_the_list_names_the_last_renewal(netops: Call) -> None:
    renewed = alert("r2", 2)
    renewed.renewed = ["2026-01-05T00:12:00Z", "2026-01-05T00:22:00Z"]
    store = FeedbackStore(state_folder(NETWORK) / ALERTS)
    store.save([renewed])
    store.close()
    lines = netops("alerts", "list", "--name", NETWORK).out.splitlines()
    shown = {line.split()[2]: "00:22:00" in line for line in lines[1:]}
    assert shown == {"r3": False, "r2": True, "r1": False}
    (entry,) = [row for row in netops("alerts", "list", "--name", NETWORK, "--json").rows if row["device"] == "r2"]
    assert entry["renewed"] == renewed.renewed


@pytest.mark.parametrize(
    ("verb", "verdict"), [("confirm", "confirmed"), ("dismiss", "dismissed"), ("repaired",) * 2]
)
def test_an_alert_is_selected_by_a_prefix_of_its_id(netops: Call, verb: str, verdict: str) -> None:
    name = ALERTS_THERE[0].id
    answer = netops("alerts", verb, name[:8], "--name", NETWORK, "--note", "fan", "--by", "ada", "--json")
    assert answer.code == 0
    assert (answer.json["alert"], answer.json["verdict"], answer.json["changed"]) == (name, verdict, True)
    assert answer.json["statements"][-1]["by"] == "ada"
    again = netops("alerts", verb, name, "--name", NETWORK, "--note", "fan", "--by", "ada")
    assert f"{name}: r1, {verdict}" in again.out
    assert "already recorded" in again.err
    shown = netops("alerts", "show", name, "--name", NETWORK, "--json").json
    assert [statement["note"] for statement in shown["statements"]] == ["fan"]


def test_the_user_name_is_recorded(netops: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    answer = netops("alerts", "confirm", ALERTS_THERE[0].id, "--name", NETWORK, "--json").json
    assert answer["statements"][-1]["by"] == "grace"


def test_the_time_of_a_repair_is_stored(netops: Call) -> None:
    name = ALERTS_THERE[0].id
    at = "2026-01-05T00:05:00Z"
    netops("alerts", "repaired", name, "--at", at, "--name", NETWORK)
    shown = netops("alerts", "show", name, "--name", NETWORK)
    assert at in shown.out
    assert netops("alerts", "repaired", name, "--at", "2026-01-04", "--name", NETWORK).code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("alerts", "confirm", "zz", "--name", NETWORK), "no alert 'zz'"),
        (("alerts", "confirm", "", "--name", NETWORK), "no alert ''"),
        (("alerts", "confirm", "zz", "--name", "egde"), "did you mean 'edge'?"),
        (("alerts", "show", "zz", "--name", "egde"), "did you mean 'edge'?"),
        (("alerts", "confirm", "zz", "--name", NETWORK, "--to", "http://127.0.0.1:9"), "--name and --to exclude"),
        (("alerts", "confirm", "zz", "--to", "ftp://x"), "is not a valid address"),
        (("incidents", "add", "/nowhere.csv"), "no such file"),
        (("incidents", "remove", "mail", "--name", NETWORK), "no incident of source 'mail'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(netops: Call, arguments: tuple[str, ...], message: str) -> None:
    answer = netops(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert len(answer.err.splitlines()) == 1


def test_a_misspelt_network_leaves_nothing_behind(netops: Call, home: Path) -> None:
    assert netops("alerts", "list", "--name", "egde").code == 0
    assert netops("incidents", "list", "--name", "egde", "--json").rows == []
    assert not (home / "serving" / "egde").exists()


def test_a_log_of_incidents_is_added_once_however_often_it_is_read(netops: Call, tmp_path: Path) -> None:
    log = tmp_path / "outages.csv"
    log.write_text(
        "node,start,end,event\nr1,2026-01-05T02:00:00Z,2026-01-05T02:10:00Z,fan\nr9,2026-01-05T00:00:00Z,,\n"
    )
    assert netops("incidents", "add", log, "--name", NETWORK, "--json").json["recorded"] == 2
    assert netops("incidents", "add", log, "--name", NETWORK, "--json").json["known"] == 2
    rows = netops("incidents", "list", "--name", NETWORK, "--json").rows
    assert [(row["source"], row["device"], row["scenario"], row["end"]) for row in rows] == [
        ("outages.csv", "r9", "", None),
        ("outages.csv", "r1", "fan", "2026-01-05T02:10:00Z"),
    ]
    log.write_text("id,device,start,end\n7,r1,2026-01-05T03:00:00Z,\n")
    netops("incidents", "add", log, "--name", NETWORK, "--source", "tickets")
    log.write_text("id,device,start,end\n7,r1,2026-01-05T03:00:00Z,2026-01-05T04:00:00Z\n")
    assert "1 changed" in netops("incidents", "add", log, "--name", NETWORK, "--source", "tickets").out
    assert netops("incidents", "remove", "tickets", "7", "--name", NETWORK).code == 0
    assert netops("incidents", "remove", "outages.csv", "--name", NETWORK, "--json").json == {"removed": 2}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("r1,soon,", "line 2: column 'start': 'soon' is"),
        ("r1,2026-01-05T02:00:00Z,2026-01-05T02:00:00Z", "line 2: the incident does not end after its start"),
        (",2026-01-05T02:00:00Z,", "line 2"),
        ("r1,1500-01-01T00:00:00Z,", "line 2"),
    ],
)
def test_a_log_with_an_error_is_rejected_completely(netops: Call, tmp_path: Path, line: str, message: str) -> None:
    log = tmp_path / "outages.csv"
    log.write_text(f"device,start,end\n{line}\nr2,2026-01-05T02:00:00Z,\n")
    answer = netops("incidents", "add", log, "--name", NETWORK)
    assert answer.code == 1
    assert message in answer.err
    assert netops("incidents", "list", "--name", NETWORK, "--json").rows == []


def test_all_feedback_is_exported(netops: Call, tmp_path: Path) -> None:
    netops("alerts", "dismiss", ALERTS_THERE[1].id, "--name", NETWORK, "--by", "ada")
    out = tmp_path / "said.json"
    assert netops("alerts", "export", "--out", out, "--name", NETWORK, "--json").json["verdicts"] == 1
    (verdict,) = json.loads(out.read_text())["verdicts"]
    assert (verdict["alert"], verdict["device"], verdict["verdict"]) == (ALERTS_THERE[1].id, "r2", "dismissed")


def test_what_receivers_refuse_is_listed_and_sent_again(netops: Call) -> None:
    store = FeedbackStore(state_folder(NETWORK) / ALERTS)
    store.save([alert("r1", 1), alert("r2", 2)], ["webhook http://x"])
    first, _ = store.outbox.due("webhook http://x", 1e12)
    store.outbox.park(first, "400 unknown device")
    (row,) = netops("alerts", "deliveries", "--name", NETWORK, "--json").rows
    assert (row["alert"], row["event"], row["answer"]) == (alert("r1", 1).id, "opened", "400 unknown device")
    assert [row["state"] for row in netops("alerts", "deliveries", "--name", NETWORK, "--all", "--json").rows] == [
        "parked",
        "due",
    ]
    assert (
        netops("alerts", "deliveries", "--name", NETWORK, "--retry").out == "1 parked deliveries are queued again\n"
    )
    assert netops("alerts", "deliveries", "--name", NETWORK, "--json").rows == []
    store.close()


def test_a_file_that_is_no_database_is_one_line(netops: Call) -> None:
    path = state_folder(NETWORK) / ALERTS
    for file in path.parent.iterdir():
        file.unlink()
    path.write_bytes(b"nonsense" * 1000)
    found = netops("alerts", "list", "--name", NETWORK)
    assert found.code == 1
    assert found.err.count("\n") == 1
    assert "cannot be read" in found.err
