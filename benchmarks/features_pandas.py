"""Batch features in memory, against pandas' rolling windows."""

from . import windows
from .report import fastest, report


def main() -> None:
    """Measure both sides."""
    groups = windows.frame().set_index("timestamp").groupby("device")[list(windows.METRICS)]

    def roll() -> None:
        for window in ("60s", "1h"):
            groups.rolling(window).agg(list(windows.STATISTICS))

    report("features_pandas", windows.ours(), "pandas", windows.SAMPLES / fastest(roll, 2))


if __name__ == "__main__":
    main()
