"""Called by MLRun when the project is loaded: where it runs, and what its functions ask for."""

from typing import Any

from netops.orchestration.cluster import apply, read_cluster_settings
from netops.tracking.install import install

install()


def setup(project: Any) -> Any:
    """Give the project's functions what configurations/cluster.yaml says."""
    apply(project, read_cluster_settings())
    return project
