"""Training on a Dask cluster with a memory limit that one process cannot keep.

2.5 million training rows × 44 features need several times the memory that a process may have. One process without
the limit, one that is killed beyond it (as Dask does with its workers), one that reads pieces from disk, and four
workers of a local cluster with the limit, which read, thin, fit and score.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from netops.alerting.settings import AlertSettings
from netops.compute.cluster import Cluster, connect, local_cluster
from netops.config.durations import MINUTE
from netops.errors import NetopsError
from netops.evaluation.assessment import assess_model
from netops.features.build import build_features
from netops.telemetry.dataset import Dataset
from netops.training.examples import Examples, prepare_examples
from netops.training.families.registry import Families
from netops.training.families.xgboost import XGBoost
from netops.training.settings import TrainingSettings
from netops.training.train import train_family
from netops.workflows.stages.memory import PeakMemory

from . import telemetry
from .report import report

WORKERS, LIMIT_MB, ROWS = 4, 800, 2_500_000
SETTINGS = TrainingSettings(
    horizon=10 * MINUTE,
    cross_fit="never",
    max_rows=ROWS,
    max_values=1_000_000_000,
    memory_values=1_000_000_000,
    families=Families(xgboost=XGBoost(n_estimators=60, learning_rate=0.2)),
)
PIECES = replace(SETTINGS, memory_values=25_000_000)


class Limit(PeakMemory):
    """Kill each child beyond a limit, as Dask does with its workers."""

    def __init__(self, megabytes: float | None = None) -> None:
        super().__init__(period=0.05)
        self._limit = megabytes

    def seen(self, process: psutil.Process, megabytes: float) -> None:
        """Kill it if it has too much."""
        super().seen(process, megabytes)
        if self._limit is not None and megabytes > self._limit and process.pid != os.getpid():
            process.kill()


@dataclass(frozen=True)
class Fit:
    """What one way of training takes, and what its model is worth on the test split."""

    seconds: float
    peak_mb: float
    others_mb: float
    average_precision: float = float("nan")
    event_recall: float = float("nan")
    false_alarms: float = float("nan")
    error: str = ""


def fit(
    prepare: Callable[[], Examples],
    out: Path,
    settings: TrainingSettings,
    memory: Limit,
    cluster: Cluster | None = None,
    processes: list[int] | None = None,
) -> Fit:
    """Prepare examples, fit and score; memory is that of ``processes``, by default of the process that fits."""
    start = time.perf_counter()
    error = ""
    with memory:
        examples = prepare()
        try:
            train_family(examples, "xgboost", settings, out, network="bench", cluster=cluster)
        except NetopsError as refused:
            error = str(refused)
    seconds = time.perf_counter() - start
    peaks = {pid: value for pid, value in memory.processes.items() if pid != os.getpid()}
    peak = max(value for pid, value in peaks.items() if processes is None or pid in processes)
    others = max((value for pid, value in peaks.items() if processes and pid not in processes), default=0.0)
    if error:
        return Fit(seconds, peak, others, error=error)
    figures = assess_model(examples, out, AlertSettings()).evaluation.figures
    found = figures.average_precision, figures.event_recall, figures.false_alarms_per_device_day
    return Fit(seconds, peak, others, *found)


def main() -> None:
    """Measure the four."""
    with TemporaryDirectory() as folder:
        index = Path(folder)
        source = telemetry.make(index / "telemetry", devices=500, ticks=8_640)
        features = build_features(source, index / "features", telemetry.spec_of(source))
        local = fit(lambda: prepared(features, index / "one"), index / "free", SETTINGS, Limit())
        killed = fit(lambda: prepared(features, index / "one"), index / "killed", SETTINGS, Limit(LIMIT_MB))
        pieces = fit(lambda: prepared(features, index / "one"), index / "pieces", PIECES, Limit())
        with local_cluster(WORKERS, f"{LIMIT_MB}MiB") as address, connect(address) as cluster:
            pids = [int(pid) for pid in cluster.client.run(pid_of).values()]
            many = fit(
                lambda: prepared(features, index / "many", cluster), index / "dask", PIECES, Limit(), cluster, pids
            )
            replaced = sorted(pids) != sorted(cluster.client.run(pid_of).values())
        show(prepared(features, index / "one"), local, killed, pieces, many, replaced)


def prepared(features: Dataset, work: Path, cluster: Cluster | None = None) -> Examples:
    """Write the examples, or open those of before: memory_values does not change them."""
    return prepare_examples(features, SETTINGS, work, cluster=cluster)


def pid_of() -> int:
    """Return the process id of a worker."""
    return psutil.Process().pid


def show(examples: Examples, local: Fit, killed: Fit, pieces: Fit, many: Fit, replaced: bool) -> None:
    """Print a line; its rates are training rows per second."""
    rows = len(examples.array("labels"))
    for error in filter(None, (killed.error, many.error)):
        print(error, file=sys.stderr)
    report(
        "dask_training",
        rows / many.seconds,
        "1 process without a limit",
        rows / local.seconds,
        rows=rows,
        values=rows * len(examples.names),
        limit_mb=LIMIT_MB,
        one_process_mb=local.peak_mb,
        one_process_with_limit=killed.error or "finished",
        cluster=many.error or "finished",
        pieces_mb=pieces.peak_mb,
        pieces_fit_seconds=pieces.seconds,
        workers=WORKERS,
        worker_mb=many.peak_mb,
        fit_process_mb=many.others_mb,
        workers_replaced=str(replaced),
        seconds=many.seconds,
        one_process_seconds=local.seconds,
        average_precision=many.average_precision,
        one_process_average_precision=local.average_precision,
        event_recall=many.event_recall,
        one_process_event_recall=local.event_recall,
        false_alarms=many.false_alarms,
        one_process_false_alarms=local.false_alarms,
    )


if __name__ == "__main__":
    main()
