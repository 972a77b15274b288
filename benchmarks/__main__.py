"""Run benchmarks, each in a process of its own; each prints one JSON line."""

import subprocess
import sys

NAMES = (
    "generate",
    "generate_parquet",
    "features_pandas",
    "features_polars",
    "features_duckdb",
    "features_parquet",
    "stream_storey",
    "stream_single",
    "memory",
    "dask",
    "dask_training",
    "dask_quality",
    "dask_stages",
    "serving_single",
    "serving_batch",
    "serving_infer",
    "serving_fast_path",
    "serving_start",
    "serving_memory",
    "serving_stalls",
    "kafka",
    "scale_plan",
    "log_reading",
    "log_counting",
    "log_serving",
    "quality",
    "quality_real",
    "quality_unlabelled",
)


def main(names: list[str]) -> int:
    """Run the benchmarks named, or all; 1 if one fails, 2 if one is unknown."""
    if unknown := [name for name in names if name not in NAMES]:
        print(f"unknown benchmark '{unknown[0]}'; known: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    ends = [subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode for name in names or NAMES]
    return int(any(ends))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
