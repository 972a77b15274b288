"""Who may write the state of a partition: one process at a time, and none after another has taken over."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from netops.serving.alerts.store import Alert, AlertStore
from netops.serving.engine.lease import Claim, FencedError, newest_generation
from tests.serving.hooks import until


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_first_owner_makes_the_folder_and_a_second_waits(tmp_path: Path) -> None:
    lease = Claim(tmp_path / "t-0", 10).attempt()
    assert lease is not None
    assert lease.folder == tmp_path / "t-0" / "g1"
    lease.check()
    assert Claim(tmp_path / "t-0", 10).attempt() is None
    lease.release()
    second = Claim(tmp_path / "t-0", 10).attempt()
    assert second is not None
    assert second.folder.name == "g2"
    assert [path.name for path in (tmp_path / "t-0").iterdir()] == ["g2"]
    second.release()


def test_the_content_moves_with_the_lease(tmp_path: Path) -> None:
    first = Claim(tmp_path, 10).attempt()
    (first.folder / "state.bin").write_bytes(b"state")
    first.release()
    second = Claim(tmp_path, 10).attempt()
    assert (second.folder / "state.bin").read_bytes() == b"state"
    second.release()


def test_an_owner_that_renews_keeps_its_lease_whatever_the_clocks(tmp_path: Path) -> None:
    lease, clock = Claim(tmp_path, 10).attempt(), Clock()
    claim = Claim(tmp_path, 10, clock)
    for _ in range(5):
        assert claim.attempt() is None
        clock.now += 9
        os.utime(lease.handle, ns=(0, time.time_ns() - 10**15 * int(clock.now)))  # its clock goes backwards
    lease.check()
    lease.release()


def test_a_stopped_owner_is_fenced_after_the_patience(tmp_path: Path) -> None:
    lease, clock = Claim(tmp_path, 10).attempt(), Clock()
    claim = Claim(tmp_path, 10, clock)
    assert claim.attempt() is None
    clock.now = 9.9
    assert claim.attempt() is None
    clock.now = 10.0
    taken = claim.attempt()
    assert taken is not None
    with pytest.raises(FencedError, match="taken over"):
        lease.check()
    with pytest.raises(FencedError):
        lease.renew()
    # What it still writes by path fails.
    with pytest.raises(FileNotFoundError):
        (lease.folder / "draft").write_bytes(b"")
    # The end of the stopped process does not make the lease of the new owner free.
    lease.release()
    assert Claim(tmp_path, 10).attempt() is None
    taken.check()
    taken.release()


def test_what_a_fenced_process_creates_again_is_ignored_and_removed(tmp_path: Path) -> None:
    lease, clock = Claim(tmp_path, 10).attempt(), Clock()
    claim = Claim(tmp_path, 10, clock)
    claim.attempt()
    clock.now = 10.0
    taken = claim.attempt()
    lease.folder.mkdir()
    (lease.folder / "state.bin").write_bytes(b"old")
    with pytest.raises(FencedError):
        lease.check()
    assert newest_generation(tmp_path) == 2
    taken.release()
    lease.release()
    third = Claim(tmp_path, 10).attempt()
    assert [path.name for path in tmp_path.iterdir()] == ["g3"]
    third.release()


def test_of_two_that_take_over_at_once_one_succeeds(tmp_path: Path) -> None:
    for _ in range(20):
        claims = [Claim(tmp_path / "t", 10) for _ in range(4)]
        together, found = threading.Barrier(4), []

        def attempt(claim: Claim, together: threading.Barrier = together, found: list = found) -> None:
            together.wait()
            found.append(claim.attempt())

        threads = [threading.Thread(target=attempt, args=(claim,)) for claim in claims]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        owners = [lease for lease in found if lease is not None]
        assert len(owners) <= 1
        for lease in owners:
            lease.check()
            lease.release()
    assert newest_generation(tmp_path / "t") > 0


_OWNER = """
import sys, time
from pathlib import Path
from netops.serving.engine.lease import Claim, FencedError
lease = Claim(Path(sys.argv[1]), 10).attempt()
print("owned", flush=True)
while True:
    time.sleep(0.02)
    try:
        lease.renew()
    except FencedError:
        sys.exit(3)
"""


@pytest.fixture
def owner(tmp_path: Path):
    process = subprocess.Popen([sys.executable, "-c", _OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "owned\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_killed_owner_is_replaced_at_once(tmp_path: Path, owner: subprocess.Popen) -> None:
    claim = Claim(tmp_path, 60)
    assert claim.attempt() is None
    owner.kill()
    owner.wait()
    lease = claim.attempt()
    assert lease is not None
    lease.release()


def test_a_stopped_process_finds_out_when_it_continues(tmp_path: Path, owner: subprocess.Popen) -> None:
    claim = Claim(tmp_path, 0.5)
    owner.send_signal(signal.SIGSTOP)
    found = []
    until(lambda: found.append(claim.attempt()) or found[-1] is not None, 10)
    owner.send_signal(signal.SIGCONT)
    assert owner.wait(10) == 3
    found[-1].check()
    found[-1].release()


def test_the_alert_store_refuses_what_a_fenced_process_writes(tmp_path: Path) -> None:
    lease, clock = Claim(tmp_path, 10).attempt(), Clock()
    store = AlertStore(lease.folder / "alerts.sqlite", fence=lease.check)
    first = Alert(id="a", kind="risk", network="demo", device="d", opened="2026-01-01T00:00:00Z")
    store.save([first])
    claim = Claim(tmp_path, 10, clock)
    claim.attempt()
    clock.now = 10.0
    taken = claim.attempt()
    later = Alert(id="b", kind="risk", network="demo", device="e", opened="2026-01-01T00:00:05Z")
    with pytest.raises(FencedError):
        store.save([later])  # its connection is open: the file is the same
    store.close()
    current = AlertStore(taken.folder / "alerts.sqlite", fence=taken.check)
    assert [alert.id for alert in current.recent()] == ["a"]
    current.save([later])
    current.close()
    taken.release()
    lease.release()


def test_the_folder_of_a_partition_is_made_with_its_parents_and_its_lock_is_private(tmp_path: Path) -> None:
    lease = Claim(tmp_path / "partitions" / "t-0", 10).attempt()
    assert stat.S_IMODE((lease.folder / ".lock").stat().st_mode) == 0o600
    clock = Clock()
    claim = Claim(tmp_path / "partitions" / "t-0", 10, clock)
    claim.attempt()
    clock.now = 10.0
    taken = claim.attempt()
    assert stat.S_IMODE((taken.folder / ".lock").stat().st_mode) == 0o600
    taken.release()
    lease.release()


def test_a_folder_that_another_process_makes_meanwhile_is_used(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "g0").mkdir()
    monkeypatch.setattr("netops.serving.engine.lease.newest_generation", lambda _: None)
    lease = Claim(tmp_path, 10).attempt()
    assert lease.folder.name == "g1"
    lease.release()


@pytest.fixture
def late_claim(tmp_path: Path):
    """A claim whose next attempt takes over from an owner that holds its lock."""
    lease, clock = Claim(tmp_path, 10).attempt(), Clock()
    claim = Claim(tmp_path, 10, clock)
    claim.attempt()
    clock.now = 10.0
    yield claim
    lease.release()


def test_who_is_too_late_leaves_no_file(tmp_path: Path, late_claim: Claim, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(os, "rename", fail)
    assert late_claim.attempt() is None
    assert [path.name for path in tmp_path.iterdir()] == ["g1"]


def test_who_is_fenced_while_it_takes_over_has_no_lease(late_claim: Claim, monkeypatch) -> None:
    def fail(_: object) -> None:
        raise FencedError

    monkeypatch.setattr("netops.serving.engine.lease.Lease.renew", fail)
    assert late_claim.attempt() is None
