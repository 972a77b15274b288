"""The Dask cluster of a run on Kubernetes: the folders that its workers need, and its function on the service."""

from netops.cluster.compile import WORKFLOW_ID, artifact_path
from netops.cluster.equipment import equip_dask
from netops.cluster.settings import ClusterSettings
from netops.errors import UsageError
from netops.tracking.mlrun_types import Function, Project
from netops.workflows.project_folder import PROJECT
from netops.workflows.stages.dask import NAME

#: If these change, the next stage starts a new cluster; the former one ends when it is idle.
_DECIDE = ("image", "max_replicas", "worker_resources", "env")


def provide_dask(project: Project, settings: ClusterSettings, scheduler: str | None) -> None:
    """Check that the stages of a run can use a Dask cluster, and store its function on the service.

    The stages look it up there; MLRun starts the cluster for the first one that needs it. A function of another
    name is left as it is.

    Parameters
    ----------
    project : mlrun.projects.MlrunProject
        The project.
    settings : ClusterSettings
        Image, resources, mounts and secrets of the workers.
    scheduler : str, optional
        ``compute.scheduler`` of the run.

    Raises
    ------
    UsageError
        If the stages and the workers share no folder.
    """
    if scheduler is None:
        return
    refuse_unshared(artifact_path(settings))
    if scheduler == NAME:
        _save(equip_dask(project, settings))


def refuse_unshared(path: str) -> None:
    """Refuse artifacts in an object store: workers are sent paths, and a stage downloads into its own pod."""
    if "://" in path:
        raise UsageError(
            f"compute.scheduler: the workers of a Dask cluster cannot read {path.removesuffix('/' + WORKFLOW_ID)}; "
            "set cluster.artifact_path to a folder of a volume that all pods mount, or use compute.workers"
        )


def _save(function: Function) -> None:
    """Store the function; one whose cluster may be running keeps its address unless the settings have changed."""
    import mlrun
    import mlrun.errors

    try:
        stored = mlrun.get_run_db().get_function(NAME, PROJECT)
    except mlrun.errors.MLRunNotFoundError:
        stored = {}
    ours, theirs = function.to_dict()["spec"], stored.get("spec", {})
    if any(ours.get(key) != theirs.get(key) for key in _DECIDE):
        function.save(versioned=False)
