"""Seconds from start to the first answer, against the import of MLRun's serving package alone."""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from .report import report
from .serving import make_model, server


def main() -> None:
    """Start both in turn, three times; the fastest counts. Smaller is better."""
    ours, theirs = [], []
    with TemporaryDirectory() as folder:
        model = make_model(Path(folder) / "m")
        for number in range(3):
            since = time.perf_counter()
            subprocess.run([sys.executable, "-c", "import mlrun.serving"], check=True)
            theirs.append(time.perf_counter() - since)
            with server("ours", model, Path(folder) / str(number)) as served:
                ours.append(served.seconds)
    report("serving_start", min(ours), "import mlrun.serving", min(theirs))


if __name__ == "__main__":
    main()
