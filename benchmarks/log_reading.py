"""Reading of syslog and mining of its templates, lines per second of CPU time of one core."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from netops.logs.reading import LogReader
from netops.logs.settings import LogSettings
from netops.logs.templates.miner import Templates

from .report import report

LINES = 400_000
TEXTS = (
    "Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet{small}, changed state to {state}",
    "Bgp: %BGP-5-ADJCHANGE: peer 10.0.{small}.1 (VRF default AS {large}) old state OpenConfirm new state Idle",
    "sshd[{large}]: Accepted publickey for admin from 10.1.{small}.7 port {large} ssh2: RSA SHA256:a{large}b",
    "ConfigAgent: %SYS-5-CONFIG_I: Configured from console by vty{small} (10.2.3.{small})",
    "CRON[{large}]: pam_unix(cron:session): session opened for user root by (uid=0)",
    "PowerAgent: CPU utilization {small}% over the last 5 seconds, process {large}",
)


def write(path: Path) -> None:
    """Write lines of 300 devices, 50 a second."""
    draw = np.random.default_rng(0)
    kinds, states = draw.integers(0, len(TEXTS), LINES), draw.integers(0, 2, LINES)
    large, priorities = draw.integers(1024, 65_000, LINES), draw.integers(187, 191, LINES)
    with path.open("w") as file:
        for row in range(LINES):
            second = row // 50
            clock = f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
            text = TEXTS[kinds[row]].format(small=row % 48, large=large[row], state=("up", "down")[states[row]])
            file.write(f"<{priorities[row]}>Nov 28 {clock} leaf{row % 300}.dc1.example {text}\n")


def main() -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "messages"
        write(path)
        start = time.process_time()
        batches = list(LogReader([path], LogSettings(year=2026)).batches())
        read = time.process_time() - start
    templates, start = Templates(), time.process_time()
    for batch in batches:
        templates.learn(batch.messages)
    learned = time.process_time() - start
    start = time.process_time()
    for batch in batches:
        templates.find(batch.messages)
    found = time.process_time() - start
    rates = {"read": LINES / read, "learn": LINES / learned, "find": LINES / found}
    more = {name: float(round(rate)) for name, rate in rates.items()}
    report("log lines read and mined", float(round(LINES / (read + learned))), unit="lines/s", **more)


if __name__ == "__main__":
    main()
