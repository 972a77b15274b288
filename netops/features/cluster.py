"""Features of a dataset on a Dask cluster: one task per file; tasks contain paths, never samples."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from netops.errors import NetopsError
from netops.features.part import build_part
from netops.features.spec import FeatureSpec, SpecValues

if TYPE_CHECKING:
    from dask.distributed import Client, Future

#: Number of retries if a worker or its files failed.
RETRIES = 3
#: How long to wait for a scheduler.
PATIENCE = "5s"


def build_parts(
    jobs: list[tuple[Path, Path]],
    spec: FeatureSpec,
    attributes: tuple[str, ...],
    workers: int,
    scheduler: str | None,
    on_rows: Callable[[int], None],
) -> None:
    """Compute files on a cluster.

    A file is written atomically, and its bytes depend only on source and spec: if a worker dies, another one
    repeats its tasks.

    Parameters
    ----------
    jobs : list of (Path, Path)
        Telemetry file and features file; all workers must have access to both.
    spec : FeatureSpec
        The features.
    attributes : tuple of str
        Columns to copy.
    workers : int
        Processes of a local cluster, one thread each.
    scheduler : str or None
        Address of a running scheduler, as an alternative.
    on_rows : callable
        Called with the number of rows after each file.

    Raises
    ------
    NetopsError
        If the scheduler does not answer, or a file cannot be computed.
    """
    from dask.distributed import as_completed

    with _client(workers, scheduler) as client:
        futures = [
            client.submit(
                _task,
                str(source.resolve()),
                str(out.resolve()),
                spec.to_dict(),
                attributes,
                pure=False,
                retries=RETRIES,
            )
            for source, out in jobs
        ]
        try:
            for done in as_completed(futures, loop=client.loop):
                on_rows(_result(done))
                done.release()
        except BaseException:
            client.cancel(futures)
            raise


def _task(source: str, out: str, spec: SpecValues, attributes: tuple[str, ...]) -> int | str:
    """Compute one file; return its number of rows, or an error that a retry would not fix."""
    try:
        return build_part(Path(source), Path(out), FeatureSpec.from_dict(spec), attributes)
    except NetopsError as error:
        return str(error)


def _result(future: "Future") -> int:
    try:
        result = future.result()
    except Exception as error:
        raise NetopsError(f"a part failed on the cluster {RETRIES + 1} times: {error!r}") from error
    if isinstance(result, str):
        raise NetopsError(result)
    return int(result)


@contextmanager
def local_cluster(workers: int) -> Iterator[str]:
    """Start a cluster of processes on this machine, one thread each.

    Parameters
    ----------
    workers : int
        How many processes.

    Yields
    ------
    str
        The address of its scheduler.
    """
    import dask
    from dask.distributed import LocalCluster

    # The workers' profiler would cost a few percent.
    with (
        dask.config.set({"distributed.worker.profile.enabled": False}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            memory_limit=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster.scheduler_address


@contextmanager
def _client(workers: int, scheduler: str | None) -> "Iterator[Client]":
    from dask.distributed import Client

    with ExitStack() as stack:
        address = stack.enter_context(local_cluster(workers)) if scheduler is None else scheduler
        try:
            client = Client(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise NetopsError(f"no Dask scheduler answers at {address}; check the address") from error
        yield stack.enter_context(client)
