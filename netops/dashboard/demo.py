"""The demo: a server with its own state, and a simulated network that sends telemetry to it.

Both are ordinary netops commands, and stop with the dashboard.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netops.errors import NetopsError

#: Ratio of event time to wall time, and simulated event time: half a day of wall time.
SPEED, DURATION = 60, "30d"


@contextmanager
def demo_server() -> Iterator[str]:
    """Simulate a network while the block runs; yield the address of its server.

    Raises
    ------
    NetopsError
        If the server does not start, for example because no model has been trained.
    """
    processes: list[subprocess.Popen[str]] = []
    with tempfile.TemporaryDirectory(prefix="netops-demo-") as scratch:
        try:
            url = _serve(Path(scratch), processes)
            simulate = ["simulate", "--to", url, "--speed", str(SPEED), "--duration", DURATION]
            processes.append(_start(simulate, Path(scratch) / "simulate.log"))
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
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise NetopsError(lines[-1].removeprefix("netops: ") if lines else "netops serve has ended and printed nothing")


def _start(arguments: list[str], log: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "netops.cli.main", *arguments]
    with log.open("w", encoding="utf-8") as errors:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, text=True)
