"""The only module that distinguishes between compiling the DAG for Kubeflow and running it locally.

Compiled, a step is a node and its outputs are promises; here, a step is a run that has ended and its outputs are
values. The pipelines read the same either way.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeAlias

import mlrun
from kfp import dsl
from mlrun.projects.pipelines import pipeline_context

from netops.cluster.equipment import equip_function, equip_node, forget_machine
from netops.cluster.settings import read_cluster_settings
from netops.errors import NetopsError
from netops.tracking.mlrun_types import Function, StageRun
from netops.workflows.context import pipeline_run
from netops.workflows.records.runs import PROJECT, Workflow
from netops.workflows.records.steps import LABEL, title_of
from netops.workflows.settings import Settings


class Step(Protocol):
    """A stage in a pipeline: an MLRun run here, a KFP node when compiled."""

    @property
    def outputs(self) -> Mapping[str, object]:
        """Artifacts and results by name: values here, promises when compiled."""


#: Parameters and inputs of a step.
Task: TypeAlias = dict[str, Mapping[str, object] | None]


def runs_here() -> bool:
    """Return whether steps run in this process (the local engine) or become nodes of a Kubeflow pipeline."""
    return bool(pipeline_context.workflow) and pipeline_context.workflow.engine == "local"


def workflow(name: str, description: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare a pipeline."""
    declare: Callable[[Callable[..., None]], Callable[..., None]] = dsl.pipeline(name=name, description=description)
    return declare


def step(
    function: str,
    *,
    name: str = "",
    params: Mapping[str, object] | None = None,
    inputs: Mapping[str, object] | None = None,
    outputs: Iterable[str] = (),
) -> Step:
    """Run one stage, or add it to the graph.

    Parameters
    ----------
    function : str
        A function of the MLRun project.
    name : str
        Name of the run, where it differs from the function's; ``netops.workflows.records.steps`` has its title.
    params, inputs : dict
        Values, and artifacts of earlier steps.
    outputs : iterable of str
        Artifacts and results that later steps take.

    Raises
    ------
    NetopsError
        If it runs here and fails; the rest of the pipeline is not run.
    """
    task: Task = {"params": params, "inputs": inputs}
    if runs_here():
        return _run(function, name or function, list(outputs), task)
    return _add(function, name or function, list(outputs), task)


def _add(name: str, step: str, outputs: list[str], task: Task) -> Step:
    """Add a node to the graph, with the current function in it instead of a reference to the database."""
    settings = read_cluster_settings(_argument("settings") or "{}")
    stage = settings.stage(name)
    function = pipeline_context.functions[name].copy()
    equip_function(function, stage, settings)
    forget_machine(function)
    labels = {LABEL: Path(pipeline_context.workflow.path).stem}
    node = function.as_step(
        mlrun.new_task(**task), name=step, project=PROJECT, outputs=outputs, labels=labels, use_db=False
    )
    details = {"title": title_of(step), "description": _description(function)}
    return equip_node(node, stage, settings, service=mlrun.mlconf.httpdb.api_url, **details)


def _argument(name: str) -> str | None:
    """Return an argument of the workflow while it is being compiled; in the graph itself it is a promise."""
    return (pipeline_context.workflow.args or {}).get(name)


def _description(function: Function) -> str:
    """Return the first line of the stage's docstring."""
    details: str = function.spec.entry_points.get(function.spec.default_handler, {}).get("doc", "")
    return details.strip().splitlines()[0] if details.strip() else str(function.metadata.name)


def _run(function: str, name: str, outputs: list[str], task: Task) -> Step:
    # A workflow that was not started here has no completed steps.
    workflow = pipeline_run().workflow or Workflow(pipeline_context.workflow_id)
    title = title_of(name)
    if (finished := workflow.finished(name, title)) is not None:
        return finished
    try:
        run: StageRun = mlrun.run_function(function, name=name, outputs=outputs, **task, local=True, watch=False)
    except mlrun.runtimes.utils.RunError as error:
        raise NetopsError(workflow.reason(name) or str(error)) from error
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


def only_if(name: str, promise: object, build: Callable[[], Step]) -> None:
    """Add a step that runs only when a result of an earlier one, of that name, is ``"true"``."""
    if runs_here():
        if str(promise).lower() == "true":
            build()
        return
    with dsl.Condition(promise == "true", name=name):
        build()


def enabled_families(settings: str) -> list[str]:
    """List the model families to train; a compiled graph has those that are enabled when it is compiled."""
    if not isinstance(settings, str):  # a promise: the graph is being compiled
        settings = _argument("settings") or "{}"
    return Settings.from_json(settings).training.enabled_families
