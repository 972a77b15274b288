"""Real senders of syslog, as ordinary processes with a configuration and a folder of their own."""

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.serving.test_receivers import free_port, until

#: Transport and format → the action of rsyslog, and the destination of syslog-ng.
RSYSLOG = {
    "tcp octet counting": 'protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"',
    "tcp lines": 'protocol="tcp" TCP_Framing="traditional" template="RSYSLOG_TraditionalForwardFormat"',
    "udp": 'protocol="udp" template="RSYSLOG_ForwardFormat"',
}
SYSLOG_NG = {
    "tcp octet counting": 'syslog("127.0.0.1" transport("tcp") port({port}))',
    "tcp lines": 'network("127.0.0.1" transport("tcp") port({port}))',
    "udp": 'network("127.0.0.1" transport("udp") port({port}))',
}
_RSYSLOG = """
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imtcp")
ruleset(name="all") {{ action(type="omfwd" target="127.0.0.1" port="{port}" {action}) }}
input(type="imtcp" address="127.0.0.1" port="{source}" ruleset="all")
"""
_SYSLOG_NG = """
@version: 3.38
options {{ keep-hostname(yes); stats-freq(0); time-reopen(1); }};
source lines {{ file("{file}" follow-freq(1)); }};
destination server {{ {destination}; }};
log {{ source(lines); destination(server); }};
"""


@contextmanager
def rsyslog(program: str, folder: Path, lines: Sequence[str], kind: str, port: int) -> Iterator[None]:
    """Run rsyslog as a relay, and send lines to it."""
    config, source = folder / "rsyslog.conf", free_port()
    config.write_text(_RSYSLOG.format(folder=folder, port=port, source=source, action=RSYSLOG[kind]))
    with _running([program, "-n", "-f", str(config), "-i", str(folder / "rsyslog.pid")], {}):
        until(lambda: _is_sent(source, "".join(line + "\n" for line in lines).encode()), 20)
        yield


def _is_sent(port: int, content: bytes) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(content)
    except ConnectionRefusedError:
        return False
    return True


@contextmanager
def syslog_ng(program: str, folder: Path, lines: Sequence[str], kind: str, port: int) -> Iterator[None]:
    """Run syslog-ng, which sends the lines of a file; it may be unpacked in any folder."""
    file = folder / "lines.log"
    file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    config, libraries = folder / "syslog-ng.conf", Path(program).resolve().parents[1] / "lib" / "syslog-ng"
    config.write_text(_SYSLOG_NG.format(file=file, destination=SYSLOG_NG[kind].format(port=port)))
    modules = next(path for path in libraries.iterdir() if path.is_dir() and path.name[0].isdigit())
    command = [program, "--foreground", "--stderr", "--no-caps", f"--cfgfile={config}", f"--module-path={modules}"]
    files = {"persist-file": "persist", "control": "control", "pidfile": "pid"}
    command += [f"--{option}={folder / f'syslog-ng.{name}'}" for option, name in files.items()]
    with _running(command, {"LD_LIBRARY_PATH": str(libraries)}):
        yield


@contextmanager
def _running(command: list[str], more: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, env=os.environ | more, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)
