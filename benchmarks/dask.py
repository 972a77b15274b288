"""Features of 20 million samples on a Dask cluster: two workers against one, one thread each."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from netops.compute.cluster import connect, local_cluster
from netops.features.build import build_features
from netops.telemetry.dataset import Dataset

from . import telemetry
from .report import report


def rate(source: Dataset, small: Dataset, out: Path, workers: int) -> float:
    """Samples per second on a cluster that is up, its workers warm."""
    with local_cluster(workers) as address, connect(address) as cluster:
        for _ in range(2):
            build_features(small, out, telemetry.spec_of(small), cluster=cluster)
        start = time.perf_counter()
        build_features(source, out, telemetry.spec_of(source), cluster=cluster)
        return source.meta.samples / (time.perf_counter() - start)


def main() -> None:
    """Measure both clusters."""
    with TemporaryDirectory() as folder:
        index = Path(folder)
        source = telemetry.make(index / "telemetry", devices=2_000, ticks=10_000)
        small = telemetry.make(index / "small", devices=100, ticks=100)
        two, one = (rate(source, small, index / "features", workers) for workers in (2, 1))
        report("dask", two, "1 worker", one)


if __name__ == "__main__":
    main()
