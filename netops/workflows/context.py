"""What the stages of a pipeline on this machine share: its workflow, and processes started ahead for training."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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
    """

    workflow: Workflow | None = None
    workers: Workers | None = None


@contextmanager
def started(families: Iterable[str], threads: int, workflow: Workflow | None = None) -> Iterator[None]:
    """Run the stages of this block as ``workflow``, with processes for some families.

    Processes that no stage has used end with the block.
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
        )
        with entered(context):
            yield


def pipeline_run() -> PipelineContext:
    """Return the run that this process works on; an empty one where none was started here."""
    context = current()
    return context if isinstance(context, PipelineContext) else PipelineContext()
