"""A Dask cluster: one task per file; tasks contain paths, never samples.

A task writes a file atomically whose bytes depend only on its arguments, or returns a few numbers. If its worker
dies, another one repeats it.
"""

import contextlib
import errno
import functools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from netops import __version__
from netops.compute.settings import WORKER_WAIT, ComputeSettings
from netops.config.durations import SECOND, format_duration
from netops.errors import NetopsError

if TYPE_CHECKING:
    from dask.distributed import Client, Future

#: Number of retries if a worker or its files failed.
RETRIES = 3
#: How long to wait for a scheduler, at the start and when it is lost.
PATIENCE = "10s"
#: Seconds between looks for workers while no task finishes.
_PERIOD = 1.0
#: Seconds to wait for the processes of a local cluster to end.
_CLOSING = 30.0
#: Errors of a file system that all workers share: on another one a task would fail, too.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
#: Its logs would show each lost connection as a traceback; the error that follows is one line.
_LOGS = ("distributed", "distributed.client", "distributed.core", "distributed.comm", "distributed.batched")

#: Tables of Dask, which XGBoost imports and does not use: no warning that another package for them is missing.
TABLES = {"dataframe.query-planning": False}

Result = TypeVar("Result")


class ClusterError(NetopsError):
    """The cluster has failed, not the work."""


@dataclass(frozen=True)
class _Done(Generic[Result]):
    value: Result


@dataclass(frozen=True)
class _Failed:
    """An error that a retry would not fix."""

    message: str


class Cluster:
    """The workers of a Dask cluster. Several threads may use it at once.

    Attributes
    ----------
    client : dask.distributed.Client
    address : str
        Of the scheduler.
    worker_wait : int
        How long to wait for a worker while there is none, in nanoseconds.
    """

    def __init__(self, client: "Client", address: str, worker_wait: int = WORKER_WAIT) -> None:
        self.client, self.address, self.worker_wait = client, address, worker_wait

    def run(
        self, function: Callable[..., Result], jobs: Sequence[tuple[object, ...]]
    ) -> Iterator[tuple[int, Result]]:
        """Call a function of a module on the workers, once for each job.

        Parameters
        ----------
        function : callable
            Its results and the files that it writes depend on its arguments alone.
        jobs : sequence of tuple
            Arguments of each call.

        Yields
        ------
        int, object
            Index of a job and its result, in the order in which they finish.

        Raises
        ------
        ClusterError
            If the scheduler or all workers are lost, or a job fails again and again; the others are cancelled.
        NetopsError
            What a job has raised.
        """
        task = functools.partial(_attempt, function, __version__)
        with self._reported():
            futures = [self.client.submit(task, *job, pure=False, retries=RETRIES) for job in jobs]
        indices = {future.key: index for index, future in enumerate(futures)}
        try:
            for future in self._finished(futures):
                yield indices[future.key], self._result(future)
                future.release()
        except BaseException:
            self._cancel(futures)
            raise

    def results(self, function: Callable[..., Result], jobs: Sequence[tuple[object, ...]]) -> list[Result]:
        """Return the results of :meth:`run` in the order of the jobs."""
        found = dict(self.run(function, jobs))
        return [found[index] for index in range(len(jobs))]

    def _finished(self, futures: "list[Future]") -> "Iterator[Future]":
        """Yield tasks in the order in which they finish; raise if no worker is there to finish them."""
        finished: SimpleQueue[Future] = SimpleQueue()
        for future in futures:
            future.add_done_callback(finished.put)
        seen = time.monotonic()
        for _ in futures:
            while True:
                try:
                    future = finished.get(timeout=_PERIOD)
                    break
                except Empty:
                    if self.workers():
                        seen = time.monotonic()
                    elif time.monotonic() - seen > self.worker_wait / SECOND:
                        raise self.no_worker() from None
            seen = time.monotonic()
            yield future

    def _result(self, future: "Future") -> Any:
        from dask.distributed import CancelledError, KilledWorker

        try:
            result: _Done[object] | _Failed = future.result()
        except CancelledError:
            raise self.lost() from None
        except KilledWorker as error:
            raise ClusterError(
                f"a worker of the cluster died {RETRIES + 1} times in the same task; if it ran out of memory, give "
                "the workers more (compute.worker_memory, cluster.dask.memory)"
            ) from error
        except FileNotFoundError as error:
            raise ClusterError(
                f"{error.filename}: missing on a worker of the cluster; all need the files under the same path"
            ) from error
        except Exception as error:
            what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise ClusterError(f"a task failed on the cluster {RETRIES + 1} times: {what}") from error
        if isinstance(result, _Failed):
            raise NetopsError(result.message)
        return result.value

    def workers(self) -> dict[str, str]:
        """Return the address of each worker and its name."""
        with self._reported():
            found = self.client.scheduler_info()["workers"]
        return {address: str(worker["name"]) for address, worker in found.items()}

    def wait_for(self, count: int) -> dict[str, str]:
        """Wait until there are as many workers, or one after ``worker_wait``; return them as :meth:`workers` does.

        Raises
        ------
        ClusterError
            If there is none.
        """
        until = time.monotonic() + self.worker_wait / SECOND
        while len(found := self.workers()) < max(1, count) and time.monotonic() < until:
            time.sleep(0.2)
        if not found:
            raise self.no_worker()
        return found

    def restart(self, addresses: list[str]) -> None:
        """Restart workers that a lost one has left waiting; those without a nanny end by their own time-out."""
        with contextlib.suppress(ValueError), self._reported():
            self.client.restart_workers(addresses, timeout=30, raise_for_error=False)

    def no_worker(self) -> ClusterError:
        """Return the error of a cluster without workers."""
        return ClusterError(
            f"the Dask cluster of {self.address} has had no worker for {format_duration(self.worker_wait)} "
            "(compute.worker_wait); start some and run the command again"
        )

    def lost(self) -> ClusterError:
        """Return the error of a scheduler that no longer answers."""
        return ClusterError(f"the Dask scheduler at {self.address} was lost; start it and run the command again")

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a lost connection has no type of error of its own
            if self.client.status != "running" or isinstance(error, OSError):
                raise self.lost() from error
            raise

    def _cancel(self, futures: "list[Future]") -> None:
        if self.client.status == "running":
            self.client.cancel(futures, force=True)


def _attempt(function: Callable[..., Result], version: str, *arguments: object) -> "_Done[Result] | _Failed":
    """Run a task on a worker; an error of ours is returned, because a retry would not fix it."""
    if version != __version__:
        return _Failed(f"a worker of the cluster has netops {__version__}, this is {version}: install the same")
    try:
        return _Done(function(*arguments))
    except NetopsError as error:
        return _Failed(str(error))
    except OSError as error:
        if error.errno not in _FULL:
            raise
        return _Failed(f"{error.filename or 'a file of a worker'}: cannot be written: {error.strerror or error}")


@contextmanager
def connected(settings: ComputeSettings, scheduler: str | None = None) -> Iterator[Cluster | None]:
    """Connect to the cluster of the settings.

    Parameters
    ----------
    settings : ComputeSettings
    scheduler : str, optional
        Address of a running scheduler; otherwise ``workers`` processes are started, which end with the block.

    Yields
    ------
    Cluster or None
        None if the stages compute in this process.

    Raises
    ------
    ClusterError
        If no scheduler answers.
    """
    if scheduler is None and settings.workers == 1:
        yield None
        return
    with ExitStack() as stack:
        address = scheduler or stack.enter_context(local_cluster(settings.workers, settings.worker_memory))
        yield stack.enter_context(connect(address, settings.worker_wait))


@contextmanager
def connect(address: str, worker_wait: int = WORKER_WAIT) -> Iterator[Cluster]:
    """Connect to a running scheduler.

    Parameters
    ----------
    address : str
    worker_wait : int
        How long to wait for a worker while there is none, in nanoseconds.

    Raises
    ------
    ClusterError
        If none answers.
    """
    from dask.distributed import Client

    for name in _LOGS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterError(f"no Dask scheduler answers at {address}; check the address") from error
    try:
        yield Cluster(client, address, worker_wait)
    finally:
        client.close()


@contextmanager
def local_cluster(workers: int, memory: str | None = None) -> Iterator[str]:
    """Start a cluster of processes on this machine, one thread each.

    Parameters
    ----------
    workers : int
        How many processes.
    memory : str, optional
        Memory limit of each.

    Yields
    ------
    str
        The address of its scheduler.
    """
    import dask
    from dask.distributed import LocalCluster

    own = TABLES | {
        # The profiler of the workers would cost a few percent.
        "distributed.worker.profile.enabled": False,
        # Tasks hold little; what does not fit is a mistake of the limit, not to be written to disk and read again.
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
    }
    with dask.config.set(own):
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            memory_limit=memory,
            silence_logs=logging.CRITICAL,
        )
        try:
            yield cluster.scheduler_address
        finally:
            # Its processes are killed; they may end later than it waits for, or not be noticed to have ended.
            with contextlib.suppress(TimeoutError):
                cluster.close(timeout=_CLOSING)
