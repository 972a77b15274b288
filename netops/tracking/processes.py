"""Which process a run belongs to, and whether that process still lives."""

import json
import os
import socket
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process, distinguished from a later one with the same number.

    Attributes
    ----------
    host : str
        Host name.
    boot : str
        Boot of the machine and process namespace (container) on it; empty if the system does not provide it.
    pid : int
        Process number.
    started : str
        Start of the process in the clock of the system; empty if the system does not provide it.
    """

    host: str
    boot: str
    pid: int
    started: str

    def to_json(self) -> str:
        """Write it for the database."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Process":
        """Read what :meth:`to_json` wrote."""
        return cls(**json.loads(text))

    def is_here(self) -> bool:
        """Return whether it is, or was, a process of this machine and container, so its PID is valid here."""
        return self.host == socket.gethostname() and self.boot == _boot()

    def has_ended(self) -> bool:
        """Return whether the process has certainly ended: processes of other hosts or containers are unknown."""
        if self.host != socket.gethostname():
            return False
        boot = _boot()
        if self.boot != boot:
            # the machine was rebooted: the process has ended; another container: unknown
            return self.boot.split("/")[0] != boot.split("/")[0]
        if not _exists(self.pid):
            return True
        started = _start_of(self.pid)
        return bool(started and self.started and started != self.started)


def this_process() -> Process:
    """Describe the process that calls."""
    return _describe(os.getpid())


@lru_cache(maxsize=4)  # by number, because a forked child inherits the cache
def _describe(pid: int) -> Process:
    return Process(socket.gethostname(), _boot(), pid, _start_of(pid))


def _boot() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it exists and belongs to another user
    return _state_of(pid) != "Z"  # a zombie has ended; its parent has not waited for it yet


def _fields_of(pid: int) -> list[str]:
    """Read /proc/<pid>/stat from the state on (the name before it may hold blanks and brackets)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _state_of(pid: int) -> str:
    fields = _fields_of(pid)
    return fields[0] if fields else ""


def _start_of(pid: int) -> str:
    fields = _fields_of(pid)
    return fields[19] if len(fields) > 19 else ""
