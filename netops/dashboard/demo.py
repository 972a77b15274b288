"""Something to look at: a server with a state of its own, and a generated network that plays its failures to it.

Both are the commands that anybody may type, and end with the dashboard.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netops.errors import NetopsError

#: Event time over wall time, and how much event time is played: half a day at that speed.
SPEED, DURATION = 60, "30d"


@contextmanager
def played() -> Iterator[str]:
    """Let a network play while the block runs; give the address of its server.

    Raises
    ------
    NetopsError
        If the server does not start, for example because no model has been trained.
    """
    processes: list[subprocess.Popen[str]] = []
    with tempfile.TemporaryDirectory(prefix="netops-demo-") as scratch:
        try:
            url = _serve(Path(scratch), processes)
            play = ["simulate", "--to", url, "--speed", str(SPEED), "--duration", DURATION]
            processes.append(_start(play, Path(scratch) / "simulate.log"))
            yield url
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                process.wait(20)
                if process.stdout is not None:
                    process.stdout.close()


def _serve(scratch: Path, processes: list[subprocess.Popen[str]]) -> str:
    log = scratch / "serve.log"
    server = _start(["serve", "--port", "0", "--json", "--state", str(scratch / "state")], log)
    processes.append(server)
    assert server.stdout is not None
    if line := server.stdout.readline():
        return str(json.loads(line)["url"])
    told = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise NetopsError(told[-1].removeprefix("netops: ") if told else "netops serve has ended without a word")


def _start(arguments: list[str], log: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "netops.cli.main", *arguments]
    with log.open("w", encoding="utf-8") as errors:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, text=True)
