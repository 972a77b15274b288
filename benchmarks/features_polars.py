"""Batch features in memory, against polars' rolling expressions."""

import polars as pl

from . import windows
from .report import fastest, report


def main() -> None:
    """Measure both sides."""
    table = pl.from_pandas(windows.frame()).sort("device", "timestamp")
    columns = [
        getattr(pl.col(metric), f"rolling_{statistic}_by")("timestamp", window)
        .over("device")
        .alias(f"{metric}_{statistic}_{window}")
        for window in ("1m", "1h")
        for metric in windows.METRICS
        for statistic in windows.STATISTICS
    ]
    theirs = windows.SAMPLES / fastest(lambda: table.with_columns(columns), 5)
    report("features_polars", windows.ours(), "polars", theirs)


if __name__ == "__main__":
    main()
