"""The one place that knows whether the DAG is compiled for Kubeflow or run here.

Compiled, a step is a node and its outputs are promises; here, a step is a run that has ended and its outputs are
values. The pipelines read the same either way.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mlrun
from kfp import dsl
from mlrun.projects.pipelines import pipeline_context

from netops.errors import NetopsError
from netops.orchestration.cluster import equip_node, read_cluster_settings
from netops.orchestration.settings import section
from netops.orchestration.workflow import current

Step = Any  # an MLRun run here, a KFP node when compiled: both have `outputs`


def runs_here() -> bool:
    """Tell whether steps run in this process (the local engine) or become nodes of a Kubeflow pipeline."""
    return bool(pipeline_context.workflow) and pipeline_context.workflow.engine == "local"


def workflow(name: str, description: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare a pipeline."""
    declare: Callable[[Callable[..., None]], Callable[..., None]] = dsl.pipeline(name=name, description=description)
    return declare


def step(
    function: str,
    *,
    title: str,
    name: str = "",
    params: dict[str, Any] | None = None,
    inputs: dict[str, Any] | None = None,
    outputs: Iterable[str] = (),
) -> Step:
    """Run one stage, or add it to the graph.

    Parameters
    ----------
    function : str
        A function of the MLRun project.
    title : str
        What people read in the Kubeflow UI.
    name : str
        Name of the run, where it differs from the function's.
    params, inputs : dict
        Values, and artifacts of earlier steps.
    outputs : iterable of str
        Artifacts and results that later steps take.

    Raises
    ------
    NetopsError
        If it runs here and fails; the rest of the way is not gone.
    """
    name = name or function
    task = {"name": name, "params": params, "inputs": inputs, "outputs": list(outputs)}
    if runs_here():
        return _run(function, title, task)
    node = mlrun.run_function(function, **task)
    return equip_node(node, function, read_cluster_settings(), title=title, description=_description(function))


def _description(function: str) -> str:
    """Give the first line of what the stage says of itself."""
    stage = pipeline_context.functions[function]
    told: str = stage.spec.entry_points.get(stage.spec.default_handler, {}).get("doc", "")
    return told.strip().splitlines()[0] if told.strip() else function


def _run(function: str, title: str, task: dict[str, Any]) -> Step:
    workflow = current()
    if (finished := workflow.finished(task["name"], title)) is not None:
        return finished
    try:
        run = mlrun.run_function(function, **task, local=True, watch=False)
    except mlrun.runtimes.utils.RunError as error:
        raise NetopsError(workflow.reason(task["name"]) or str(error)) from error
    workflow.ends(title, run)
    return run


def side_by_side(steps: Iterable[Callable[[], Step]]) -> list[Step]:
    """Run steps that do not depend on each other at the same time.

    Compiled, they are nodes without an edge between them. Here each takes a thread, which waits for the process
    that does the work; all of them end before an error of one is raised.
    """
    if not runs_here():
        return [build() for build in steps]
    with ThreadPoolExecutor(max_workers=8) as pool:
        running = [pool.submit(build) for build in steps]
    return [thread.result() for thread in running]


def only_if(promise: Any, build: Callable[[], Step]) -> None:
    """Add a step that runs only when a result of an earlier one is ``"true"``."""
    if runs_here():
        if str(promise).lower() == "true":
            build()
        return
    with dsl.Condition(promise == "true"):
        build()


def enabled_families(settings: str) -> list[str]:
    """List the model families to train; a compiled graph has those that are enabled when it is compiled."""
    if not isinstance(settings, str):  # a promise: the graph is being compiled
        settings = (pipeline_context.workflow.args or {}).get("settings", "{}")
    families: list[str] = section(settings, "training").enabled_families
    return families
