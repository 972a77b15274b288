"""Training alone: the project's `train` function on a features dataset, for each family at the same time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from netops.errors import NetopsError, UsageError, closest
from netops.json_types import JsonDict
from netops.telemetry.dataset import Dataset
from netops.tracking.mlrun_types import Project, StageRun
from netops.workflows.context import started
from netops.workflows.logs import log_to
from netops.workflows.project import load_project
from netops.workflows.records.runs import run_folder
from netops.workflows.records.steps import training_step
from netops.workflows.records.summary import figures_of
from netops.workflows.settings import Settings
from netops.workflows.stages.dask import compute_cluster
from netops.workflows.stages.unlabelled import TRAINED


def train(features: Path, families: Sequence[str], network: str, settings: Settings) -> dict[str, JsonDict]:
    """Train families and log them as versions of the network's model.

    Parameters
    ----------
    features : Path
        A features dataset.
    families : sequence of str
        Names of the registry; empty: all that are enabled.
    network : str
        Whose models they become.
    settings : Settings
        All sections of the configuration.

    Returns
    -------
    dict
        Family → its figures on the test split.
    """
    options = settings.training
    names = list(families) or options.enabled_families
    for name in names:
        if name not in options.enabled_families:
            raise UsageError(f"--family {name}: not there or switched off{closest(name, options.enabled_families)}")
    if Dataset.open(features).meta.features is None:
        raise UsageError(f"--features {features}: telemetry, not feature vectors; make them with: netops features")
    project = load_project()

    folder = run_folder(uuid4().hex)
    task = (network, settings.to_json(), str(features), str(folder))
    with (
        log_to(folder),
        compute_cluster(settings.compute) as cluster,
        started(names, options.threads, cluster=cluster),
        ThreadPoolExecutor(len(names)) as pool,
    ):
        jobs = {name: pool.submit(_train, project, name, *task) for name in names}
    results = {name: job.result().status.results for name, job in jobs.items()}
    if unlabelled := [found["note"] for found in results.values() if found.get(TRAINED) == "false"]:
        raise NetopsError(f"{unlabelled[0]}; netops run trains a model without labels")
    return {name: figures_of(found) for name, found in results.items()}


def _train(project: Project, family: str, network: str, settings: str, features: str, folder: str) -> StageRun:
    import mlrun

    try:
        return project.run_function(
            "train",
            name=training_step(family),
            params={"network": network, "family": family, "settings": settings},
            inputs={"features": features},
            output_path=folder,
            local=True,
            watch=False,
        )
    except mlrun.runtimes.utils.RunError as error:
        raise NetopsError(f"{training_step(family)}: {error}") from error
