"""Each stage on one and on two workers of a Dask cluster: generation, ingestion, features, training.

The rates are samples per second of processor time on the critical path: that of this process, and of the worker
that has most. So they do not depend on what else the machine does. Training is XGBoost on the workers, with the
examples and the risks of validation and test.
"""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from netops.compute.cluster import Cluster, connect, local_cluster
from netops.config.durations import SECOND
from netops.features.build import build_features
from netops.simulator.generate import generate
from netops.simulator.settings import GeneratorSettings
from netops.telemetry.dataset import Dataset
from netops.telemetry.ingest import ingest
from netops.telemetry.schema import TIMESTAMP
from netops.telemetry.settings import TelemetrySettings
from netops.training.examples import prepare_examples
from netops.training.train import train_family

from . import telemetry
from .dask_quality import THERE
from .report import report

DEVICES, TICKS, FILES = 320, 8_640, 12
#: All rows of the training split, so that the fit has work for two.
TRAINING = replace(THERE, max_rows=400_000)
STAGES = ("generate", "ingest", "features", "train")


@dataclass(frozen=True)
class Cost:
    """Seconds of a stage: by the clock, and of processor time here and on the workers."""

    wall: float
    here: float
    workers: tuple[float, ...]

    @property
    def path(self) -> float:
        """Processor time that cannot be shared out: here, and on the worker that has most."""
        return self.here + max(self.workers)


def seconds_of(cluster: Cluster) -> dict[str, float]:
    """Return the processor time of each worker."""
    found: dict[str, float] = cluster.client.run(lambda: sum(psutil.Process().cpu_times()[:2]))
    return found


def seconds_here() -> float:
    """Return the processor time of this process and of those that it has waited for."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def cost(cluster: Cluster, work: Callable[[], object]) -> Cost:
    """Measure some work."""
    before, here, start = seconds_of(cluster), seconds_here(), time.perf_counter()
    work()
    wall, here = time.perf_counter() - start, seconds_here() - here
    return Cost(wall, here, tuple(now - before[address] for address, now in seconds_of(cluster).items()))


def csv_files(source: Dataset, folder: Path) -> list[Path]:
    """Write telemetry as an export would be: CSV files in the order of time."""
    table = pa.concat_tables(source.tables()).sort_by(TIMESTAMP)
    times = pc.strftime(table.column(TIMESTAMP).cast(pa.timestamp("s")), "%Y-%m-%dT%H:%M:%SZ")
    columns = {name: table.column(name) for name in table.column_names} | {TIMESTAMP: times}
    plain = {name: c.cast(pa.string()) if pa.types.is_dictionary(c.type) else c for name, c in columns.items()}
    table, size = pa.table(plain), -(-table.num_rows // FILES)
    folder.mkdir()
    for number in range(FILES):
        pa.csv.write_csv(table.slice(number * size, size), folder / f"export-{number:02d}.csv")
    return sorted(folder.iterdir())


def stages(folder: Path, devices: int, files: list[Path], cluster: Cluster) -> dict[str, Cost]:
    """Measure the stages, one after another, each on what the one before has written."""
    settings = GeneratorSettings.from_yaml(telemetry.CONFIGURATION)
    period = {"duration": TICKS * 5 * SECOND, "interval": 5 * SECOND, "start": telemetry.START}
    made = folder / "generated", folder / "ingested", folder / "features"
    found = {}
    found["generate"] = cost(
        cluster, lambda: generate(settings, made[0], devices=devices, seed=0, cluster=cluster, **period)
    )
    found["ingest"] = cost(cluster, lambda: ingest(files, made[1], TelemetrySettings(), cluster=cluster))
    source = Dataset.open(made[1])
    spec = telemetry.spec_of(source)
    found["features"] = cost(cluster, lambda: build_features(source, made[2], spec, cluster=cluster))
    found["train"] = cost(cluster, lambda: trained(Dataset.open(made[2]), folder, cluster))
    return found


def trained(features: Dataset, folder: Path, cluster: Cluster) -> None:
    """Prepare the examples and train."""
    examples = prepare_examples(features, TRAINING, folder / "work", cluster=cluster)
    train_family(examples, "xgboost", TRAINING, folder / "model", network="bench", cluster=cluster)


def main() -> None:
    """Measure two workers and one; a smaller pass before imports what workers need."""
    found: dict[int, dict[str, Cost]] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        source = telemetry.make(folder / "telemetry", DEVICES, TICKS)
        files = csv_files(source, folder / "csv")
        for workers in (1, 2):
            with local_cluster(workers) as address, connect(address) as cluster:
                stages(folder / f"first-{workers}", DEVICES // 8, files[:2], cluster)
                found[workers] = stages(folder / str(workers), DEVICES, files, cluster)
    samples = DEVICES * TICKS
    for stage in STAGES:
        one, two = found[1][stage], found[2][stage]
        report(
            f"dask_stages_{stage}",
            samples / two.path,
            "1 worker",
            samples / one.path,
            here=two.here,
            workers=" ".join(f"{seconds:.1f}" for seconds in two.workers),
            one_worker=one.workers[0],
            one_worker_here=one.here,
            wall=two.wall,
            one_worker_wall=one.wall,
        )


if __name__ == "__main__":
    main()
