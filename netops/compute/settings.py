"""The ``compute`` section of the configuration."""

import re
from dataclasses import dataclass

from netops.config.binding import option
from netops.errors import UsageError

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

    def __post_init__(self) -> None:
        """Refuse a limit that is not a size."""
        if self.worker_memory is not None and not _MEMORY.fullmatch(self.worker_memory):
            raise UsageError(f"compute.worker_memory: '{self.worker_memory}': write it as 4GiB or 500MB")
