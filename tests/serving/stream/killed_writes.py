"""Owners that are killed (SIGKILL) at each step of saving their state to an object store."""

import os
import signal
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from netops.serving.stream.object_store.address import parse_state
from netops.serving.stream.object_store.client import ObjectStore
from netops.serving.stream.object_store.state import ObjectState

#: Requests of the second save: snapshot, dead letters, alert store, manifest, deletion of the former objects.
REQUESTS = ("snapshot", "letters", "alerts", "manifest", "deletion")


def names() -> list[str]:
    """The states: one for each request, and whether it was sent."""
    return [f"{when}-{number}" for number in range(len(REQUESTS)) for when in ("before", "after")]


def fill(folder: Path, text: str) -> None:
    """Write a state whose files all have the same text."""
    draft = folder / ".draft"
    draft.write_text(text)
    draft.rename(folder / "state.bin")
    (folder / "sites.json").write_text(text)
    with (folder / "dead-letters.jsonl").open("a") as file:
        file.write(f"{text}\n")
    connection = sqlite3.connect(folder / "alerts.sqlite")
    with connection:
        connection.execute("CREATE TABLE IF NOT EXISTS alerts (body TEXT)")
        connection.execute("DELETE FROM alerts")
        connection.execute("INSERT INTO alerts VALUES (?)", (text,))
    connection.close()


def _own(store: ObjectStore, folder: Path, name: str) -> None:
    """Save a state, then be killed while the next one is saved."""
    claim = ObjectState(store, folder, 1 << 20).claim(name, 60)
    while (lease := claim.attempt()) is None:
        time.sleep(0.01)
    fill(lease.folder, "first")
    lease.commit()
    when, _, number = name.partition("-")
    remaining = [int(number)]

    def killing(method: Any) -> Any:
        def call(*arguments: Any) -> Any:
            is_last = remaining[0] == 0
            remaining[0] -= 1
            if is_last and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            answer = method(*arguments)
            if is_last:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return call

    for method in ("upload", "replace", "delete"):
        setattr(ObjectStore, method, killing(getattr(ObjectStore, method)))
    fill(lease.folder, "second")
    lease.commit()


def main() -> None:
    """Start and kill an owner of each state: address, folder."""
    address, folder = sys.argv[1], Path(sys.argv[2])
    store = ObjectStore(parse_state(address))
    for name in names():
        if (child := os.fork()) == 0:
            _own(store, folder / name, name)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(name, os.WTERMSIG(status) if os.WIFSIGNALED(status) else "ended", flush=True)


if __name__ == "__main__":
    main()
