"""What MLRun prints while it works."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path


@contextmanager
def printed_to(path: Path) -> Iterator[None]:
    """Send what is printed to a file.

    Standard output belongs to the data that a person asked for, standard error to what they are told in a line;
    with ``--verbose`` it shows MLRun's log too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        log = sys.stderr if os.environ.get("NETOPS_VERBOSE") else file
        with redirect_stdout(file), redirect_stderr(log):
            yield
