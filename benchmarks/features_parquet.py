"""Features from Parquet to Parquet, 44 columns, on all CPUs."""

from pathlib import Path
from tempfile import TemporaryDirectory

from netops.features.build import build_features

from . import telemetry
from .report import fastest, report


def main() -> None:
    """Measure 2 million samples."""
    with TemporaryDirectory() as folder:
        source = telemetry.make(Path(folder) / "telemetry", devices=1_000, ticks=2_000)
        small = telemetry.make(Path(folder) / "small", devices=2, ticks=100)
        build_features(small, Path(folder) / "features", telemetry.spec_of(small))
        seconds = fastest(
            lambda: build_features(source, Path(folder) / "features", telemetry.spec_of(source)), times=2
        )
        report("features_parquet", source.meta.samples / seconds)


if __name__ == "__main__":
    main()
