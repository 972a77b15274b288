"""Called by MLRun when the project is loaded: where it runs, and what its functions ask for."""

from typing import Any

from netops.cluster.equipment import apply, apply_locations
from netops.cluster.settings import read_cluster_settings
from netops.tracking.install import install

on_this_machine = install()


def setup(project: Any) -> Any:
    """Give the project's functions what configurations/cluster.yaml says.

    The steps of a workflow are equipped again when it is compiled, with the section that travels with the run.
    """
    settings = read_cluster_settings()
    apply(project, settings)
    if on_this_machine:
        project.save_to_db()  # MLRun's command does that only where a service is named
    else:
        apply_locations(project, settings)
    return project
