"""Submit workflows to the cluster."""

import io
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import yaml

from netops.cluster.compile import artifact_path, check_workflow, compiled
from netops.cluster.dask_function import provide_dask
from netops.cluster.equipment import apply_locations, equip_function
from netops.cluster.settings import ClusterSettings, read_cluster_settings, with_cluster
from netops.config.durations import SECOND
from netops.errors import NetopsError
from netops.progress import say
from netops.tracking import service
from netops.tracking.mlrun_types import Project
from netops.workflows.project import connect, load_project
from netops.workflows.records.runs import PROJECT
from netops.workflows.settings import Settings

ENGINES = ("kfp", "remote")


def submit(workflow: str, arguments: Mapping[str, str], engine: str = "kfp") -> tuple[str, str]:
    """Hand a workflow over to the cluster.

    Parameters
    ----------
    workflow : str
        ``main``, ``retrain`` or ``score``.
    arguments : mapping
        Arguments of the pipeline.
    engine : str
        ``kfp``: this machine compiles it; ``remote``: the service does, from the project's source.

    Returns
    -------
    tuple of str
        Id of the run, and the address of its page (empty if the service reports none).

    Raises
    ------
    UsageError
        If no service is named.
    NetopsError
        If the service does not answer, does not fit, or refuses.
    """
    found = service.require(f"--engine {engine}")
    service.kubeflow_of(found)
    arguments = with_cluster(arguments)
    settings = read_cluster_settings(arguments["settings"])
    if not settings.image:
        raise NetopsError("configurations/cluster.yaml: image: not set; build one with: make image")
    connect()
    import mlrun
    import mlrun.errors

    try:
        service.refuse_foreign_project(PROJECT, {"main", "retrain", "score"})
        project = load_project()
        check_workflow(project, workflow)
        arguments = prepare(project, arguments)
        hand_over = _by_kubeflow if engine == "kfp" else _by_service
        run_id = hand_over(project, workflow, arguments)
    except (mlrun.errors.MLRunBaseError, OSError, ValueError, RuntimeError) as error:
        raise service.explain(error, settings.image) from error
    return run_id, mlrun.utils.helpers.get_workflow_url(PROJECT, run_id)


def prepare(project: Project, arguments: Mapping[str, str]) -> dict[str, str]:
    """Get the project on the service ready for a run, and put into the arguments what travels with the run.

    Parameters
    ----------
    project : mlrun.projects.MlrunProject
        The project.
    arguments : mapping
        Arguments of the workflow.

    Returns
    -------
    dict
        The arguments, with the cluster section among the settings.
    """
    arguments = with_cluster(arguments)
    settings = read_cluster_settings(arguments["settings"])
    apply_locations(project, settings)
    if settings.requirements:
        image = _built_image(project, settings)
        arguments = with_cluster(arguments, image=image, requirements=[])
        settings = read_cluster_settings(arguments["settings"])
    project.save_to_db()  # the service reads the source from there
    provide_dask(project, settings, Settings.from_json(arguments["settings"]).compute.scheduler)
    return arguments


def _built_image(project: Project, settings: ClusterSettings) -> str:
    """Let MLRun build one image for all stages if the section requires packages that ours lacks."""
    say(f"the service builds an image with {', '.join(settings.requirements)}")
    function = project.get_function("features")
    equip_function(function, settings.stage("features"), settings)
    with redirect_stdout(sys.stderr):
        image = project.build_function(function).outputs["image"]
    if not image:
        raise NetopsError("cluster.yaml: requirements: the service built no image; see its log")
    return str(image)


def _by_kubeflow(project: Project, workflow: str, arguments: Mapping[str, str]) -> str:
    """Compile here; the arguments travel as defaults, because as headers of the request they would be too long."""
    import mlrun

    document = compiled(project, workflow, arguments)
    namespace = read_cluster_settings(arguments["settings"]).namespace
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch:
        path = Path(scratch) / f"{workflow}.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        run_id: str = mlrun.get_run_db().submit_pipeline(
            project.name, str(path), run=f"{project.name}-{workflow}-{arguments['name']}", namespace=namespace
        )
    return run_id


def _by_service(project: Project, workflow: str, arguments: Mapping[str, str]) -> str:

    settings = read_cluster_settings(arguments["settings"])
    project.spec._workflows[workflow].image = settings.image
    log = sys.stderr if os.environ.get("NETOPS_VERBOSE") else io.StringIO()
    # MLRun logs a failure with its whole stack; the error below is the last line of it.
    with redirect_stdout(log), redirect_stderr(log):
        status = project.run(
            workflow,
            arguments=dict(arguments),
            artifact_path=artifact_path(settings),
            engine="remote",
            local=False,
            dirty=True,
            namespace=settings.namespace,
            cleanup_ttl=settings.ttl // SECOND,
        )
    if status is None or status.exc is not None or not status.run_id:
        answer = " ".join(str(getattr(status, "exc", "no answer")).split())
        cause = re.split(r"""['"]\), caused by""", answer.rpartition("state_text: ")[2])[0].rstrip(")'\"")
        raise NetopsError(f"the service has not started workflow {workflow}: {cause[:300]}")
    return str(status.run_id)
