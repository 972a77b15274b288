"""The ``compute`` section of the configuration."""

import re
from dataclasses import dataclass

from netops.config.binding import Duration, option
from netops.config.durations import MINUTE
from netops.errors import UsageError

#: How long a cluster may have no worker.
WORKER_WAIT = 2 * MINUTE
_MEMORY = re.compile(r"\d+(\.\d+)?\s*[kMGT]i?B")


@dataclass(frozen=True)
class ComputeSettings:
    """The Dask cluster on which all stages compute."""

    workers: int = option(1, help="processes of a local Dask cluster; 1: threads of this process", minimum=1)
    scheduler: str | None = option(
        None, help="a running Dask scheduler instead: tcp://host:port, or a dask function of the MLRun project"
    )
    worker_memory: str | None = option(
        None,
        help="memory limit of each process of the local cluster, for example 4GiB: one that exceeds it is replaced "
        "and its task repeated; null: no limit",
    )
    worker_wait: Duration = option(
        WORKER_WAIT, help="how long to wait for a worker while the cluster has none", unit="duration"
    )

    def __post_init__(self) -> None:
        """Refuse a limit that is not a size."""
        if self.worker_memory is not None and not _MEMORY.fullmatch(self.worker_memory):
            raise UsageError(f"compute.worker_memory: '{self.worker_memory}': write it as 4GiB or 500MB")
