"""Peak memory of generating telemetry and building its features: 20 million samples against 5 million."""

import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from .report import report


def peak(devices: int, ticks: int) -> float:
    """Peak memory in MB of a process that generates and builds, of which nothing else is asked."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.memory", folder, str(devices), str(ticks)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def work(folder: Path, devices: int, ticks: int) -> None:
    """Generate, build and print the peak of this process."""
    from netops.features.build import build_features

    from . import telemetry

    source = telemetry.make(folder / "telemetry", devices, ticks)
    build_features(source, folder / "features", telemetry.spec_of(source))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Compare twice the devices over twice the time."""
    small, large = peak(1_000, 5_000), peak(2_000, 10_000)
    report("memory", large / small, mb_5_million=small, mb_20_million=large)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
