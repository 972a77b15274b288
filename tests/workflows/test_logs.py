"""What MLRun prints and leaves behind goes with the run."""

import os
import tempfile
from pathlib import Path

import pytest

from netops.workflows.logs import log_to


def test_output_is_stored_and_temporary_files_are_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with log_to(tmp_path / "run"):
        print("said")
        forgotten = Path(tempfile.NamedTemporaryFile(delete=False).name)  # noqa: SIM115
    assert capsys.readouterr().out == ""
    assert (tmp_path / "run" / "log.txt").read_text() == "said\n"
    assert not forgotten.exists()


def test_a_context_can_be_made_after_a_run(tmp_path: Path) -> None:
    """MLRun tells all that comes after where its temporary file lay."""
    with log_to(tmp_path):
        os.environ["MLRUN_META_TMPFILE"] = tempfile.NamedTemporaryFile(delete=False).name  # noqa: SIM115
    assert "MLRUN_META_TMPFILE" not in os.environ
