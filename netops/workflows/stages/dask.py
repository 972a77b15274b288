"""The Dask cluster on which stages compute: local, by its address, or a ``dask`` function of the project."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from netops.compute.cluster import Cluster, connected
from netops.compute.settings import ComputeSettings
from netops.config.binding import option
from netops.errors import NetopsError
from netops.tracking.mlrun_types import Function, Project
from netops.workflows.context import pipeline_run
from netops.workflows.project_folder import PROJECT

NAME = "dask"


@dataclass(frozen=True)
class DaskSettings:
    """The Dask cluster that MLRun starts for the project."""

    workers: int = option(2, help="workers at most", minimum=1)
    cpu: str = option("1", help="CPU request of a worker", unit="cores")
    memory: str = option("4Gi", help="memory request and limit of a worker", unit="Kubernetes quantity")


class DaskCluster(Protocol):
    """A cluster that MLRun has started here; one of the service belongs to the service."""

    def close(self) -> None:
        """End it."""


class DaskScheduler(Protocol):
    """The scheduler of a cluster."""

    address: str


class DaskClient(Protocol):
    """Dask's client."""

    scheduler: DaskScheduler
    cluster: DaskCluster | None

    def close(self) -> None:
        """Disconnect."""


class DaskFunction(Protocol):
    """MLRun's function of kind ``dask``."""

    kind: str
    client: DaskClient


def declare_dask(project: Project, settings: DaskSettings, image: str) -> Function:
    """Add the Dask function to the project."""
    import mlrun

    function = mlrun.new_function(NAME, project=project.metadata.name, kind="dask", image=image)
    function.spec.remote = bool(mlrun.mlconf.dbpath and "://" in mlrun.mlconf.dbpath)
    function.spec.min_replicas, function.spec.max_replicas = 0, settings.workers
    function.with_worker_requests(mem=settings.memory, cpu=settings.cpu)
    function.with_worker_limits(mem=settings.memory)
    project.set_function(function, name=NAME)
    declared: Function = function
    return declared


@contextmanager
def compute_cluster(settings: ComputeSettings, shared: Cluster | None = None) -> Iterator[Cluster | None]:
    """Connect to the cluster of the settings, or start it; None: the stages compute in this process.

    Stages of one run share that of the run, and steps of a stage may pass on the one that it has.
    """
    if (shared := shared or pipeline_run().cluster) is not None:
        yield shared
        return
    with scheduler_address(settings.scheduler) as address, connected(settings, address) as cluster:
        yield cluster


@contextmanager
def scratch_near(out: Path, settings: ComputeSettings) -> Iterator[Path]:
    """Create a folder for intermediate files: next to ``out`` if the workers are processes of other machines."""
    near = out.absolute().parent if settings.scheduler else None
    if near is not None:
        near.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="netops-" if near is None else ".netops-", dir=near) as folder:
        yield Path(folder)


@contextmanager
def scheduler_address(scheduler: str | None) -> Iterator[str | None]:
    """Return the address of a Dask scheduler.

    Parameters
    ----------
    scheduler : str or None
        An address, which is given back, or the name of a Dask function of the project, which is started; without a
        service MLRun starts a local cluster for it, which ends with the block.

    Raises
    ------
    NetopsError
        If the project has no such function, or it does not start.
    """
    if scheduler is None or "://" in scheduler:
        yield scheduler
        return
    client = _function(scheduler).client
    try:
        yield client.scheduler.address
    finally:
        client.close()
        if client.cluster is not None:
            client.cluster.close()


def _function(name: str) -> DaskFunction:
    import mlrun

    project = mlrun.get_current_project(silent=True)
    try:
        function = project.get_function(name) if project else mlrun.import_function(f"db://{PROJECT}/{name}")
    except Exception as error:  # noqa: BLE001
        raise NetopsError(f"compute.scheduler: the project has no function '{name}': {error}") from None
    if function.kind != "dask":
        raise NetopsError(f"compute.scheduler: function '{name}' is of kind {function.kind}, not dask")
    return function
