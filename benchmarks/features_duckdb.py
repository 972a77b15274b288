"""Batch features in memory, against DuckDB's window functions."""

import duckdb

from . import windows
from .report import fastest, report


def main() -> None:
    """Measure both sides."""
    connection = duckdb.connect()
    connection.register("frame", windows.frame())
    columns = ", ".join(
        f"{statistic}({metric}) over (partition by device order by timestamp "
        f"range between interval {window} preceding and current row)"
        for window in ("1 minute", "1 hour")
        for metric in windows.METRICS
        for statistic in ("avg", "min", "max", "stddev_samp")
    )
    query = f"select device, timestamp, {columns} from frame"
    theirs = windows.SAMPLES / fastest(lambda: connection.sql(query).fetchnumpy(), 2)
    report("features_duckdb", windows.ours(), "duckdb", theirs)


if __name__ == "__main__":
    main()
