"""Workflows on the cluster: handing them over, and following them."""

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import yaml

from netops.errors import NetopsError
from netops.orchestration import service
from netops.orchestration.cluster import ClusterSettings, read_cluster_settings
from netops.orchestration.project import connect, load_project
from netops.progress import say

Document = dict[str, Any]
ENGINES = ("kfp", "remote")

#: Seconds between two looks at a run, and how many looks in a row may fail.
PERIOD, PATIENCE = 3.0, 10
_GOOD = ("succeeded", "skipped")
_ENDED = (*_GOOD, "failed", "error", "canceled")


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
        Id of the run, and the address of its page (empty where the service names none).

    Raises
    ------
    UsageError
        If no service is named.
    NetopsError
        If the service does not answer, does not fit, or refuses.
    """
    service.require(f"--engine {engine}")
    settings = read_cluster_settings()
    if not settings.image:
        raise NetopsError("configurations/cluster.yaml: image: none is named; make one with: make image")
    connect()
    import mlrun

    from netops.orchestration.compile import check_workflow
    from netops.orchestration.workflow import PROJECT

    try:
        service.refuse_foreign_project(PROJECT, {"main", "retrain", "score"})
        project = load_project()
        check_workflow(project, workflow)
        _build_images(project, settings)
        hand_over = _by_kubeflow if engine == "kfp" else _by_service
        run_id = hand_over(project, workflow, arguments, settings)
    except (mlrun.errors.MLRunBaseError, OSError, ValueError, RuntimeError) as error:
        raise service.explain(error, settings.image) from error
    return run_id, mlrun.utils.helpers.get_workflow_url(PROJECT, run_id)


def _build_images(project: Any, settings: ClusterSettings) -> None:
    """Let MLRun build images where the configuration asks for packages that ours lacks."""
    if not settings.requirements:
        return
    for function in project.spec.functions:
        say(f"{function['name']}: the service builds its image")
        project.build_function(function["name"])


def _by_kubeflow(project: Any, workflow: str, arguments: Mapping[str, str], settings: ClusterSettings) -> str:
    """Compile here; the arguments travel as defaults, because as headers of the request they would be too long."""
    import mlrun

    from netops.orchestration.compile import compiled

    document = compiled(project, workflow, arguments)
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch:
        path = Path(scratch) / f"{workflow}.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        run_id: str = mlrun.get_run_db().submit_pipeline(
            project.name, str(path), run=f"{project.name}-{workflow}", namespace=settings.namespace
        )
    return run_id


def _by_service(project: Any, workflow: str, arguments: Mapping[str, str], settings: ClusterSettings) -> str:
    import sys

    with redirect_stdout(sys.stderr):
        status = project.run(
            workflow,
            arguments=dict(arguments),
            engine="remote",
            local=False,
            dirty=True,
            namespace=settings.namespace,
            cleanup_ttl=settings.ttl // 1_000_000_000,
        )
    if status is None or status.exc is not None or not status.run_id:
        raise NetopsError(f"the service has not started workflow {workflow}: {getattr(status, 'exc', 'no answer')}")
    return str(status.run_id)


def watch(run_id: str, wait: Callable[[float], None] = time.sleep) -> str:
    """Follow a run to its end and say what becomes of its steps.

    Parameters
    ----------
    run_id : str
        A run of a workflow, on the cluster or here.
    wait : callable
        Waits for so many seconds.

    Returns
    -------
    str
        ``succeeded``.

    Raises
    ------
    NetopsError
        If the run ends in any other way; it names the steps that failed, and why.
    """
    phases: dict[str, str] = {}
    while True:
        pipeline = _look(run_id, wait)
        _tell(pipeline.get("graph") or {}, phases)
        status = str(pipeline["run"].get("status") or "").lower()
        if status in _ENDED:
            break
        wait(PERIOD)
    if status not in _GOOD:
        raise NetopsError(f"run {run_id} {status}: {_reason(run_id, pipeline)}")
    return status


def _look(run_id: str, wait: Callable[[float], None]) -> Document:
    """Look at a run; a service that is away for a moment is asked again."""
    import mlrun

    from netops.orchestration.workflow import PROJECT

    for failures in range(PATIENCE):
        try:
            pipeline: Document = mlrun.get_run_db().get_pipeline(run_id, project=PROJECT)
            return pipeline
        except mlrun.errors.MLRunNotFoundError as error:
            raise service.explain(error) from error
        except (mlrun.errors.MLRunBaseError, OSError) as error:
            if failures == PATIENCE - 1:
                raise service.explain(error) from error
            wait(PERIOD)
    raise AssertionError("unreachable")


def _tell(graph: Document, phases: dict[str, str]) -> None:
    """Say which steps have a new phase; the nodes that only hold others are left out."""
    for node in graph.values():
        name, phase = str(node.get("name", "")), str(node.get("phase") or "")
        if node.get("type", "Pod") in ("Pod", "Skipped") and phase and phases.get(name) != phase:
            phases[name] = phase
            say(f"{name}: {phase.lower()}")


def _reason(run_id: str, pipeline: Document) -> str:
    """Say which steps failed and why, as the records of their runs have it."""
    from netops.orchestration.workflow import steps_of

    told = []
    for step in steps_of(run_id):
        status = step["status"]
        if status.get("state") in ("error", "aborted"):
            text = " ".join(str(status.get("error") or status.get("status_text") or status["state"]).split())
            image = (step["spec"].get("image") or "") or read_cluster_settings().image
            told.append(f"{step['metadata']['name']}: {service.image_missing(text, image) or text[:200]}")
    return "; ".join(told) or str(
        pipeline["run"].get("error") or pipeline["run"].get("message") or "no step says why"
    )
