"""The state of partitions in an object store: who may write it, what is saved, and what a killed write leaves."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netops.errors import NetopsError, UsageError
from netops.serving.alerts.feedback_store import FeedbackStore
from netops.serving.alerts.store import Alert
from netops.serving.engine.champion import FixedModel
from netops.serving.engine.dead_letters import DeadLetters
from netops.serving.engine.lease import FencedError, SuspendedError
from netops.serving.http.serve import serve
from netops.serving.stream.object_store.address import StoreAddress, parse_state
from netops.serving.stream.object_store.client import ConflictError, ObjectStore, StoreError
from netops.serving.stream.object_store.lease import ObjectLease
from netops.serving.stream.object_store.manifest import NAME, decoded
from netops.serving.stream.object_store.state import ObjectState
from netops.serving.stream.object_store.work_folder import opened_snapshot
from tests.serving.hooks import until
from tests.serving.live import ROOT
from tests.serving.samples import fleet
from tests.serving.stream.killed_writes import fill, names
from tests.serving.stream.process import Process, log_of
from tests.serving.stream.stores import StoreServer

WHERE = "edge/partitions/t-0"


@pytest.fixture
def client(store: StoreServer) -> ObjectStore:
    return store.client(store.bucket())


def take(client: ObjectStore, folder: Path, patience: float = 60.0, seconds: float = 10.0) -> ObjectLease:
    claim, found = ObjectState(client, folder, 1 << 20).claim("t-0", patience), []
    until(lambda: found.append(claim.attempt()) or found[-1] is not None, seconds)
    return found[-1]


def manifest(client: ObjectStore):
    return decoded(client.read(f"{WHERE}/{NAME}").body, WHERE)


@pytest.mark.parametrize(
    "text", ["s3://", "s3:/b/p", "s3://Bucket/p", "s3://b?x=1", "gs://bucket/p", "s3://bucket/a//b"]
)
def test_wrong_addresses_are_one_line(text: str) -> None:
    with pytest.raises(UsageError, match="expected a folder, or s3://bucket/prefix"):
        parse_state(text)


def test_addresses() -> None:
    assert parse_state("/var/state") == Path("/var/state")
    assert parse_state("s3://bucket/a/b/") == StoreAddress("bucket", "a/b")
    assert parse_state("s3://bucket").key("c") == "c"


def test_conditions_of_writes(client: ObjectStore) -> None:
    client.check()
    first = client.replace("a", b"1", None)
    with pytest.raises(ConflictError):
        client.replace("a", b"2", None)
    second = client.replace("a", b"2", first)
    with pytest.raises(ConflictError):
        client.replace("a", b"3", first)
    assert client.read("a").body == b"2"
    assert client.read("a").etag == second
    assert client.read("b") is None


def test_a_state_moves_with_the_lease(client: ObjectStore, tmp_path: Path) -> None:
    lease = take(client, tmp_path / "a")
    assert lease.folder.name == "g1"
    (lease.folder / "state.bin").write_bytes(b"state")
    (lease.folder / "sites.json").write_text("{}")
    lease.commit()
    lease.release()
    assert not lease.folder.exists()
    second = take(client, tmp_path / "b")
    assert second.folder.name == "g2"
    assert (second.folder / "state.bin").read_bytes() == b"state"
    assert (second.folder / "sites.json").read_text() == "{}"
    second.release()
    assert manifest(client).owner == ""


def test_nothing_is_uploaded_twice(client: ObjectStore, tmp_path: Path) -> None:
    lease = take(client, tmp_path)
    fill(lease.folder, "a" * 1000)
    lease.commit()
    sent = client.counts.sent
    (lease.folder / "state.bin").rename(lease.folder / "state.0.bin")
    (lease.folder / "state.bin").write_bytes(b"b" * 10)
    lease.commit()
    first, second = manifest(client).snapshots["state.0.bin"], manifest(client).snapshots["state.bin"]
    assert (first.size, second.size) == (1000, 10)
    assert client.counts.sent - sent < 3000  # the new snapshot, and the manifest
    lease.release()


def test_of_a_large_alert_store_only_what_has_changed_is_uploaded(client: ObjectStore, tmp_path: Path) -> None:
    lease = take(client, tmp_path / "a")
    store = FeedbackStore(lease.folder / "alerts.sqlite", fence=lease.check)
    alert = {"kind": "risk", "network": "demo", "device": "d", "opened": "2026-01-01T00:00:00Z"}
    store.save([Alert(id=f"a{number:05d}", **alert) for number in range(6000)])
    lease.flush()
    size, sent = manifest(client).alerts.size, client.counts.sent
    assert size > 1_000_000
    for number in range(40):
        store.save([Alert(id=f"b{number}", **alert)])
        lease.flush()
    assert client.counts.sent - sent < 40 * size / 2
    assert len(manifest(client).alerts.packs) <= 25
    requests = dict(client.counts.requests)
    lease.flush()  # nothing has changed
    assert client.counts.requests == requests
    stored = store.recent(limit=10_000)
    store.close()
    lease.commit()  # removes what is not needed any more
    lease.release()
    left = {key.removeprefix(f"{WHERE}/") for key in client.keys(f"{WHERE}/g")}
    assert left == manifest(client).keys
    second = take(client, tmp_path / "b")
    store = FeedbackStore(second.folder / "alerts.sqlite")
    assert store.recent(limit=10_000) == stored
    store.close()
    second.release()


def test_dead_letters_are_saved_once_whichever_files_are_renamed(client: ObjectStore, tmp_path: Path) -> None:
    lease = take(client, tmp_path / "a")
    letters, number = DeadLetters(lease.folder, 4096, 3), 0
    for count in (1, 3, 0, 40, 25, 2):
        for _ in range(count):
            letters.write([{"number": number, "text": "x" * 100}])
            number += 1
        lease.commit()
    letters.close()
    lease.release()
    second = take(client, tmp_path / "b")
    letters = DeadLetters(second.folder, 4096, 3)
    letters.write([{"number": number}])
    letters.close()
    second.commit()
    saved = b"".join(client.read(f"{WHERE}/{blob.key}").body for blob in manifest(client).letters)
    assert [json.loads(line)["number"] for line in saved.splitlines()] == list(range(number + 1))
    second.release()


def test_a_write_of_a_replaced_owner_is_refused(client: ObjectStore, tmp_path: Path) -> None:
    """It is paused (its thread does not renew the lease), replaced, and continues."""
    paused = take(client, tmp_path / "a")
    fill(paused.folder, "first")
    paused.commit()
    paused._ending.set()
    current = take_over(client, tmp_path / "b")
    fill(current.folder, "second")
    current.commit()
    fill(paused.folder, "late")
    with pytest.raises(FencedError, match="taken over by another process"):
        paused.commit()
    for check in (paused.check, paused.renew, paused.flush):
        with pytest.raises(FencedError):
            check()
    paused.release()
    assert client.read(f"{WHERE}/{manifest(client).snapshots['state.bin'].key}").body == b"second"
    current.release()


def take_over(client: ObjectStore, folder: Path) -> ObjectLease:
    return take(client, folder, patience=0.3)


def test_an_owner_that_renews_is_not_replaced(client: ObjectStore, tmp_path: Path) -> None:
    lease = take(client, tmp_path / "a", patience=0.4)
    claim, end = ObjectState(client, tmp_path / "b", 1).claim("t-0", 0.4), time.monotonic() + 1.6
    while time.monotonic() < end:
        assert claim.attempt() is None
        lease.renew()
        time.sleep(0.02)
    lease.release()
    taken = []
    until(lambda: taken.append(claim.attempt()) or taken[-1] is not None, 10)
    taken[-1].release()


def test_a_write_whose_answer_is_lost_counts(client: ObjectStore, tmp_path: Path, monkeypatch) -> None:
    lease = take(client, tmp_path)
    replace = client.replace

    def lost(*arguments: object) -> str:
        replace(*arguments)
        raise StoreError("no answer")

    fill(lease.folder, "first")
    monkeypatch.setattr(client, "replace", lost)
    with pytest.raises(StoreError, match="no answer"):
        lease.commit()
    monkeypatch.setattr(client, "replace", replace)
    lease.commit()
    assert manifest(client).texts == {"sites.json": "first"}
    lease.release()


def test_who_is_killed_during_a_write_leaves_one_whole_state(store: StoreServer, tmp_path: Path) -> None:
    address = store.bucket()
    command = [sys.executable, "-m", "tests.serving.stream.killed_writes", address, str(tmp_path / "killed")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == [f"{name} {signal.SIGKILL.value}" for name in names()], done.stderr
    client = store.client(address)
    states = ObjectState(client, tmp_path / "next", 1 << 20)
    claims, leases = {name: states.claim(name, 0.5) for name in names()}, {}
    end = time.monotonic() + 30
    while len(leases) < len(claims):
        assert time.monotonic() < end
        leases |= {name: found for name in claims.keys() - leases.keys() if (found := claims[name].attempt())}
        time.sleep(0.02)
    for name, lease in leases.items():
        saved = "second" if name in ("after-3", "before-4", "after-4") else "first"
        assert (lease.folder / "state.bin").read_text() == saved, name
        assert (lease.folder / "sites.json").read_text() == saved, name
        connection = sqlite3.connect(lease.folder / "alerts.sqlite")
        assert connection.execute("SELECT body FROM alerts").fetchall() == [(saved,)], name
        connection.close()
    where = {name: f"edge/partitions/{name}" for name in names()}

    def left(name: str) -> set[str]:
        return {key.removeprefix(f"{where[name]}/") for key in client.keys(f"{where[name]}/g")}

    def wanted(name: str) -> set[str]:
        return decoded(client.read(f"{where[name]}/{NAME}").body, name).keys

    until(lambda: all(left(name) == wanted(name) for name in names()), 20)
    for lease in leases.values():
        lease.release()
    states.close()


def test_without_the_store_the_lease_is_suspended_and_continues(
    store: StoreServer, client: ObjectStore, tmp_path: Path
) -> None:
    lease = take(client, tmp_path, patience=1.0)
    fill(lease.folder, "first")
    store.pause()
    try:
        until(lambda: bool(lease.stalled), 10)
        lease.renew()
        until(lambda: _is_suspended(lease), 10)
    finally:
        store.resume()
    until(lambda: not lease.stalled, 30)
    lease.check()
    lease.commit()
    lease.release()


def _is_suspended(lease: ObjectLease) -> bool:
    try:
        lease.check()
    except SuspendedError:
        return True
    return False


def test_a_partition_that_is_given_up_while_it_is_saved_is_no_error(
    client: ObjectStore, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    states = ObjectState(client, tmp_path / "work", 1 << 20)
    with Process(model, tmp_path, states=states) as process:
        log, intakes = log_of(fleet(3, 5, seed=1)), []
        claim = process.owner.claim(0, 60.0)
        until(lambda: intakes.append(claim.attempt()) or intakes[-1] is not None, 10)
        intake = process.owner.open(0, intakes[-1], 0, len(log))
        process.feed(intake, log)
        commit = intake.lease.commit

        def commit_late() -> None:
            process.owner.release(0, is_saved=False)
            commit()

        intake.lease.commit = commit_late
        process.save()
    states.close()
    assert process.owner.intakes == {}
    assert caplog.text == ""


def test_damaged_states_are_refused_in_one_line(client: ObjectStore, tmp_path: Path) -> None:
    lease = take(client, tmp_path / "a")
    fill(lease.folder, "first")
    lease.commit()
    lease.release()
    found = manifest(client)
    client.upload(f"{WHERE}/{found.alerts.packs[0].key}", b"x" * found.alerts.size, found.alerts.size)
    with pytest.raises(NetopsError, match="alert store is damaged"):
        take(client, tmp_path / "b")
    client.delete([f"{WHERE}/{found.snapshots['state.bin'].key}"])
    with pytest.raises(StoreError, match="NoSuchKey"):
        take(client, tmp_path / "c")
    client.upload(f"{WHERE}/{NAME}", b"{}", 2)
    with pytest.raises(NetopsError, match="cannot be read"):
        take(client, tmp_path / "d")


def test_what_a_store_refuses_is_one_line_with_what_to_do(store: StoreServer, monkeypatch) -> None:
    with pytest.raises(StoreError, match=r"s3://none.*NoSuchBucket.*create it, or correct --state"):
        store.client("s3://none/edge").check()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match="Could not connect"):
        ObjectStore(StoreAddress("state", "edge")).check()
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(key)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StoreError, match="Unable to locate credentials"):
        ObjectStore(StoreAddress("state", "edge")).check()


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"])
def test_each_right_is_tried_at_the_start(store: StoreServer, monkeypatch, action: str) -> None:
    address = store.bucket()
    for name, value in store.denied(address, action).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StoreError, match=r"(AccessDenied|403).*; allow s3:GetObject"):
        ObjectStore(parse_state(address)).check()


def test_a_store_that_ignores_conditions_is_refused(client: ObjectStore, monkeypatch) -> None:
    replace = client.replace
    for ignored in (None, '"0"'):

        def unconditional(key: str, body: bytes, etag: str | None, ignored: str | None = ignored) -> str:
            if etag == ignored and body == b"2":
                client.upload(key, body, 1)
                return "tag"
            return replace(key, body, etag)

        monkeypatch.setattr(client, "replace", unconditional)
        with pytest.raises(StoreError, match="so processes cannot share it"):
            client.check()


def test_a_file_that_is_missing_while_a_snapshot_is_saved_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), opened_snapshot(tmp_path):
        (tmp_path / "other").read_bytes()


def test_an_object_store_is_for_streams(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="add --stream"):
        serve(state="s3://bucket/edge", source=FixedModel("v1", tmp_path))
