"""Folders of downloads: gone when the process ends."""

import subprocess
import sys
from pathlib import Path

from netops.scratch import discard, scratch_folder

SCRIPT = """
import os, sys
from netops.scratch import scratch_folder
folder = scratch_folder()
(folder / "model.onnx").write_text("x")
if os.fork() == 0:
    sys.exit(0)  # a child that ends in the ordinary way leaves it alone
os.wait()
assert (folder / "model.onnx").exists()
print(folder)
"""


def test_a_folder_is_deleted_when_its_process_has_ended():
    made = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout.strip()
    assert made
    assert not Path(made).exists()


def test_a_folder_can_be_discarded_at_once_and_no_other(tmp_path):
    folder = scratch_folder()
    for one in (folder, tmp_path):
        (one / "file").write_text("x")
        discard(one)
    assert (folder.exists(), (tmp_path / "file").exists()) == (False, True)
