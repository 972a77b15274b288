"""Only what has ended for sure is called ended."""

import dataclasses
import subprocess
import sys

import pytest

from netops.tracking.processes import Process, this_process


def test_this_process_lives():
    me = this_process()
    assert not me.has_ended()
    assert Process.from_json(me.to_json()) == me


def test_a_process_that_ended_is_known_as_such():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert dataclasses.replace(this_process(), pid=child.pid, started="").has_ended()


@pytest.mark.skipif(not this_process().boot, reason="the system does not tell when a process started")
@pytest.mark.parametrize(
    ("change", "ended"),
    [
        ({"host": "elsewhere", "pid": 2**22 + 1}, False),
        ({"started": "1"}, True),
        ({"boot": "another boot/pid:[1]"}, True),
        ({"boot": this_process().boot.split("/")[0] + "/another container", "pid": 2**22 + 1}, False),
    ],
)
def test_another_host_container_boot_or_start_is_distinguished(change, ended):
    assert dataclasses.replace(this_process(), **change).has_ended() is ended
