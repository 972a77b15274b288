"""What MLRun prints and leaves behind while it works."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path


@contextmanager
def log_to(folder: Path) -> Iterator[None]:
    """Keep what MLRun prints, and the temporary files that it forgets, in the folder of a run.

    Standard output is for requested data, standard error for messages of one line;
    with ``--verbose`` it shows MLRun's log too. The temporary files go when the block ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = tempfile.tempdir
    with (
        (folder / "log.txt").open("a", encoding="utf-8") as log,
        tempfile.TemporaryDirectory(prefix="netops-") as scratch,
        redirect_stdout(log),
        redirect_stderr(sys.stderr if os.environ.get("NETOPS_VERBOSE") else log),
    ):
        tempfile.tempdir = scratch
        try:
            yield
        finally:
            tempfile.tempdir = before
            # MLRun does not reset the name of its last log file, which later code could not write.
            os.environ.pop("MLRUN_META_TMPFILE", None)
