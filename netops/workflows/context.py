"""What the stages of a run on this machine share: its workflow, processes started ahead for training, a cluster."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from netops.compute.cluster import Cluster
from netops.run_context import RunContext, current, entered
from netops.training.train import Workers
from netops.workflows.records.runs import Workflow


@dataclass(frozen=True)
class PipelineContext(RunContext):
    """A run of a pipeline, or of trainings alone.

    Attributes
    ----------
    workflow : Workflow, optional
        The pipeline.
    workers : Workers, optional
        Processes that load what trainings import while the telemetry is still being made.
    cluster : Cluster, optional
        Where all stages compute; without one each connects to that of its settings, if any.
    """

    workflow: Workflow | None = None
    workers: Workers | None = None
    cluster: Cluster | None = None


@contextmanager
def started(
    families: Iterable[str], threads: int, workflow: Workflow | None = None, cluster: Cluster | None = None
) -> Iterator[None]:
    """Run the stages of this block as ``workflow``, with processes for some families.

    Processes that no stage has used end with the block. The stages compute on the cluster if there is one.
    """
    outer = current()
    with Workers(threads) as workers:
        workers.prewarm(families)
        context = PipelineContext(
            progress=outer.progress,
            lines=outer.lines,
            shown=outer.shown,
            run_id=workflow.run_id if workflow else None,
            workflow=workflow,
            workers=workers,
            cluster=cluster,
        )
        with entered(context):
            yield


def pipeline_run() -> PipelineContext:
    """Return the run that this process works on; an empty one where none was started here."""
    context = current()
    return context if isinstance(context, PipelineContext) else PipelineContext()
