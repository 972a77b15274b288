"""Generate telemetry into Parquet files: the default network, 14 columns."""

import os
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from netops.config.durations import HOUR
from netops.simulator.generate import generate
from netops.simulator.settings import GeneratorSettings

from .report import fastest, report
from .telemetry import CONFIGURATION, START


def main() -> None:
    """Measure 1.7 million samples."""
    settings, numbers = GeneratorSettings.from_yaml(CONFIGURATION), count()
    with TemporaryDirectory() as folder:

        def write(hours: int = 20) -> None:
            out = Path(folder) / str(next(numbers))
            generate(
                settings, out, devices=120, duration=hours * HOUR, start=START, seed=1, workers=os.cpu_count() or 1
            )

        write(1)
        report("generate_parquet", 120 * 20 * 720 / fastest(write))


if __name__ == "__main__":
    main()
